"""Who waits for the disk without a thread: they are called when their record is safe, or late."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

log = logging.getLogger(__name__)

_LOOK_S: Final = 0.02
"""Looks this often also when nobody waits: so who comes need not wake the thread."""
_STOP_S: Final = 10.0


@dataclass(slots=True)
class _Waiter:
    ticket: int
    deadline_s: float
    ready: Callable[[], None]
    late: Callable[[], None]


class SpoolWaiters:
    """A thread that calls whoever waits for a ticket."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Start the thread.

        Args:
            monotonic: clock in seconds.
        """
        self._monotonic = monotonic
        self._changed = threading.Condition(threading.Lock())
        self._waiting: list[_Waiter] = []
        self._upto = 0
        self._looks_at_s = 0.0
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="answers", daemon=True)
        self._thread.start()

    def add(
        self,
        ticket: int,
        deadline_s: float,
        ready: Callable[[], None],
        late: Callable[[], None],
    ) -> None:
        """Have one of two functions called, on this thread or at once; both must be quick.

        Args:
            ticket: what is waited for.
            deadline_s: instant of the monotonic clock, in seconds.
            ready: called when all tickets up to this one are settled.
            late: called instead when the deadline comes first.
        """
        with self._changed:
            is_settled = ticket <= self._upto
            if not is_settled:
                self._waiting.append(_Waiter(ticket, deadline_s, ready, late))
                if deadline_s < self._looks_at_s:
                    self._changed.notify()
        if is_settled:
            ready()

    def settled(self, upto: int) -> None:
        """Say that all tickets up to one are on disk."""
        with self._changed:
            self._upto = upto
            if self._waiting:
                self._changed.notify()

    def lost(self, upto: int) -> None:
        """Say that the disk refused all tickets up to one that were not settled before."""
        with self._changed:
            self._upto = upto
            for one in self._waiting:
                if one.ticket <= upto:
                    # What to do about it takes a while.
                    one.ready = one.late
            self._changed.notify()

    def close(self) -> None:
        """Call those that still wait as late, and end the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout=_STOP_S)

    def _work(self) -> None:
        while True:
            for call in self._due():
                try:
                    call()
                except Exception:
                    log.exception("an answer that waited for the disk could not be given")
            if self._is_closing and not self._waiting:
                return

    def _due(self) -> list[Callable[[], None]]:
        """Return whom to call now; waits for somebody, for a while."""
        with self._changed:
            due = self._take(self._monotonic())
            if due or self._is_closing:
                return due
            now_s = self._monotonic()
            first_s = min((one.deadline_s for one in self._waiting), default=now_s + _LOOK_S)
            self._looks_at_s = min(first_s, now_s + _LOOK_S)
            self._changed.wait(max(0.0, self._looks_at_s - now_s))
            return self._take(self._monotonic())

    def _take(self, now_s: float) -> list[Callable[[], None]]:
        upto, rest, due = self._upto, [], []
        for one in self._waiting:
            if one.ticket <= upto:
                due.append(one.ready)
            elif one.deadline_s <= now_s or self._is_closing:
                due.append(one.late)
            else:
                rest.append(one)
        self._waiting = rest
        return due
