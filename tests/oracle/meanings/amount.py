"""The amount, and what it leaves of the balance."""

from fractions import Fraction

from tests.oracle.records import Request
from tests.oracle.value import by_name


def amount_minor(request: Request) -> int:
    return request.amount_minor


def amount_trailing_zeros(request: Request) -> int:
    digits = str(request.amount_minor)
    return len(digits) - len(digits.rstrip("0"))


def balance_share(request: Request) -> Fraction | None:
    balance = request.balance_before_minor
    if balance is None or balance <= 0:
        return None
    return Fraction(request.amount_minor, balance)


def balance_left_minor(request: Request) -> int | None:
    balance = request.balance_before_minor
    return None if balance is None else balance - request.amount_minor


MEANINGS = by_name(amount_minor, amount_trailing_zeros, balance_share, balance_left_minor)
