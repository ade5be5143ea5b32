"""Ends calls whose client owes a message and does not send it (slow-loris).

Such a call costs its client nothing and the server a thread. It is ended after a time; and where
many stall at once, the oldest are ended early, so that the others find a thread.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

_TICK_S: Final = 0.1
_STALLED_S: Final = 0.5
"""An honest client's message comes with its call, or a round trip later."""


class Cancellable(Protocol):
    """A call that can be ended."""

    def cancel(self) -> object:
        """End the call."""
        ...


class Patience:
    """Knows which calls wait for their client, and for how long."""

    def __init__(self, stalled_max: int, monotonic: Callable[[], float]) -> None:
        """Start the thread that looks after the calls.

        Args:
            stalled_max: so many stalled calls are waited for; of more, the oldest are ended.
            monotonic: clock in seconds.
        """
        self._stalled_max = stalled_max
        self._monotonic = monotonic
        self._waiting: dict[int, tuple[float, float, Cancellable]] = {}
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="patience", daemon=True)
        self._thread.start()
        self.stalled = 0
        """Calls that have waited for their client for a while, as of the last look."""
        self.ended = 0
        """Calls that were ended since the start."""

    @contextmanager
    def waiting(self, call: Cancellable, limit_s: float) -> Iterator[None]:
        """Wait for the client within; the call is ended when it takes longer than the limit."""
        number = self.begin(call, limit_s)
        try:
            yield
        finally:
            self.end(number)

    def begin(self, call: Cancellable, limit_s: float) -> int:
        """Begin to wait for a call's client, at most so many seconds; return the wait's name."""
        number, now = next(self._numbers), self._monotonic()
        self._waiting[number] = (now, now + limit_s, call)
        return number

    def end(self, wait: int) -> None:
        """Say that the client did what was waited for, or that it does not count any more."""
        self._waiting.pop(wait, None)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while not self._stop.wait(_TICK_S):
            self.look()

    def look(self) -> None:
        """End the calls that waited for too long."""
        now = self._monotonic()
        # A copy: calls come and go meanwhile. The oldest come first.
        waiting = list(self._waiting.items())
        stalled = [(n, x) for n, x in waiting if now - x[0] > _STALLED_S]
        too_many = max(0, len(stalled) - self._stalled_max)
        ended = [n for n, x in stalled[:too_many]]
        ended += [n for n, x in stalled[too_many:] if now >= x[1]]
        for number in ended:
            entry = self._waiting.pop(number, None)
            if entry is not None:
                entry[2].cancel()
                self.ended += 1
        self.stalled = len(stalled) - len(ended)
