"""Puts a row's fields into a request of the gRPC API."""

from datetime import date
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from fanzha.mapping.mapping import BASE_CURRENCY
from fanzha.mapping.rows import Row
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

_SESSION: Final = frozenset(
    field.name for field in wire.Session.DESCRIPTOR.fields
)  # fmt: skip
_OPENING: Final = {
    "open_date": "open_date",
    "open_channel": "channel",
    "dual_recording_done": "dual_recording_done",
}
_BASE_AMOUNTS: Final = ("base_amount", "balance_before")


def to_stamp(time_ms: int) -> Timestamp:
    """Return a time in milliseconds since 1970 UTC as a Timestamp."""
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def to_request(row: Row) -> scoring.ScoreTransferRequest:
    """Return the request that a channel would have sent for a row."""
    fields = row.fields
    request = scoring.ScoreTransferRequest(request_id=fields["request_id"])
    transfer = request.transfer
    transfer.create_time.CopyFrom(to_stamp(row.time_ms))
    for name, value in fields.items():
        side, _, rest = name.partition("_")
        if name in ("request_id", "currency"):
            continue
        if name == "amount":
            transfer.amount.currency_code = fields["currency"]
            transfer.amount.minor_units = value
        elif name in _BASE_AMOUNTS:
            money = getattr(transfer, name)
            money.currency_code = BASE_CURRENCY
            money.minor_units = value
        elif name in _SESSION:
            setattr(transfer.session, name, value)
        elif name in wire.Transfer.DESCRIPTOR.fields_by_name:
            setattr(transfer, name, value)
        else:
            _put_party(getattr(transfer, side), rest, value)
    return request


def _put_party(party: wire.Party, name: str, value: Any) -> None:  # noqa: ANN401 - any field's
    target: Any = party.opening if name in _OPENING else party
    name = _OPENING.get(name, name)
    if isinstance(value, date):
        day = target.open_date
        day.year, day.month, day.day = value.year, value.month, value.day
    else:
        setattr(target, name, value)
