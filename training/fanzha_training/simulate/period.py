"""The simulated days, and at which hours people do what."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from fanzha_training.simulate.calendar import free_days
from fanzha_training.simulate.plan import Bools, Floats, Ints

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
# Asia/Shanghai has kept one offset since 1991.
_UTC_OFFSET_MS: Final = 8 * HOUR_MS
_EPOCH: Final = date(1970, 1, 1)


def _profile(text: str) -> Floats:
    weights = np.array([float(weight) for weight in text.split()])
    return np.asarray(weights / weights.sum())


# Weights of the hours from midnight on.
WAKING: Final = _profile("1 .5 .2 .1 .1 .3 1 3 5 6 6 6 7 5 5 5 5 6 7 8 8 7 5 2")
SHOPPING: Final = _profile("1 .4 .1 .1 .1 .5 2 6 6 5 5 8 9 5 4 4 5 8 9 8 7 6 4 2")
NIGHT: Final = _profile("6 4 2 1 .2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 4 8 8")
OFFICE: Final = _profile("0 0 0 0 0 0 0 0 2 8 9 7 3 4 8 9 8 5 1 0 0 0 0 0")
COUNTER: Final = _profile("0 0 0 0 0 0 0 0 0 8 9 7 4 4 7 7 5 0 0 0 0 0 0 0")
LATE_NIGHT: Final = _profile("9 7 5 2 .5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 5 9")
CLOSING: Final = _profile("0 0 0 0 0 0 0 0 0 .5 1 1 .5 .5 1 3 8 9 3 0 0 0 0 0")
EVENING: Final = _profile("2 1 .2 0 0 0 0 0 0 1 1 1 2 2 1 1 2 3 5 8 9 9 8 5")


@dataclass(frozen=True, slots=True)
class Period:
    """Consecutive local days."""

    first: date
    days: int

    @property
    def first_day(self) -> int:
        """First day, in days since 1970-01-01."""
        return (self.first - _EPOCH).days

    @property
    def start_ms(self) -> int:
        """Local midnight at which the first day begins."""
        return self.first_day * DAY_MS - _UTC_OFFSET_MS

    @property
    def end_ms(self) -> int:
        """Local midnight at which the last day has ended."""
        return self.start_ms + self.days * DAY_MS

    def dates(self) -> list[date]:
        """Return the days."""
        return [self.first + timedelta(days=day) for day in range(self.days)]

    def date_of(self, day: int) -> date:
        """Return the date of a day by its position, which may lie outside the period."""
        return self.first + timedelta(days=day)

    def workdays(self) -> Ints:
        """Return the positions of the days on which people work."""
        return np.flatnonzero(~free_days(self.dates()))

    def times(self, rng: np.random.Generator, days: Ints, profile: Floats) -> Ints:
        """Return a time (ms) on each of the days (positions, may lie outside the period)."""
        hours = rng.choice(24, size=len(days), p=profile)
        within = rng.integers(0, HOUR_MS, size=len(days))
        return self.start_ms + np.asarray(days) * DAY_MS + hours * HOUR_MS + within

    def time(self, rng: np.random.Generator, day: int, profile: Floats) -> int:
        """Return one time (ms) on the day."""
        return int(self.times(rng, np.array([day]), profile)[0])

    def holds(self, times_ms: Ints) -> Bools:
        """Say of each time whether it lies in the period."""
        return (times_ms >= self.start_ms) & (times_ms < self.end_ms)
