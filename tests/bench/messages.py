"""Requests as a mobile bank sends them, no two alike, as many as are asked for."""

import random
import time
from collections.abc import Iterator

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

ACCOUNTS = 5_000


def payer_account(number: int) -> str:
    """Return the account that a customer pays from."""
    return f"62220202{number:011d}"


def payee_account(number: int) -> str:
    """Return the account that a customer is paid to."""
    return f"62170000{number:011d}"


def requests(seed: int, accounts: int = ACCOUNTS) -> Iterator[scoring.ScoreTransferRequest]:
    """Yield requests without end: five identifiers each, of customers with one phone and device.

    Args:
        seed: of accounts and amounts; with the start's time it names the requests.
        accounts: how many customers there are; each pays and is paid alike.
    """
    rng = random.Random(seed)
    began = time.time_ns()
    number = 0
    while True:
        number += 1
        payer, payee = rng.randrange(accounts), rng.randrange(accounts)
        transfer = wire.Transfer(
            transfer_id=f"t-{began}-{number}",
            kind=wire.TRANSFER_KIND_TRANSFER,
            channel=wire.CHANNEL_MOBILE,
            amount=wire.Money(currency_code="CNY", minor_units=rng.randrange(1_000, 900_000)),
            payer=wire.Party(
                account=payer_account(payer),
                person=f"11010119800101{payer % 10_000:04d}",
                phone=f"139{payer:08d}",
                type=wire.PARTY_TYPE_PERSON,
                segment=wire.CUSTOMER_SEGMENT_WORKER,
            ),
            payee=wire.Party(account=payee_account(payee)),
            payee_name_match=wire.NAME_MATCH_MATCH,
            balance_before=wire.Money(currency_code="CNY", minor_units=5_000_000),
            session=wire.Session(
                device_id=f"device-{payer:011d}",
                call_in_progress=False,
                screen_shared=False,
                new_device=False,
            ),
        )
        transfer.create_time.FromMilliseconds(time.time_ns() // 1_000_000)
        yield scoring.ScoreTransferRequest(request_id=f"r-{began}-{number}", transfer=transfer)


def serialised(seed: int, accounts: int = ACCOUNTS) -> Iterator[bytes]:
    """Yield the same as bytes."""
    return (one.SerializeToString() for one in requests(seed, accounts))


def prepared(seed: int, count: int, accounts: int = ACCOUNTS) -> list[bytes]:
    """Return so many serialised requests, made beforehand: making them is not to be measured."""
    source = serialised(seed, accounts)
    return [next(source) for _ in range(count)]


def batches(seed: int, count: int, size: int) -> list[bytes]:
    """Return so many serialised ScoreBatchRequests of so many items."""
    source = requests(seed)
    return [
        scoring.ScoreBatchRequest(requests=[next(source) for _ in range(size)]).SerializeToString()
        for _ in range(count)
    ]
