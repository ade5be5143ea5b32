"""The amount against what the payer usually pays."""

from fractions import Fraction

from tests.oracle.history import Account
from tests.oracle.records import Request
from tests.oracle.time import DAY_MS, last
from tests.oracle.value import by_name, ratio


def out_median_30d(request: Request, payer: Account) -> int | None:
    amounts = _amounts(request, payer)
    return amounts[(len(amounts) - 1) // 2] if amounts else None


def amount_over_median_30d(request: Request, payer: Account) -> Fraction | None:
    median = out_median_30d(request, payer)
    return None if median is None else ratio(request.amount_minor, median)


def amount_rank_30d(request: Request, payer: Account) -> Fraction | None:
    amounts = _amounts(request, payer)
    return ratio(sum(amount < request.amount_minor for amount in amounts), len(amounts))


def out_large_7d(request: Request, payer: Account) -> int:
    median = out_median_30d(request, payer)
    if median is None:
        return 0
    recent = last(7 * DAY_MS, request, payer.payments())
    return sum(event.amount_minor > 3 * median for event in recent)


def _amounts(request: Request, payer: Account) -> list[int]:
    """Return the amounts of 30 days, the smallest first."""
    return sorted(event.amount_minor for event in last(30 * DAY_MS, request, payer.payments()))


MEANINGS = by_name(out_median_30d, amount_over_median_30d, amount_rank_30d, out_large_7d)
