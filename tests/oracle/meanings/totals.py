"""Exact totals of clock hours and calendar days."""

from fractions import Fraction

from tests.oracle.history import Account
from tests.oracle.records import Request
from tests.oracle.sums import total
from tests.oracle.time import local_hour, today
from tests.oracle.totals import Period
from tests.oracle.value import by_name, ratio


def out_sum_hour(request: Request, payer: Account) -> int:
    return payer.hours[local_hour(request.time_ms, request.utc_offset_s)].paid.amount


def out_count_today(request: Request, payer: Account) -> int:
    return payer.days[today(request)].paid.count


def out_sum_today(request: Request, payer: Account) -> int:
    return payer.days[today(request)].paid.amount


def out_count_31d(request: Request, payer: Account) -> int:
    return sum(day.paid.count for day in _today_and_30_before(request, payer))


def out_sum_31d(request: Request, payer: Account) -> int:
    return total(day.paid.amount for day in _today_and_30_before(request, payer))


def out_days_31d(request: Request, payer: Account) -> int:
    return sum(day.paid.count > 0 for day in _30_before_today(request, payer))


def in_count_today(request: Request, account: Account) -> int:
    return account.days[today(request)].received.count


def in_sum_today(request: Request, account: Account) -> int:
    return account.days[today(request)].received.amount


def in_sum_31d(request: Request, account: Account) -> int:
    return total(day.received.amount for day in _today_and_30_before(request, account))


def in_days_31d(request: Request, account: Account) -> int:
    return sum(day.received.count > 0 for day in _30_before_today(request, account))


def pass_through_31d(request: Request, account: Account) -> Fraction | None:
    return ratio(out_sum_31d(request, account), in_sum_31d(request, account))


def _30_before_today(request: Request, account: Account) -> list[Period]:
    return [account.days[today(request) - ago] for ago in range(1, 31)]


def _today_and_30_before(request: Request, account: Account) -> list[Period]:
    return [account.days[today(request)], *_30_before_today(request, account)]


PAYER_MEANINGS = by_name(
    out_sum_hour,
    out_count_today,
    out_sum_today,
    out_count_31d,
    out_sum_31d,
    out_days_31d,
    in_sum_31d,
)
PAYEE_MEANINGS = by_name(in_count_today, in_sum_today, in_sum_31d, in_days_31d, pass_through_31d)
"""Their features are named after the payee."""
