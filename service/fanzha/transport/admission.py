"""Whether there is room for one more call: a limit that follows how long calls wait.

Calls that wait grow old without being served, and then all of them are late. So the number of calls
taken in at once follows the wait that it causes: it is cut when calls begin to wait longer than the
target, and grows again slowly while they do not (additive increase, multiplicative decrease, as TCP
does with its window).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_CUT: Final = 0.85
_PAUSE_S: Final = 0.1
"""After a cut, calls taken in before it must leave before their wait says something new."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the admission keeps to."""

    threads: int
    """Calls worked on at once; the limit never falls below."""
    calls_max: int
    """Calls worked on or waiting at once, at most."""
    target_s: float
    """A call may wait so long for its turn without the limit being cut, in seconds."""
    wait_max_s: float
    """One that waited longer is refused when its turn comes, in seconds."""


class Admission:
    """Counts calls that are in, and lets in as many as can be served in time."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        """Start wide open.

        Args:
            limits: what to keep to.
            monotonic: clock in seconds.
        """
        self._limits = limits
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._limit = float(limits.calls_max)
        self._in = 0
        self._cut_at = float("-inf")
        self.refused = 0
        """Calls that found no room, or waited too long, since the start."""

    @property
    def limit(self) -> int:
        """How many calls may be in at present."""
        return int(self._limit)

    @property
    def calls(self) -> int:
        """How many calls are in."""
        return self._in

    def has_room(self, stalled: int) -> bool:
        """Say whether one more call may come in; counts the refusal if not.

        Args:
            stalled: so many of the calls that are in wait for their own client, and need no room.
        """
        if self._in - stalled < self._limit:
            return True
        self.refused += 1
        return False

    def enter(self) -> None:
        """Count one call more."""
        with self._lock:
            self._in += 1

    def leave(self) -> None:
        """Count one call less."""
        with self._lock:
            self._in -= 1

    def is_in_time(self, waited_s: float) -> bool:
        """Say whether a call whose turn has come is still worth it; counts the refusal if not.

        Args:
            waited_s: how long it waited for its turn, in seconds.
        """
        self._learn(waited_s)
        if waited_s < self._limits.wait_max_s:
            return True
        with self._lock:
            self.refused += 1
        return False

    def _learn(self, waited_s: float) -> None:
        limits = self._limits
        if waited_s <= limits.target_s and self._limit >= limits.calls_max:
            return
        with self._lock:
            if waited_s <= limits.target_s:
                self._limit = min(float(limits.calls_max), self._limit + 1 / self._limit)
                return
            now = self._monotonic()
            if now - self._cut_at >= _PAUSE_S:
                self._cut_at = now
                # What is in at present is what made the wait; a limit far above it says nothing.
                self._limit = max(float(limits.threads), min(self._limit, self._in) * _CUT)
