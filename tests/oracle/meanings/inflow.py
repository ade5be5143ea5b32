"""Money that came in before it is to go out."""

from fractions import Fraction

from tests.oracle.history import Account
from tests.oracle.records import Event, Request
from tests.oracle.sums import total_of
from tests.oracle.time import HOUR_MS, MINUTE_MS, last
from tests.oracle.value import by_name

from fanzha.domain.vocabulary import TransferKind


def inflow_loan_24h(request: Request, payer: Account) -> int:
    received = _received(request, payer)
    return total_of(event for event in received if event.kind == TransferKind.LOAN_PAYOUT)


def inflow_deposit_24h(request: Request, payer: Account) -> int:
    received = _received(request, payer)
    return total_of(event for event in received if event.kind == TransferKind.DEPOSIT_BREAK)


def inflow_own_24h(request: Request, payer: Account) -> int:
    return total_of(
        event
        for event in _received(request, payer)
        if event.same_owner is True and event.kind != TransferKind.DEPOSIT_BREAK
    )


def inflow_over_amount_24h(request: Request, payer: Account) -> Fraction:
    return Fraction(total_of(_received(request, payer)), request.amount_minor)


def minutes_since_inflow(request: Request, payer: Account) -> Fraction | None:
    times = [event.time_ms for event in _received(request, payer)]
    return Fraction(request.time_ms - max(times), MINUTE_MS) if times else None


def _received(request: Request, payer: Account) -> list[Event]:
    return last(24 * HOUR_MS, request, payer.receipts())


MEANINGS = by_name(
    inflow_loan_24h,
    inflow_deposit_24h,
    inflow_own_24h,
    inflow_over_amount_24h,
    minutes_since_inflow,
)
