"""A circuit breaker: what does not answer is not asked again until a probe finds it well.

Closed, calls pass. A failure opens it: calls fail at once, which costs microseconds. The link's
keeper then probes, one try at a time, after a jittered pause that grows up to a bound; the first
good probe closes it. Calls never probe, so that no call pays for a dead server's time-out twice.
"""

import random
import threading
import time
from collections.abc import Callable

PAUSE_MIN_S = 0.05
PAUSE_MAX_S = 1.0
_GROWTH = 1.6
_JITTER = 0.5
_LATES_MAX = 5
_RELAPSE_S = 1.0


class Breaker:
    """The state of one server; read by all threads without a lock."""

    def __init__(
        self,
        on_open: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Begin closed.

        Args:
            on_open: told when it opens; must not block.
            monotonic: clock, in seconds.
            uniform: draws the jitter.
        """
        self.is_closed = True
        self.generation = 0
        """Counts openings and closings: a call that began before the last one proves nothing."""
        self.lates = 0
        """Calls in a row that could not open a connection in their time."""
        self.shorts = 0
        """Calls in a row that ended before anything could be said of the server."""
        self.opened = 0
        """How often it has opened."""
        self.cause = ""
        """What was wrong the last time, for messages."""
        self.probe_due_s = 0.0
        self._pause_s = PAUSE_MIN_S
        self._closed_at_s = float("-inf")
        self._on_open = on_open
        self._monotonic = monotonic
        self._uniform = uniform
        self._lock = threading.Lock()

    def failed(self, generation: int, cause: str) -> None:
        """Open, unless the failure belongs to a call that began before the last change."""
        with self._lock:
            if not self.is_closed or generation != self.generation:
                return
            now = self._monotonic()
            # Well for a moment only: go on with the pause that it had come to.
            if now - self._closed_at_s > _RELAPSE_S:
                self._pause_s = PAUSE_MIN_S
            self.generation += 1
            self.opened += 1
            self.cause = cause
            self.is_closed = False
            self._next_probe(now)
        self._on_open()

    def late(self, generation: int, cause: str) -> None:
        """Take note of a call that spent its time on opening a connection; several open it."""
        self.lates += 1
        if self.lates >= _LATES_MAX:
            self.failed(generation, cause)

    def short(self) -> bool:
        """Take note of a call that had less time than a server may take; return whether to look.

        Several in a row are a ground for the keeper to look for itself, but none to open: else one
        client with deadlines that nothing could keep would shut the server off from all others.
        """
        self.shorts += 1
        if self.shorts < _LATES_MAX:
            return False
        self.shorts = 0
        return True

    def probe_failed(self, cause: str) -> None:
        """Wait longer before the next probe."""
        with self._lock:
            self.cause = cause
            self._next_probe(self._monotonic())

    def probe_succeeded(self) -> None:
        """Close: calls pass again."""
        with self._lock:
            if not self.is_closed:
                self._closed_at_s = self._monotonic()
                self.lates = 0
                self.generation += 1
                self.is_closed = True

    def _next_probe(self, now_s: float) -> None:
        self.probe_due_s = now_s + self._pause_s * self._uniform(1 - _JITTER, 1 + _JITTER)
        self._pause_s = min(self._pause_s * _GROWTH, PAUSE_MAX_S)
