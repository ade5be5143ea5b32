from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.unit.loadtest.rows import a_row

from fanzha.v1 import scoring_pb2 as scoring
from fanzha_loadtest.demo.count_check import count_archive
from fanzha_loadtest.tally import Tally


def an_archive(folder: Path, records: Iterable[tuple[str, str]]) -> Path:
    day = folder / "day=2026-09-01"
    day.mkdir()
    rows = [{"kind": kind, "decision_id": name} for kind, name in records]
    schema = pa.schema([("kind", pa.string()), ("decision_id", pa.string())])
    pq.write_table(pa.Table.from_pylist(rows, schema), day / "part-1.parquet")
    return folder


def a_tally(*decision_ids: str, executed: tuple[str, ...] = (), outcomes: int = 0) -> Tally:
    tally = Tally()
    for name in decision_ids:
        answer = scoring.ScoreTransferResponse(decision_id=name, decision=scoring.DECISION_ALLOW)
        tally.answered(a_row(), answer, 1.0, money_left=True)
    for name in executed:
        tally.reported_execution(name)
    tally.recorded_outcomes(outcomes)
    return tally


def test_an_archive_that_holds_everything_once_agrees(tmp_path: Path) -> None:
    archive = an_archive(
        tmp_path,
        [
            ("decision", "a"),
            ("decision", "b"),
            ("execution", "a"),
            ("outcome", "b"),
            ("change", ""),
        ],
    )

    count = count_archive(archive, a_tally("a", "b", executed=("a",), outcomes=1))

    assert count.agrees
    assert (count.rows, count.lost_records) == (5, 0)


def test_every_kind_of_missing_record_counts_as_lost(tmp_path: Path) -> None:
    archive = an_archive(tmp_path, [("decision", "a")])

    count = count_archive(archive, a_tally("a", "b", executed=("a",), outcomes=2))

    assert (count.decisions_missing, count.executions_missing, count.outcomes_missing) == (1, 1, 2)
    assert count.lost_records == 4
    assert not count.agrees


def test_a_decision_that_is_there_twice_or_that_nobody_got_does_not_agree(tmp_path: Path) -> None:
    archive = an_archive(tmp_path, [("decision", "a"), ("decision", "a"), ("decision", "x")])

    count = count_archive(archive, a_tally("a"))

    assert (count.decisions_doubled, count.decisions_unasked, count.lost_records) == (1, 1, 0)
    assert not count.agrees
