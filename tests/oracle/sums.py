"""Sums of payments: one that would pass 2^63 - 1 stays there."""

from collections.abc import Iterable

from tests.oracle.records import Event

MOST = 2**63 - 1


def total(amounts: Iterable[int]) -> int:
    """Return the sum, or the most that there is."""
    return min(sum(amounts), MOST)


def total_of(events: Iterable[Event]) -> int:
    """Return the sum of the events' amounts."""
    return total(event.amount_minor for event in events)
