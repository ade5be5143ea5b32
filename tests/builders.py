"""Builds valid requests; a test states only what it is about."""

import itertools
import time
from collections.abc import Iterable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

PAYER = "6222020200112233445"
PAYEE = "6217000010012345678"

_numbers = itertools.count(1)


def a_time(ms: int | None = None) -> Timestamp:
    """Return a time in milliseconds since 1970 UTC; now when none is given."""
    now_ms = time.time_ns() // 1_000_000 if ms is None else ms
    return Timestamp(seconds=now_ms // 1000, nanos=now_ms % 1000 * 1_000_000)


def yuan(amount: float) -> wire.Money:
    """Return an amount in CNY."""
    return wire.Money(currency_code="CNY", minor_units=round(amount * 100))


def a_request(
    request_id: str = "",
    *,
    payer: str = PAYER,
    payee: str = PAYEE,
    amount: float = 100.0,
    kind: wire.TransferKind = wire.TRANSFER_KIND_TRANSFER,
    channel: wire.Channel = wire.CHANNEL_MOBILE,
    time_ms: int | None = None,
    **fields: Any,
) -> scoring.ScoreTransferRequest:
    """Return a valid request with a new id unless one is given."""
    number = next(_numbers)
    transfer = wire.Transfer(
        transfer_id=f"t-{number}",
        kind=kind,
        channel=channel,
        create_time=a_time(time_ms),
        amount=yuan(amount),
        payer=wire.Party(account=payer),
    )
    if payee:
        transfer.payee.account = payee
    request = scoring.ScoreTransferRequest(
        request_id=request_id or f"r-{number}", transfer=transfer
    )
    request.transfer.MergeFrom(wire.Transfer(**fields))
    return request


def requests(items: Iterable[scoring.ScoreTransferRequest]) -> scoring.ScoreBatchRequest:
    """Return a batch."""
    return scoring.ScoreBatchRequest(requests=items)
