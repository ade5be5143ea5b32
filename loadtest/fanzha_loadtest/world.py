"""A simulated world's tables, as the clients play them: by day, in the order of time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fanzha_loadtest.requests import Row

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000

_BATCH_ROWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class World:
    """The tables, and the local midnight at which the first day begins (ms since 1970 UTC)."""

    transfers: pa.Table
    outcomes: pa.Table
    start_ms: int

    @staticmethod
    def read(folder: Path, utc_offset_ms: int = 8 * HOUR_MS) -> "World":
        """Read what `fanzha-training simulate` wrote; its days are those of Asia/Shanghai."""
        transfers = pq.read_table(folder / "transfers.parquet")
        first_ms: int = transfers["time_ms"][0].as_py()
        start_ms = (first_ms + utc_offset_ms) // DAY_MS * DAY_MS - utc_offset_ms
        return World(transfers, pq.read_table(folder / "outcomes.parquet"), start_ms)

    def day_start_ms(self, day: int) -> int:
        """Return when a day begins, counted from 0."""
        return self.start_ms + day * DAY_MS

    def rows(self, from_ms: int, until_ms: int) -> Iterator[Row]:
        """Yield the transfers of a stretch of time, its end excluded, in their order."""
        time_ms = pc.field("time_ms")
        chosen = self.transfers.filter((time_ms >= from_ms) & (time_ms < until_ms))
        for batch in chosen.to_batches(max_chunksize=_BATCH_ROWS):
            yield from batch.to_pylist()

    def outcomes_by_request(self) -> dict[str, list[dict[str, Any]]]:
        """Return all outcomes that will ever be reported, by request id."""
        by_request: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.outcomes.to_pylist():
            by_request[row["request_id"]].append(row)
        return dict(by_request)

    def billers(self) -> list[str]:
        """Return the accounts of all billers that are paid in this world."""
        billers = self.transfers.filter(pc.field("payee_type") == "biller")
        return sorted(
            {str(account) for account in billers["payee_account"].drop_null().to_pylist()}
        )

    def mules_known(self, from_ms: int, until_ms: int) -> dict[str, int]:
        """Return accounts that the police confirmed as mules in a stretch of time, and when.

        Only reports that were made by then are looked at, never the truth.
        """
        report_ms = pc.field("report_time_ms")
        reports = self.outcomes.filter(
            (pc.field("outcome") == "mule_confirmed")
            & (report_ms >= from_ms)
            & (report_ms < until_ms)
        )
        payees = self.transfers.select(["request_id", "payee_account"])
        named = reports.join(payees, "request_id", join_type="inner").to_pylist()
        known: dict[str, int] = {}
        for row in named:
            if row["payee_account"] is not None:
                account, time_ms = row["payee_account"], row["report_time_ms"]
                known[account] = min(time_ms, known.get(account, time_ms))
        return dict(sorted(known.items()))
