"""Turns journal entries into rows of the archive."""

import hashlib
import logging
import struct
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from fanzha.adapters.codec import decode, decode_record
from fanzha.archive import schema
from fanzha.domain.ids import TIME_MS_MAX
from fanzha.domain.record import (
    ExecutionRecord,
    OutcomeRecord,
    ReconciliationRecord,
    WithdrawalRecord,
)
from fanzha.domain.transfer import link_tokens
from fanzha.features.layout import unpack_record

log = logging.getLogger(__name__)

Fields = dict[bytes, bytes]

_TOKEN_BYTES: Final = 16
_ITEMS: Final = {
    field.name: field.type.value_type if pa.types.is_list(field.type) else field.type
    for field in schema.SCHEMA
    if field.name not in ("facts", "vector")  # Arrays of the right kind of number.
}
_TOKENS: Final = frozenset(name for name, item in _ITEMS.items() if item == pa.binary(_TOKEN_BYTES))
_SPANS: Final = {
    name: (-(1 << (item.bit_width - 1)), (1 << (item.bit_width - 1)) - 1)
    for name, item in _ITEMS.items()
    if pa.types.is_integer(item)
}
"""The least and the most that each column of whole numbers holds."""
_OF_A_DECISION: Final = {
    schema.KIND_DECISION_UPDATE: "U",
    schema.KIND_EXECUTION: "E",
    schema.KIND_OUTCOME: "O",
    schema.KIND_WITHDRAWAL: "O",
}
_OF_A_CHANGE: Final = (
    "bucket", "stream_id", "account", "seq", "previous_seq", "change", "change_columns",
    "learned_links", "body",
)  # fmt: skip


def to_row(bucket: int, stream_id: str, fields: Fields) -> dict[str, Any]:
    """Return one row, by the columns of the schema; columns left out are null.

    Args:
        bucket: bucket of the journal.
        stream_id: the entry's id; its first part is Redis's time in ms.
        fields: k kind, a account, s sequence, p the one before it where that is not one less,
            o change, c the change's 40 bytes, l links that the account learned of, b record.
    """
    place: dict[str, Any] = {
        "kind": schema.KIND_UNREADABLE,
        "bucket": bucket,
        "stream_id": stream_id,
        "record_time_ms": int(stream_id.partition("-")[0]),
        "body": fields.get(b"b"),
    }
    fault: str | None
    try:
        row = place | _entry(fields)
    except (KeyError, ValueError, struct.error) as error:
        whole, fault = whole_row(place)[0], f"is none that a service writes ({error!r})"
    else:
        whole, fault = whole_row(row)
    if fault is not None:
        log.error("journal entry %s %s; its body alone is kept", stream_id, fault)
    return whole


def _entry(fields: Fields) -> dict[str, Any]:
    """Return what an entry says beside its body."""
    row: dict[str, Any] = {"kind": fields[b"k"].decode(), "account": fields.get(b"a")}
    if b"s" in fields:
        row["seq"] = int(fields[b"s"])
        row["previous_seq"] = int(fields[b"p"]) if b"p" in fields else None
        row["change"] = int(fields[b"o"])
        row["change_columns"] = unpack_record(fields[b"c"])
        row["learned_links"] = fields.get(b"l")
    _check(row)
    return row


def _check(row: dict[str, Any]) -> None:
    """Raise ValueError where a column of the schema cannot hold a value."""
    for name, value in row.items():
        if value is None:
            continue
        if (span := _SPANS.get(name)) is not None:
            least, most = span
            if value.__class__ is int:
                fits = least <= value <= most
            else:
                fits = all(one is None or least <= one <= most for one in value)
        elif name in _TOKENS:
            of = value if value.__class__ is tuple else (value,)
            fits = all(one is None or len(one) == _TOKEN_BYTES for one in of)
        else:
            continue
        if not fits:
            raise ValueError(f"{name} is none that the archive can hold")


def whole_row(row: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return a row with the columns that follow from its kind and body, and its record id.

    A record that this version cannot read must not stop the others: it is kept as it came.

    Args:
        row: with bucket, kind, stream id, its time, and what the journal's entry says.

    Returns:
        The row, and what is wrong with it; None: nothing.
    """
    whole, fault = row, None
    try:
        columns = _columns_of(row["kind"], row["body"] or b"")
        _check(columns)
        whole = row | columns
    except (msgspec.DecodeError, ValueError) as error:
        fault = f"cannot be read ({error})"
    if not 0 <= whole["record_time_ms"] < TIME_MS_MAX:
        whole, fault = row, "has an absurd time"
    return whole | {"record_id": record_id_of(whole)}, fault


def record_id_of(row: dict[str, Any]) -> str:
    """Return the name of a record, which follows from what it says, not from where it stood.

    So a record that reaches the journal twice, or is read twice, is seen to be one.
    """
    kind, decision = row["kind"], row.get("decision_id")
    if decision is not None:
        if kind == schema.KIND_DECISION:
            return f"D-{decision}"
        if kind == schema.KIND_CONFLICT:
            return f"X-{decision}"
        letter = _OF_A_DECISION.get(kind)
        if letter is not None:
            return f"{letter}-{decision}-{_digest(row)}"
    if kind == schema.KIND_CHANGE and row.get("seq") is not None:
        return as_change(row)
    if not row["body"]:
        # It says nothing, so that its place alone tells it from others.
        return f"L-{row['bucket']}-{row['stream_id']}"
    return f"L-{_digest(row)}"


def as_change(row: dict[str, Any]) -> str:
    """Return the name of a row by the change of state that it carries."""
    return f"C-{(row['account'] or b'').hex()}-{row['seq']}"


def _digest(row: dict[str, Any]) -> str:
    said = b"%b %d " % (row["kind"].encode(), row["bucket"]) + row["body"]
    return hashlib.blake2b(said, digest_size=8).hexdigest()


def without_content(row: dict[str, Any]) -> dict[str, Any]:
    """Return the change alone of a record that was sent again: its content is archived already."""
    kept = {name: row.get(name) for name in _OF_A_CHANGE}
    kept["kind"] = schema.KIND_CHANGE
    kept["record_time_ms"] = int(row["stream_id"].partition("-")[0])
    kept["record_id"] = as_change(row)
    return kept


def _columns_of(kind: str, body: bytes) -> dict[str, Any]:
    """Return the columns that a kind adds."""
    row: dict[str, Any] = {}
    if kind in schema.DECISION_KINDS:
        row |= _decision(body)
    elif kind == schema.KIND_EXECUTION:
        execution = decode(body, ExecutionRecord)
        row |= {
            "decision_id": execution.decision_id,
            "execution_status": int(execution.status),
            "record_time_ms": execution.record_time_ms,
        }
    elif kind == schema.KIND_OUTCOME:
        outcome = decode(body, OutcomeRecord)
        row |= {
            "decision_id": outcome.decision_id,
            "outcome_id": outcome.outcome_id,
            "outcome_source": int(outcome.source),
            "outcome_type": int(outcome.type),
            "fraud_type": int(outcome.fraud_type),
            "report_time_ms": outcome.report_time_ms,
            "record_time_ms": outcome.record_time_ms,
        }
    elif kind == schema.KIND_RECONCILIATION:
        reconciliation = decode(body, ReconciliationRecord)
        row |= {
            "decision_id": reconciliation.first_id,
            "request_id": reconciliation.request_id,
            "record_time_ms": reconciliation.record_time_ms,
        }
    elif kind == schema.KIND_WITHDRAWAL:
        withdrawal = decode(body, WithdrawalRecord)
        row |= {
            "decision_id": withdrawal.decision_id,
            "outcome_id": withdrawal.outcome_id,
            "outcome_source": int(withdrawal.source),
            "report_time_ms": withdrawal.report_time_ms,
            "record_time_ms": withdrawal.record_time_ms,
        }
    return row


def _decision(body: bytes) -> dict[str, Any]:
    record = decode_record(body)
    transfer, decision = record.transfer, record.decision
    score = decision.score
    payee = transfer.payee.account if transfer.payee is not None else b""
    row = {
        "record_time_ms": decision.decide_time_ms,
        "decision_id": decision.decision_id,
        "request_id": transfer.request_id,
        "transfer_id": transfer.transfer_id,
        "payee": payee or None,
        "create_time_ms": transfer.create_time_ms,
        "kind_code": int(transfer.kind),
        "channel": int(transfer.channel),
        "payer_segment": int(transfer.payer.segment),
        "base_amount_minor": transfer.base_amount_minor,
        "decision": int(decision.kind),
        "in_control_share": decision.in_control_share,
        "policy_version": decision.versions.policy,
        "model_version": decision.versions.model,
        "payer_seq": record.payer_seq,
        "payee_seq": record.payee_seq,
        "links": link_tokens(transfer),
        "link_seqs": record.link_seqs,
        "facts": np.frombuffer(record.facts, "<i8"),
        "vector": np.frombuffer(record.vector, "<f4"),
    }
    if score is not None:
        row |= {
            "points": score.points,
            "margin": score.margin,
            "probability": score.probability,
            "payee_mule_points": None if score.payee_mule is None else score.payee_mule.points,
            "payer_mule_points": None if score.payer_mule is None else score.payer_mule.points,
        }
    if (shadow := record.shadow) is not None:
        row |= {
            "shadow_version": shadow.model_version,
            "shadow_margin": shadow.margin,
            "shadow_points": shadow.points,
        }
    return row


def day_of(row: dict[str, Any]) -> date:
    """Return the UTC day that a row is archived under."""
    return day_of_ms(row["record_time_ms"])


def day_of_ms(time_ms: int) -> date:
    """Return the UTC day of a time in milliseconds."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()


def to_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return rows as a table of the archive's schema."""
    ordered = list(rows)
    columns = {name: [row.get(name) for row in ordered] for name in schema.SCHEMA.names}
    return pa.table(columns, schema=schema.SCHEMA)
