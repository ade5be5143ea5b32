"""How many calls a client may make: a bucket of permits that fills at its rate."""

import threading
from collections.abc import Callable


class Bucket:
    """Permits of one client; safe to take from in any thread."""

    __slots__ = ("_burst", "_level", "_lock", "_monotonic", "_since", "rate_per_s")

    def __init__(self, rate_per_s: float, burst: int, monotonic: Callable[[], float]) -> None:
        """Begin full.

        Args:
            rate_per_s: permits that come back each second.
            burst: permits that it holds when full.
            monotonic: clock in seconds.
        """
        self.rate_per_s = rate_per_s
        self._burst = burst
        self._monotonic = monotonic
        self._level = float(burst)
        self._since = monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take a permit and return 0, or return after how many seconds there is one again."""
        with self._lock:
            self._fill()
            # Sums of fractions fall short of the whole by a hair.
            if self._level < 1 - 1e-9:
                return (1 - self._level) / self.rate_per_s
            self._level -= 1
            return 0.0

    def owe(self, permits: int) -> None:
        """Take more permits than may be there; later calls wait until they have come back."""
        with self._lock:
            self._fill()
            self._level -= permits

    def _fill(self) -> None:
        now = self._monotonic()
        self._level = min(self._burst, self._level + (now - self._since) * self.rate_per_s)
        self._since = now


class Buckets:
    """One bucket for each client that has a limit."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, int, Bucket]] = {}

    def of(self, name: str, rate_per_s: float, burst: int) -> Bucket:
        """Return a client's bucket; another rate than before begins a new one."""
        known = self._buckets.get(name)
        if known is not None and known[:2] == (rate_per_s, burst):
            return known[2]
        bucket = Bucket(rate_per_s, burst, self._monotonic)
        # Of two threads that come first at once, one bucket stays.
        self._buckets[name] = (rate_per_s, burst, bucket)
        return self._buckets[name][2]
