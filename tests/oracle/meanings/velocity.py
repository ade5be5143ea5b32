"""How often and how much the payer has paid, from the ring of payments out."""

from fractions import Fraction

from tests.oracle.history import RING_EVENTS, Account
from tests.oracle.records import Request
from tests.oracle.sums import total_of
from tests.oracle.time import DAY_MS, HOUR_MS, MINUTE_MS, last
from tests.oracle.value import by_name, ratio


def out_count_10m(request: Request, payer: Account) -> int:
    return len(last(10 * MINUTE_MS, request, payer.payments()))


def out_count_1h(request: Request, payer: Account) -> int:
    return len(last(HOUR_MS, request, payer.payments()))


def out_count_24h(request: Request, payer: Account) -> int:
    return len(last(24 * HOUR_MS, request, payer.payments()))


def out_count_7d(request: Request, payer: Account) -> int:
    return len(last(7 * DAY_MS, request, payer.payments()))


def out_count_30d(request: Request, payer: Account) -> int:
    return len(last(30 * DAY_MS, request, payer.payments()))


def out_sum_1h(request: Request, payer: Account) -> int:
    return total_of(last(HOUR_MS, request, payer.payments()))


def out_sum_24h(request: Request, payer: Account) -> int:
    return total_of(last(24 * HOUR_MS, request, payer.payments()))


def out_sum_7d(request: Request, payer: Account) -> int:
    return total_of(last(7 * DAY_MS, request, payer.payments()))


def out_payees_24h(request: Request, payer: Account) -> int:
    return len({event.other for event in last(24 * HOUR_MS, request, payer.payments())})


def out_payees_7d(request: Request, payer: Account) -> int:
    return len({event.other for event in last(7 * DAY_MS, request, payer.payments())})


def out_mean_30d(request: Request, payer: Account) -> Fraction | None:
    payments = last(30 * DAY_MS, request, payer.payments())
    return ratio(total_of(payments), len(payments))


def amount_over_max_30d(request: Request, payer: Account) -> Fraction | None:
    payments = last(30 * DAY_MS, request, payer.payments())
    largest = max((event.amount_minor for event in payments), default=0)
    return ratio(request.amount_minor, largest)


def amount_over_mean_30d(request: Request, payer: Account) -> Fraction | None:
    mean = out_mean_30d(request, payer)
    return None if mean is None else request.amount_minor / mean


def minutes_since_out(request: Request, payer: Account) -> Fraction | None:
    earlier = [event.time_ms for event in payer.payments() if event.time_ms < request.time_ms]
    return Fraction(request.time_ms - max(earlier), MINUTE_MS) if earlier else None


def out_restrained_24h(request: Request, payer: Account) -> int:
    return sum(event.restrained for event in last(24 * HOUR_MS, request, payer.attempts))


def out_saturated_7d(request: Request, payer: Account) -> int:
    young = [event for event in payer.attempts if request.time_ms - event.time_ms < 7 * DAY_MS]
    return int(len(young) == RING_EVENTS)


MEANINGS = by_name(
    out_count_10m,
    out_count_1h,
    out_count_24h,
    out_count_7d,
    out_count_30d,
    out_sum_1h,
    out_sum_24h,
    out_sum_7d,
    out_payees_24h,
    out_payees_7d,
    out_mean_30d,
    amount_over_max_30d,
    amount_over_mean_30d,
    minutes_since_out,
    out_restrained_24h,
    out_saturated_7d,
)
