"""Payer and payee: how long and how often the one has paid the other."""

from fractions import Fraction

from tests.oracle.history import Account
from tests.oracle.records import Request
from tests.oracle.time import DAY_MS, HOUR_MS, last
from tests.oracle.value import by_name


def pair_times_paid(request: Request, payer: Account) -> int | None:
    if request.payee_id is None:
        return None
    pair = payer.pairs.get(request.payee_id)
    return 0 if pair is None else pair.times


def pair_days_since_first(request: Request, payer: Account) -> Fraction | None:
    pair = None if request.payee_id is None else payer.pairs.get(request.payee_id)
    return None if pair is None else _days_since(request, pair.first_ms)


def pair_days_since_last(request: Request, payer: Account) -> Fraction | None:
    pair = None if request.payee_id is None else payer.pairs.get(request.payee_id)
    return None if pair is None else _days_since(request, pair.last_ms)


def pair_back_count_30d(request: Request, payer: Account) -> int | None:
    if request.payee_id is None:
        return None
    received = last(30 * DAY_MS, request, payer.receipts())
    return sum(event.other == request.payee_id for event in received)


def pair_attempts_24h(request: Request, payer: Account) -> int | None:
    if request.payee_id is None:
        return None
    attempts = last(24 * HOUR_MS, request, payer.attempts)
    return sum(event.other == request.payee_id for event in attempts)


def _days_since(request: Request, time_ms: int) -> Fraction:
    return max(Fraction(request.time_ms - time_ms, DAY_MS), Fraction(0))


MEANINGS = by_name(
    pair_times_paid,
    pair_days_since_first,
    pair_days_since_last,
    pair_back_count_30d,
    pair_attempts_24h,
)
