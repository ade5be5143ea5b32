"""Holds answers against the archive: each exactly once, with the content that was answered."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from fanzha.adapters.codec import decode, decode_record
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.domain.record import ReconciliationRecord
from fanzha.transport.convert import to_response
from fanzha.v1 import scoring_pb2 as scoring


def archived_rows(redis_url: str, archive: Path) -> list[dict[str, Any]]:
    """Move everything into the archive, and return its rows in the order of the journal."""
    link = RedisLink(redis_url, 5_000)
    drain(link, archive, progress=lambda _: None)
    link.close()
    columns = ["kind", "decision_id", "stream_id", "body"]
    rows = ds.dataset(archive, partitioning="hive").to_table(columns=columns).to_pylist()
    return sorted(rows, key=lambda row: [int(part) for part in row["stream_id"].split("-")])


def assert_recorded(
    answers: Iterable[scoring.ScoreTransferResponse], rows: list[dict[str, Any]]
) -> None:
    """Fail unless each answer is archived once, and its newest content is what was answered."""
    counts = Counter(row["decision_id"] for row in rows if row["kind"] in ("decision", "conflict"))
    newest = {
        row["decision_id"]: row["body"]
        for row in rows
        if row["kind"] in ("decision", "conflict", "decision_update")
    }
    for answer in answers:
        assert counts[answer.decision_id] == 1, (answer.decision_id, counts[answer.decision_id])
        held = to_response(decode_record(newest[answer.decision_id]).decision)
        about = [
            (row["kind"], row["stream_id"])
            for row in rows
            if row["decision_id"] == held.decision_id
        ]
        assert held == answer, (about, held.degraded_parts, answer.degraded_parts)


def reconciliations(rows: list[dict[str, Any]]) -> list[ReconciliationRecord]:
    return [
        decode(row["body"], ReconciliationRecord) for row in rows if row["kind"] == "reconciliation"
    ]
