"""Turns a row of a table of transfers into the request that a channel would send.

The table's last columns, what the bank then did and the truth, are never sent.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from fanzha.v1.scoring_pb2 import ScoreTransferRequest
from fanzha.v1.transfer_pb2 import (
    AccountOpening,
    Channel,
    CustomerSegment,
    Date,
    Money,
    NameMatch,
    Party,
    PartyType,
    Session,
    Transfer,
    TransferKind,
    TransferSpeed,
)

Row = Mapping[str, Any]
"""One row of transfers.parquet by column name; words are lower-case, null (None) is unknown."""

_SESSION_FLAGS: Final = (
    "call_in_progress",
    "screen_shared",
    "remote_control",
    "new_device",
    "new_e_channel",
    "limit_just_raised",
)


def _numbers(vocabulary: Any, prefix: str) -> dict[str | None, Any]:  # noqa: ANN401 - a generated enum
    """Return the numbers of an enum by the words of the table; null is UNSPECIFIED."""
    named = {name.removeprefix(prefix).lower(): number for name, number in vocabulary.items()}
    return {**named, None: 0}


_CHANNELS: Final = _numbers(Channel, "CHANNEL_")
_KINDS: Final = _numbers(TransferKind, "TRANSFER_KIND_")
_SPEEDS: Final = _numbers(TransferSpeed, "TRANSFER_SPEED_")
_PARTY_TYPES: Final = _numbers(PartyType, "PARTY_TYPE_")
_SEGMENTS: Final = _numbers(CustomerSegment, "CUSTOMER_SEGMENT_")
_NAME_MATCHES: Final = _numbers(NameMatch, "NAME_MATCH_")


def to_request(row: Row) -> ScoreTransferRequest:
    """Return the request of one row.

    Raises:
        KeyError: the row lacks a column, or a word is not in the API's vocabulary.

    """
    transfer = Transfer(
        transfer_id=row["transfer_id"],
        kind=_KINDS[row["kind"]],
        channel=_CHANNELS[row["channel"]],
        amount=Money(currency_code=row["currency"], minor_units=row["amount_minor"]),
        speed=_SPEEDS[row["speed"]],
        payer=_party(row, "payer"),
        payee=_party(row, "payee") if row["payee_type"] is not None else None,
        payee_same_owner=row["payee_same_owner"],
        payee_same_bank=row["payee_same_bank"],
        payee_name_match=_NAME_MATCHES[row["payee_name_match"]],
        remark=row["remark"],
        session=_session(row),
        branch_id=row["branch_id"],
        terminal_id=row["terminal_id"],
    )
    transfer.create_time.FromMilliseconds(row["time_ms"])
    if row["balance_before_minor"] is not None:
        transfer.balance_before.currency_code = row["currency"]
        transfer.balance_before.minor_units = row["balance_before_minor"]
    if row["payer_anti_fraud_app"] is not None:
        transfer.payer.anti_fraud_app = row["payer_anti_fraud_app"]
    return ScoreTransferRequest(request_id=row["request_id"], transfer=transfer)


def _party(row: Row, side: str) -> Party:
    return Party(
        account=row[f"{side}_account"],
        person=row[f"{side}_person"],
        phone=row[f"{side}_phone"],
        type=_PARTY_TYPES[row[f"{side}_type"]],
        segment=_SEGMENTS[row[f"{side}_segment"]],
        opening=_opening(row, side),
    )


def _opening(row: Row, side: str) -> AccountOpening | None:
    opened: date | None = row[f"{side}_open_date"]
    channel: str | None = row[f"{side}_open_channel"]
    dual_recording_done: bool | None = row[f"{side}_dual_recording_done"]
    if opened is None and channel is None and dual_recording_done is None:
        return None
    return AccountOpening(
        open_date=Date(year=opened.year, month=opened.month, day=opened.day) if opened else None,
        channel=_CHANNELS[channel],
        dual_recording_done=dual_recording_done,
    )


def _session(row: Row) -> Session | None:
    flags = {name: row[name] for name in _SESSION_FLAGS}
    if row["device_id"] is None and all(flag is None for flag in flags.values()):
        return None
    return Session(device_id=row["device_id"], **flags)
