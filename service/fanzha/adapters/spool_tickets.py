"""Which frames are on disk, by their tickets, and who waits for them."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from fanzha.adapters.spool_waiters import SpoolWaiters
from fanzha.domain.errors import NotRecordedError

_LOSSES_MAX: Final = 1_000


class SpoolTickets:
    """Told by the writer; asked by everybody."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiters = SpoolWaiters(time.monotonic)
        self._lost: deque[tuple[int, int]] = deque(maxlen=_LOSSES_MAX)
        self.safe = 0
        """All tickets up to this one are on disk, or lost."""

    def wait(self, ticket: int, deadline_s: float | None = None) -> bool:
        """Return whether the ticket's frame is on disk; False: not before the deadline.

        Args:
            ticket: names the frame.
            deadline_s: instant of time.monotonic(); None waits for ever.

        Raises:
            NotRecordedError: the disk refused it.
        """
        if ticket <= self.safe and not self._lost:
            return True
        with self._changed:
            while True:
                if any(after < ticket <= upto for after, upto in self._lost):
                    raise NotRecordedError("the spool could not be written")
                if ticket <= self.safe:
                    return True
                left_s = None if deadline_s is None else deadline_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return False
                self._changed.wait(left_s)

    def tell(
        self,
        ticket: int,
        deadline_s: float,
        ready: Callable[[], None],
        late: Callable[[], None],
    ) -> None:
        """Have one of two functions called, on a thread of their own or at once.

        Args:
            ticket: names the frame.
            deadline_s: instant of time.monotonic().
            ready: called when the frame is on disk; must be quick.
            late: called when the disk refused it, or the deadline comes first; must be quick.
        """
        self._waiters.add(ticket, deadline_s, ready, late)

    def wrote(self, upto: int) -> None:
        """Say that all tickets up to one are on disk."""
        with self._changed:
            self.safe = upto
            self._changed.notify_all()
        self._waiters.settled(upto)

    def refused(self, upto: int) -> None:
        """Say that the disk refused all tickets up to one that are not on it."""
        with self._changed:
            self._lost.append((self.safe, upto))
            self.safe = upto
            self._changed.notify_all()
        self._waiters.lost(upto)

    def close(self) -> None:
        """Tell who still waits that it is late."""
        self._waiters.close()
