"""Latency of each interval of a long run, and what ended in it."""

import time
from dataclasses import dataclass, field

from hdrh.histogram import HdrHistogram

from fanzha_loadtest.driver import a_histogram
from fanzha_loadtest.http2 import OK


@dataclass(frozen=True, slots=True)
class Interval:
    """What ended within some seconds."""

    time_s: float
    """Its end, seconds since 1970 UTC."""
    answered: int
    failed: int
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Intervals:
    """Collects the ends of calls, and closes an interval every few seconds."""

    every_s: float
    closed: list[Interval] = field(default_factory=list)
    _histogram: HdrHistogram = field(default_factory=a_histogram)
    _failed: int = 0
    _due_s: float = 0.0

    def took(self, status: int, spent_us: int) -> None:
        """Take the end of a call."""
        now = time.time()
        if not self._due_s:
            self._due_s = now + self.every_s
        elif now >= self._due_s:
            self._close(now)
        if status == OK:
            self._histogram.record_value(spent_us)
        else:
            self._failed += 1

    def _close(self, now: float) -> None:
        seen = self._histogram
        self.closed.append(
            Interval(
                time_s=now,
                answered=int(seen.get_total_count()),
                failed=self._failed,
                p50_ms=seen.get_value_at_percentile(50) / 1000,
                p99_ms=seen.get_value_at_percentile(99) / 1000,
            )
        )
        seen.reset()
        self._failed = 0
        self._due_s = now + self.every_s
