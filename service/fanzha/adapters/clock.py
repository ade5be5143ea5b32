"""Clocks: the wall's, and one that follows the events of a replayed file."""

import threading
import time


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def observe(self, event_time_ms: int) -> None:
        """Ignore events."""


class EventClock:
    """A clock that stands at the newest event seen, for replays and demos on isolated instances."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """Return the newest event's time, milliseconds since 1970 UTC."""
        return self._now_ms

    def observe(self, event_time_ms: int) -> None:
        """Move on to an event's time; never back."""
        if event_time_ms > self._now_ms:
            with self._lock:
                self._now_ms = max(self._now_ms, event_time_ms)
