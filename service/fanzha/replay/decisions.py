"""Writes decisions to a Parquet file that appears whole, or not at all."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.domain.errors import SetupError
from fanzha.replay.player import Answer
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1.transfer_pb2 import FraudType

_GROUP_ROWS: Final = 65_536

_COLUMNS: Final[list["pa.Field[Any]"]] = [
    pa.field("row", pa.int64(), nullable=False),
    pa.field("request_id", pa.string(), nullable=False),
    pa.field("transfer_id", pa.string(), nullable=False),
    pa.field("time_ms", pa.int64(), nullable=False),
    pa.field("decision", pa.string()),
    pa.field("score", pa.int32()),
    pa.field("payee_mule_score", pa.int32()),
    pa.field("payer_mule_score", pa.int32()),
    pa.field("fraud_type", pa.string()),
    pa.field("reasons", pa.list_(pa.string())),
    pa.field("degraded", pa.list_(pa.string())),
    pa.field("decision_id", pa.string()),
    pa.field("model_version", pa.string()),
    pa.field("policy_version", pa.string()),
    pa.field("error_code", pa.string()),
    pa.field("error_message", pa.string()),
]
SCHEMA: Final = pa.schema(_COLUMNS)
"""One line for each row played, in order of time; `row` is its row in the file, from 1.

Words are lower-case names of the API's enums, reasons are codes in order of precedence,
`fraud_type` is the likeliest where one is told. Either the
decision's columns are null or the two of the error. A label column follows where the mapping names
one, as it is in the file.
"""


class DecisionsFile:
    """Collects answers and writes them in groups."""

    def __init__(self, path: Path, label: "pa.ChunkedArray[Any] | None") -> None:
        """Open the file.

        Args:
            path: where to write.
            label: labels by the rows' `line`, None without labels.
        """
        self._label = label
        schema = SCHEMA
        if label is not None:
            schema = schema.append(pa.field("label", label.type))
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._lines: list[int] = []
        self._waiting: list[dict[str, Any]] = []
        self.decisions: Counter[str] = Counter()
        """Rows by decision; "error" for those without one."""
        self.degraded: Counter[str] = Counter()
        """Decisions by the part that they lacked."""

    def add(self, answers: list[Answer]) -> None:
        """Take answers."""
        for answer in answers:
            line = _line(answer)
            self.decisions[line["decision"] or "error"] += 1
            self.degraded.update(line["degraded"] or ())
            self._lines.append(answer.row.line)
            self._waiting.append(line)
        if len(self._waiting) >= _GROUP_ROWS:
            self._write()

    def close(self) -> None:
        """Write what is waiting, and the file's end."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_pylist(self._waiting, SCHEMA)
        if self._label is not None:
            label = self._label.take(pa.array(self._lines, pa.int64()))
            table = table.append_column(self._schema.field("label"), label)
        self._writer.write_table(table)
        self._waiting, self._lines = [], []


def _line(answer: Answer) -> dict[str, Any]:
    row, result = answer.row, answer.result
    line: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    line |= {
        "row": row.number,
        "request_id": row.fields["request_id"],
        "transfer_id": row.fields["transfer_id"],
        "time_ms": row.time_ms,
    }
    if result.HasField("error"):
        violations = [f"{v.field} {v.description}" for v in result.error.field_violations]
        line["error_code"] = _CODES.get(result.error.code, str(result.error.code))
        line["error_message"] = "; ".join(violations) or result.error.message
        return line
    response = result.response
    has = response.HasField
    return line | {
        "decision": _word(scoring.Decision.Name(response.decision), "DECISION_"),
        "score": response.score if has("score") else None,
        "payee_mule_score": response.payee_mule_score if has("payee_mule_score") else None,
        "payer_mule_score": response.payer_mule_score if has("payer_mule_score") else None,
        "fraud_type": next(
            (
                _word(FraudType.Name(guess.fraud_type), "FRAUD_TYPE_")
                for guess in response.fraud_types
            ),
            None,
        ),
        "reasons": [reason.code for reason in response.internal_reasons],
        "degraded": [
            _word(scoring.DegradedPart.Name(part), "DEGRADED_PART_")
            for part in response.degraded_parts
        ],
        "decision_id": response.decision_id,
        "model_version": response.versions.model_version,
        "policy_version": response.versions.policy_version,
    }


_CODES: Final = {code.value[0]: code.value[1].replace(" ", "_") for code in grpc.StatusCode}


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


@contextmanager
def draft_of(place: Path) -> Iterator[Path]:
    """Yield a path to write to; it takes its place when the block ends without an error.

    Raises:
        SetupError: the folder cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    except OSError as error:
        raise SetupError(
            f"{place} cannot be written: {error.strerror}; choose a folder that is there and that "
            "you may write to with --out"
        ) from error
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.chmod(0o644)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
