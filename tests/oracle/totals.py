"""Exact totals: what was paid and received in each local hour, or day."""

from dataclasses import dataclass, replace

from tests.oracle.sums import total


@dataclass(frozen=True)
class Total:
    """How many times and how much."""

    count: int = 0
    amount: int = 0

    def with_one_more(self, amount: int) -> "Total":
        return Total(self.count + 1, total((self.amount, amount)))

    def with_one_less(self, amount: int) -> "Total":
        return Total(max(self.count - 1, 0), max(self.amount - amount, 0))


@dataclass(frozen=True)
class Period:
    """One hour or day of an account."""

    paid: Total = Total()
    received: Total = Total()


class Totals:
    """The newest periods in which something was paid or received."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._periods: dict[int, Period] = {}

    def __getitem__(self, number: int) -> Period:
        """Return a period; nothing was paid in one that is not kept."""
        return self._periods.get(number, Period())

    def newest_first(self) -> list[tuple[int, Period]]:
        """Return the kept periods with their numbers."""
        return sorted(self._periods.items(), reverse=True)

    def count_paid(self, number: int, amount: int) -> None:
        self._count(number, replace(self[number], paid=self[number].paid.with_one_more(amount)))

    def count_received(self, number: int, amount: int) -> None:
        received = self[number].received.with_one_more(amount)
        self._count(number, replace(self[number], received=received))

    def take_back_paid(self, number: int, amount: int) -> None:
        if number in self._periods:
            paid = self[number].paid.with_one_less(amount)
            self._periods[number] = replace(self[number], paid=paid)

    def take_back_received(self, number: int, amount: int) -> None:
        if number in self._periods:
            received = self[number].received.with_one_less(amount)
            self._periods[number] = replace(self[number], received=received)

    def _count(self, number: int, period: Period) -> None:
        self._periods[number] = period
        # One that is older than all the others is itself what is not kept.
        self._periods = dict(self.newest_first()[: self._kept])
