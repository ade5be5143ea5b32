"""Finds one decision in the archive by its id alone: the id names the day and the bucket."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.archive.schema import KIND_DECISION, KIND_DECISION_UPDATE
from fanzha.domain.ids import bucket_of_decision, day_of_decision


def find_decision_body(archive: Path, decision_id: str) -> bytes | None:
    """Return the record of a decision as it was journaled, in its newest content; None: not there.

    Args:
        archive: root folder of the archive.
        decision_id: a well-formed decision id.
    """
    day = day_of_decision(decision_id)
    bucket = bucket_of_decision(decision_id)
    found: dict[str, bytes] = {}
    # A record written around midnight may lie in the next day's partition.
    for candidate in (day, day + timedelta(days=1)):
        for part in sorted((archive / f"day={candidate}").glob("part-*.parquet")):
            rows = pq.read_table(
                part,
                columns=["kind", "body"],
                filters=[("bucket", "=", bucket), ("decision_id", "=", decision_id)],
            )
            found |= _bodies(rows)
    return found.get(KIND_DECISION_UPDATE) or found.get(KIND_DECISION)


def _bodies(rows: pa.Table) -> dict[str, bytes]:
    kinds, bodies = rows.column("kind").to_pylist(), rows.column("body").to_pylist()
    wanted = (KIND_DECISION, KIND_DECISION_UPDATE)
    return {k: b for k, b in zip(kinds, bodies, strict=True) if k in wanted and b is not None}
