"""Finds one decision and its outcomes in the archive by its id: the id names day and bucket."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fanzha.adapters.codec import decode
from fanzha.archive.log import ArchiveFile, ArchiveLog
from fanzha.archive.schema import (
    DECISION_KINDS,
    KIND_CONFLICT,
    KIND_DECISION,
    KIND_DECISION_UPDATE,
    KIND_EXECUTION,
    KIND_OUTCOME,
    KIND_RECONCILIATION,
    KIND_WITHDRAWAL,
    OUTCOME_KINDS,
)
from fanzha.archive.storage import Place
from fanzha.domain.ids import bucket_of_decision, day_of_decision, time_ms_of_decision
from fanzha.domain.record import ExecutionRecord, OutcomeRecord, WithdrawalRecord

RECONCILED_DAYS = 2
"""So many days after a decision a reconciliation of it is looked for."""

T = TypeVar("T")


def find_decision_body(archive: Place | ArchiveLog, decision_id: str) -> bytes | None:
    """Return the record of a decision as it was journaled, in its newest content; None: not there.

    Args:
        archive: folder or URL of the archive, or its log, which need not be read anew then.
        decision_id: a well-formed decision id.

    Raises:
        SetupError: the archive cannot be read.
        OSError: the same.
    """
    log = _log(archive)
    day = day_of_decision(decision_id)
    time_ms, bucket = time_ms_of_decision(decision_id), bucket_of_decision(decision_id)

    def look() -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        # A record written around midnight may lie in the next day's partition.
        for file in log.files(day, day + timedelta(days=1)):
            if file.holds_bucket(bucket) and _spans(file.decided, time_ms):
                rows = _rows(log, file, ["kind", "body"], decision_id, bucket, DECISION_KINDS)
                found |= _bodies(rows)
        return found

    found = _as_it_stands(look)
    newest_first = (KIND_DECISION_UPDATE, KIND_DECISION, KIND_CONFLICT)
    return next((found[kind] for kind in newest_first if kind in found), None)


def _as_it_stands(look: Callable[[], T]) -> T:
    """Look, and once more if a file went meanwhile: its rows expired, or others took its place."""
    try:
        return look()
    except FileNotFoundError:
        return look()


def _log(archive: Place | ArchiveLog) -> ArchiveLog:
    return archive if isinstance(archive, ArchiveLog) else ArchiveLog(archive)


def _spans(span: tuple[int, int] | None, time_ms: int) -> bool:
    return span is not None and span[0] <= time_ms <= span[1]


def _rows(
    log: ArchiveLog,
    file: ArchiveFile,
    columns: list[str],
    decision_id: str,
    bucket: int,
    kinds: Iterable[str],
) -> pa.Table:
    """Return a file's rows of one decision: those groups alone are read that can hold its bucket.

    The large column of bodies is read only where the decision is found.
    """
    part = log.parquet(file)
    groups = [group for group in range(part.num_row_groups) if _can_hold(part, group, bucket)]
    light = [name for name in columns if name != "body"]
    found = []
    for group in groups:
        ids = part.read_row_group(group, columns=["decision_id", "kind", *light])
        mask = pc.and_(
            pc.equal(ids.column("decision_id"), decision_id),
            pc.is_in(ids.column("kind"), pa.array(list(kinds))),
        )
        if pc.any(mask).as_py():
            found.append(part.read_row_group(group, columns=columns).filter(mask))
    if not found:
        return part.schema_arrow.empty_table().select(columns)
    return pa.concat_tables(found).select(columns)


def _can_hold(part: pq.ParquetFile, group: int, bucket: int) -> bool:
    place = part.schema_arrow.names.index("bucket")
    statistics = part.metadata.row_group(group).column(place).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min <= bucket <= statistics.max)


def _bodies(rows: pa.Table) -> dict[str, bytes]:
    kinds, bodies = rows.column("kind").to_pylist(), rows.column("body").to_pylist()
    pairs = zip(kinds, bodies, strict=True)
    return {kind: body for kind, body in pairs if kind in DECISION_KINDS and body is not None}


def archived_decisions(archive: Place | ArchiveLog, decision_ids: set[str]) -> set[str]:
    """Return those of some decisions that the archive holds."""
    log = _log(archive)
    days = {day_of_decision(decision_id) for decision_id in decision_ids}
    days |= {day + timedelta(days=1) for day in days}
    times = [time_ms_of_decision(decision_id) for decision_id in decision_ids]

    def look() -> set[str]:
        found: set[str] = set()
        for day in sorted(days):
            for file in log.files(day, day):
                if any(_spans(file.decided, time_ms) for time_ms in times):
                    ids = log.parquet(file).read(columns=["decision_id"]).column("decision_id")
                    found |= decision_ids.intersection(ids.to_pylist())
        return found

    return _as_it_stands(look)


def find_outcome_bodies(archive: Place | ArchiveLog, decision_id: str) -> list[tuple[str, bytes]]:
    """Return kind and record of all outcomes and withdrawals of a decision, in any order.

    Args:
        archive: folder or URL of the archive, or its log.
        decision_id: a well-formed decision id.
    """
    log = _log(archive)
    time_ms, bucket = time_ms_of_decision(decision_id), bucket_of_decision(decision_id)
    columns = ["record_id", "kind", "body"]

    def look() -> dict[str, tuple[str, bytes]]:
        found: dict[str, tuple[str, bytes]] = {}
        for file in log.files(day_of_decision(decision_id)):
            if not file.holds_bucket(bucket) or not _spans(file.judged, time_ms):
                continue
            rows = _rows(log, file, columns, decision_id, bucket, OUTCOME_KINDS)
            for record_id, kind, body in zip(*rows.to_pydict().values(), strict=True):
                found[record_id] = (kind, body)
        return found

    return list(_as_it_stands(look).values())


def archived_reports(
    archive: Place | ArchiveLog, decision_id: str
) -> list[ExecutionRecord | OutcomeRecord | WithdrawalRecord]:
    """Return what the archive holds of what was reported about a decision."""
    log, bucket = _log(archive), bucket_of_decision(decision_id)

    def look() -> list[ExecutionRecord | OutcomeRecord | WithdrawalRecord]:
        found: list[ExecutionRecord | OutcomeRecord | WithdrawalRecord] = []
        for file in log.files(day_of_decision(decision_id)):
            if file.holds_bucket(bucket):
                rows = _rows(log, file, ["kind", "body"], decision_id, bucket, _REPORTS)
                for kind, body in zip(*rows.to_pydict().values(), strict=True):
                    found.append(decode(body, _REPORTS[kind]))
        return found

    return _as_it_stands(look)


def find_reconciliation_bodies(archive: Place | ArchiveLog, decision_id: str) -> list[bytes]:
    """Return the reconciliations of a decision's bucket in the days after it, oldest first.

    Args:
        archive: folder or URL of the archive, or its log.
        decision_id: a well-formed decision id.
    """
    log, bucket = _log(archive), bucket_of_decision(decision_id)
    day = day_of_decision(decision_id)

    def look() -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        for file in log.files(day, day + timedelta(days=RECONCILED_DAYS)):
            if file.holds_bucket(bucket):
                part = log.parquet(file)
                rows = part.read(columns=["bucket", "kind", "record_time_ms"])
                mask = pc.and_(
                    pc.equal(rows.column("bucket"), bucket),
                    pc.equal(rows.column("kind"), KIND_RECONCILIATION),
                )
                if pc.any(mask).as_py():
                    wanted = part.read(columns=["record_time_ms", "body"]).filter(mask)
                    found += zip(*wanted.to_pydict().values(), strict=True)
        return found

    return [body for _, body in sorted(_as_it_stands(look))]


_REPORTS: dict[str, type[ExecutionRecord | OutcomeRecord | WithdrawalRecord]] = {
    KIND_EXECUTION: ExecutionRecord,
    KIND_OUTCOME: OutcomeRecord,
    KIND_WITHDRAWAL: WithdrawalRecord,
}
