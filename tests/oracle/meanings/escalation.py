"""Payments that grow, go to ever new payees, and empty the account."""

from fractions import Fraction

from tests.oracle.history import Account
from tests.oracle.records import Request
from tests.oracle.sums import total_of
from tests.oracle.time import DAY_MS, HOUR_MS, last
from tests.oracle.value import by_name, ratio


def out_rising_24h(request: Request, payer: Account) -> int:
    # The ring holds the last to arrive first, and sorting keeps the order of equals: of payments at
    # one time the one that arrived last comes first, so it is the later one.
    latest_first = sorted(
        last(24 * HOUR_MS, request, payer.payments()), key=lambda event: -event.time_ms
    )
    rising, next_amount = 0, request.amount_minor
    for event in latest_first:
        if event.amount_minor >= next_amount:
            break
        rising, next_amount = rising + 1, event.amount_minor
    return rising


def out_new_payees_24h(request: Request, payer: Account) -> int:
    paid = {event.other for event in last(24 * HOUR_MS, request, payer.payments())}
    start_ms = request.time_ms - DAY_MS
    before = {event.other for event in payer.payments() if event.time_ms < start_ms}
    return len(paid - before - {0})


def amount_over_least_24h(request: Request, payer: Account) -> Fraction | None:
    payments = last(24 * HOUR_MS, request, payer.payments())
    return ratio(request.amount_minor, min((event.amount_minor for event in payments), default=0))


def drained_24h(request: Request, payer: Account) -> Fraction | None:
    if request.balance_before_minor is None:
        return None
    paid = total_of(last(24 * HOUR_MS, request, payer.payments()))
    return ratio(paid + request.amount_minor, paid + request.balance_before_minor)


MEANINGS = by_name(out_rising_24h, out_new_payees_24h, amount_over_least_24h, drained_24h)
