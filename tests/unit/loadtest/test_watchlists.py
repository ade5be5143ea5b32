from datetime import UTC, datetime
from pathlib import Path

from tests.unit.loadtest.rows import NOON_MS

from fanzha.commands.watchlist_csv import read_rows
from fanzha.v1 import watchlists_pb2 as wire
from fanzha_loadtest.demo.watchlists import write_billers, write_involved


def test_the_lists_of_the_demo_are_files_that_the_import_accepts(tmp_path: Path) -> None:
    billers, involved = tmp_path / "billers.csv", tmp_path / "involved.csv"

    assert write_billers(billers, ["6217000010012345678"], NOON_MS) == 1
    assert write_involved(involved, {"6222020200112233445": NOON_MS}, NOON_MS) == 1

    now = datetime.now(UTC)
    rows = [*read_rows(billers, now), *read_rows(involved, now)]
    assert [row.faults for row in rows] == [(), ()]
    assert rows[0].entry.kind == wire.WATCHLIST_KIND_VERIFIED_BILLER
    assert rows[1].entry.grade == wire.WATCHLIST_GRADE_INVOLVED
    assert rows[1].entry.valid_from_time.ToMilliseconds() == NOON_MS
