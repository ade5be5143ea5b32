"""Accounts that share a device, a phone or a person with one of the transfer's accounts."""

from decimal import Context, Decimal

from tests.oracle.history import Link, Seen
from tests.oracle.records import Request
from tests.oracle.time import DAY_MS, in_the_last
from tests.oracle.value import by_name

HALF_LIFE_MS = 30 * DAY_MS
_DIGITS = Context(prec=50)


def accounts(request: Request, link: Link, own: int) -> int:
    return len(_others(request, link, own))


def accounts_7d(request: Request, link: Link, own: int) -> int:
    others = _others(request, link, own)
    return sum(in_the_last(7 * DAY_MS, request, seen.first_ms) for seen in others)


def taint(request: Request, link: Link, own: int) -> Decimal:
    found = Decimal(0)
    for seen in _others(request, link, own):
        if seen.mule_since_ms is not None and seen.mule_since_ms < request.time_ms:
            age = _DIGITS.divide(request.time_ms - seen.mule_since_ms, HALF_LIFE_MS)
            found = _DIGITS.add(found, _DIGITS.power(2, -age))
    return found


def _others(request: Request, link: Link, own: int) -> list[Seen]:
    """Return the accounts first seen before, other than the transfer's own one."""
    return [
        seen
        for account, seen in link.accounts.items()
        if account != own and seen.first_ms < request.time_ms
    ]


MEANINGS = by_name(accounts, accounts_7d, taint)
"""Their features are named after the link."""
