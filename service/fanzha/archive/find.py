"""Finds one decision and its outcomes in the archive by its id: the id names day and bucket."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.adapters.codec import decode
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
from fanzha.domain.ids import bucket_of_decision, day_of_decision
from fanzha.domain.record import ExecutionRecord, OutcomeRecord, WithdrawalRecord

RECONCILED_DAYS = 2
"""So many days after a decision a reconciliation of it is looked for."""


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
    newest_first = (KIND_DECISION_UPDATE, KIND_DECISION, KIND_CONFLICT)
    return next((found[kind] for kind in newest_first if kind in found), None)


def _bodies(rows: pa.Table) -> dict[str, bytes]:
    kinds, bodies = rows.column("kind").to_pylist(), rows.column("body").to_pylist()
    pairs = zip(kinds, bodies, strict=True)
    return {kind: body for kind, body in pairs if kind in DECISION_KINDS and body is not None}


def archived_decisions(archive: Path, decision_ids: set[str]) -> set[str]:
    """Return those of some decisions that the archive holds."""
    days = {day_of_decision(decision_id) for decision_id in decision_ids}
    days |= {day + timedelta(days=1) for day in days}
    found: set[str] = set()
    for day in sorted(days):
        for part in sorted((archive / f"day={day}").glob("part-*.parquet")):
            ids = pq.read_table(part, columns=["decision_id"]).column("decision_id")
            found |= decision_ids.intersection(ids.to_pylist())
    return found


def find_reconciliation_bodies(archive: Path, decision_id: str) -> list[bytes]:
    """Return the reconciliations of a decision's bucket in the days after it, oldest first.

    Args:
        archive: root folder of the archive.
        decision_id: a well-formed decision id.
    """
    day, bucket = day_of_decision(decision_id), bucket_of_decision(decision_id)
    found: list[tuple[int, bytes]] = []
    for later in range(RECONCILED_DAYS + 1):
        for part in sorted((archive / f"day={day + timedelta(days=later)}").glob("part-*.parquet")):
            rows = pq.read_table(
                part,
                columns=["record_time_ms", "body"],
                filters=[("bucket", "=", bucket), ("kind", "=", KIND_RECONCILIATION)],
            )
            found += zip(*rows.to_pydict().values(), strict=True)
    return [body for _, body in sorted(found)]


def find_outcome_bodies(archive: Path, decision_id: str) -> list[tuple[str, bytes]]:
    """Return kind and record of all outcomes and withdrawals of a decision, oldest first.

    Args:
        archive: root folder of the archive.
        decision_id: a well-formed decision id.
    """
    first = f"day={day_of_decision(decision_id)}"
    found: dict[str, tuple[int, str, bytes]] = {}
    for part in sorted(archive.glob("day=*/part-*.parquet")):
        if part.parent.name < first:
            continue
        rows = pq.read_table(
            part,
            columns=["record_id", "record_time_ms", "kind", "body"],
            filters=[
                ("bucket", "=", bucket_of_decision(decision_id)),
                ("decision_id", "=", decision_id),
                ("kind", "in", OUTCOME_KINDS),
            ],
        )
        for record_id, time_ms, kind, body in zip(*rows.to_pydict().values(), strict=True):
            found[record_id] = (time_ms, kind, body)
    ordered = sorted(found.items(), key=lambda item: (item[1][0], item[0]))
    return [(kind, body) for _, (_, kind, body) in ordered]


def archived_reports(
    archive: Path, decision_id: str
) -> list[ExecutionRecord | OutcomeRecord | WithdrawalRecord]:
    """Return what the archive holds of what was reported about a decision."""
    first = f"day={day_of_decision(decision_id)}"
    found: list[ExecutionRecord | OutcomeRecord | WithdrawalRecord] = []
    for part in sorted(archive.glob("day=*/part-*.parquet")):
        if part.parent.name < first:
            continue
        rows = pq.read_table(
            part,
            columns=["kind", "body"],
            filters=[
                ("bucket", "=", bucket_of_decision(decision_id)),
                ("decision_id", "=", decision_id),
                ("kind", "in", tuple(_REPORTS)),
            ],
        )
        for kind, body in zip(*rows.to_pydict().values(), strict=True):
            found.append(decode(body, _REPORTS[kind]))
    return found


_REPORTS: dict[str, type[ExecutionRecord | OutcomeRecord | WithdrawalRecord]] = {
    KIND_EXECUTION: ExecutionRecord,
    KIND_OUTCOME: OutcomeRecord,
    KIND_WITHDRAWAL: WithdrawalRecord,
}
