"""How a soak is played."""

from dataclasses import dataclass
from typing import Final

from fanzha_loadtest.profile.profile import Profile

_RATE_WINDOWS: Final = 3
"""A journal may hold what comes in so many rounds of the archiver."""


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes and lengths of one soak."""

    seconds: float
    rate: float
    """Decisions a second."""
    accounts: int
    """Customers: so few that their state is full before the warm-up ends."""
    warm_up_s: float
    """Left out of all slopes: rings and windows fill up, caches warm up."""
    every_s: float
    """Seconds between two samples, and length of one interval of latency."""
    window_s: int
    """Idempotency window of the service; answers leave Redis after it."""
    round_rows: int
    round_s: float
    """An archiver's round moves so many records, or comes after so long."""
    judges_growth: bool
    """Whether slopes and the archiver's pace count: a run of seconds would extrapolate noise."""

    def profile(self) -> Profile:
        """Return the traffic of it as a profile with one phase."""
        return Profile.model_validate(
            {
                "about": "A steady load.",
                "bank": {"accounts": self.accounts, "skew": 0.5, "collecting": 8, "mules": 4},
                "outcomes": 0.02,
                "phases": [
                    {"name": "soak", "seconds": self.seconds, "rate": self.rate, "fraud": 0.002}
                ],
                "pass": {},
            }
        )

    @property
    def repeatable(self) -> int:
        """Of so many newest answers one is repeated: all of them lie well within the window."""
        return max(1, int(self.rate * self.window_s / 4))

    def journal_max(self, rows_per_s: float) -> float:
        """Return how many records may wait for the archiver when so many come a second."""
        return _RATE_WINDOWS * max(self.round_rows, rows_per_s * self.round_s)


def full(seconds: float, rate: float) -> Options:
    """Return a soak of minutes to days."""
    return Options(
        seconds=seconds,
        rate=rate,
        accounts=max(50, int(rate * 2)),
        warm_up_s=min(600.0, seconds * 0.3),
        every_s=max(2.0, min(30.0, seconds / 200)),
        window_s=20,
        round_rows=20_000,
        round_s=15.0,
        judges_growth=True,
    )


def fast(seconds: float, rate: float) -> Options:
    """Return a soak of seconds, which shows that everything is there, and no slow growth."""
    return Options(
        seconds=seconds,
        rate=rate,
        accounts=50,
        warm_up_s=seconds * 0.4,
        every_s=0.5,
        window_s=4,
        round_rows=500,
        round_s=1.0,
        judges_growth=False,
    )
