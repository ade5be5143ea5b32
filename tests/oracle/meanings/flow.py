"""Money that comes in and goes on: what a mule's account looks like, payer's or payee's."""

from fractions import Fraction

from tests.oracle.history import RING_EVENTS, Account
from tests.oracle.records import Request
from tests.oracle.sums import total_of
from tests.oracle.time import DAY_MS, HOUR_MS, MINUTE_MS, last
from tests.oracle.value import by_name, ratio


def in_count_1h(request: Request, account: Account) -> int:
    return len(last(HOUR_MS, request, account.receipts()))


def in_count_24h(request: Request, account: Account) -> int:
    return len(last(24 * HOUR_MS, request, account.receipts()))


def in_count_7d(request: Request, account: Account) -> int:
    return len(last(7 * DAY_MS, request, account.receipts()))


def in_sum_24h(request: Request, account: Account) -> int:
    return total_of(last(24 * HOUR_MS, request, account.receipts()))


def in_payers_24h(request: Request, account: Account) -> int:
    return len(_payers(request, account))


def in_new_payers_24h(request: Request, account: Account) -> int:
    start_ms = request.time_ms - DAY_MS
    before = {event.other for event in account.receipts() if event.time_ms < start_ms}
    return len(_payers(request, account) - before)


def in_new_payer_share_24h(request: Request, account: Account) -> Fraction | None:
    return ratio(in_new_payers_24h(request, account), in_payers_24h(request, account))


def pass_through_24h(request: Request, account: Account) -> Fraction | None:
    paid = total_of(last(24 * HOUR_MS, request, account.payments()))
    return ratio(paid, in_sum_24h(request, account))


def minutes_in_to_out_24h(request: Request, account: Account) -> Fraction | None:
    spans = [
        Fraction(payment.time_ms - receipt.time_ms, MINUTE_MS)
        for receipt in last(24 * HOUR_MS, request, account.receipts())
        for payment in last(24 * HOUR_MS, request, account.payments())
        if payment.time_ms >= receipt.time_ms
    ]
    return min(spans, default=None)


def small_then_large_24h(request: Request, account: Account) -> Fraction | None:
    received = last(24 * HOUR_MS, request, account.receipts())
    if not received:
        return None
    small = min(received, key=lambda event: (event.amount_minor, event.time_ms))
    after = [event.amount_minor for event in received if event.time_ms > small.time_ms]
    return Fraction(max(after), small.amount_minor) if after else None


def quiet_days(request: Request, account: Account) -> Fraction | None:
    movements = [*account.payments(), *account.receipts()]
    start_ms = request.time_ms - DAY_MS
    first_ms = min(
        (event.time_ms for event in last(24 * HOUR_MS, request, movements)),
        default=request.time_ms,
    )
    older = [event.time_ms for event in movements if event.time_ms < start_ms]
    return Fraction(first_ms - max(older), DAY_MS) if older else None


def in_saturated_24h(request: Request, account: Account) -> int:
    young = [event for event in account.incoming if request.time_ms - event.time_ms < 24 * HOUR_MS]
    return int(len(young) == RING_EVENTS)


def _payers(request: Request, account: Account) -> set[int]:
    return {event.other for event in last(24 * HOUR_MS, request, account.receipts())}


MEANINGS = by_name(
    in_count_1h,
    in_count_24h,
    in_count_7d,
    in_sum_24h,
    in_payers_24h,
    in_new_payers_24h,
    in_new_payer_share_24h,
    pass_through_24h,
    minutes_in_to_out_24h,
    small_then_large_24h,
    quiet_days,
    in_saturated_24h,
)
"""Their features are named after the side, payer or payee."""
