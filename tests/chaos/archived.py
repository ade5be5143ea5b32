"""Reads what a run's archive holds, as far as clients can know of it."""

import base64
from dataclasses import dataclass
from pathlib import Path

from fanzha.adapters.codec import decode_record
from fanzha.archive.log import ArchiveLog
from fanzha.archive.schema import DECISION_KINDS
from fanzha.transport.convert import to_response

_COLUMNS = ("record_id", "kind", "decision_id", "execution_status", "outcome_id", "body")


@dataclass(frozen=True, slots=True)
class Archived:
    """One record."""

    record_id: str
    kind: str
    decision_id: str
    response: str | None = None
    """Of the kinds that hold a decision: the answer that it is, as `answers.as_text` gives it."""
    detail: str = ""
    """Of an execution its status, of an outcome its id."""


def read_archived(archive: Path) -> list[Archived]:
    """Return all records of an archive."""
    log, rows = ArchiveLog(archive), []
    for file in log.files():
        for row in log.parquet(file).read(columns=list(_COLUMNS)).to_pylist():
            response = None
            if row["kind"] in DECISION_KINDS:
                answer = to_response(decode_record(row["body"]).decision)
                response = base64.b64encode(answer.SerializeToString(deterministic=True)).decode()
            status = row["execution_status"]
            detail = row["outcome_id"] or ("" if status is None else str(status))
            rows.append(
                Archived(row["record_id"], row["kind"], row["decision_id"] or "", response, detail)
            )
    return rows
