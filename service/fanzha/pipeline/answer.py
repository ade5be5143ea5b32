"""Decisions on their way out: they may have to wait for the disk, but not on a thread."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from fanzha.domain.decision import Decision
from fanzha.domain.errors import NotRecordedError
from fanzha.pipeline.spool_ports import Spool


class Answer(Protocol):
    """A decision that may have to wait for the disk."""

    def when_ready(self, ready: Callable[[], None], late: Callable[[], None]) -> None:
        """Have one of two functions called, on any thread, maybe at once.

        Args:
            ready: called when `finish` would not wait any more; must be quick.
            late: called instead when the disk is late: `finish` may take a while.
        """
        ...

    def finish(self) -> Decision:
        """Return the decision to answer, once it is on record.

        Raises:
            RequestIdReusedError: another body came first under the same request id.
            NotRecordedError: neither place took it in time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Repeated:
    """An answer that was given before, on its way to this worker's own spool."""

    answer: Decision
    spool: Spool
    ticket: int | None
    deadline_s: float

    def when_ready(self, ready: Callable[[], None], late: Callable[[], None]) -> None:
        """Have one of two functions called; see `Answer`."""
        if self.ticket is None:
            ready()
        else:
            self.spool.tell(self.ticket, self.deadline_s, ready, late)

    def finish(self) -> Decision:
        """Return the answer; a disk that refuses or is late is not waited for."""
        with suppress(NotRecordedError):
            if self.ticket is not None:
                self.spool.wait(self.ticket, self.deadline_s)
        return self.answer
