"""What the pipeline needs of the worker's own file."""

from collections.abc import Callable
from typing import Protocol

from fanzha.domain.record import (
    DecisionRecord,
    ExecutionRecord,
    OutcomeRecord,
    Subject,
    WithdrawalRecord,
)
from fanzha.pipeline.ports import StoredRequest


class Spool(Protocol):
    """The worker's own append-only file."""

    @property
    def is_writable(self) -> bool:
        """Whether the disk took what it was last given."""
        ...

    def append(
        self,
        decision_id: str,
        body: bytes,
        unmarked: int | None = None,
        entry: bytes | None = None,
    ) -> int:
        """Queue a record for the disk and return its ticket; `write` has it written.

        Args:
            decision_id: the decision's id.
            body: its record.
            unmarked: ticket of the same decision's record without the mark JOURNAL; given, the
                decision may be answered on the strength of this record alone.
            entry: id of its journal entry; given, the store holds the record, and another
                worker may have given the answer.

        Raises:
            NotRecordedError: the disk refuses.
        """
        ...

    def write(self) -> None:
        """Have what was appended written: what is appended together shares one fsync."""
        ...

    def wait(self, ticket: int, deadline_s: float | None) -> bool:
        """Return whether the record is on disk; False: not before the deadline.

        Args:
            ticket: what `append` returned.
            deadline_s: instant of time.monotonic(); None waits for ever.

        Raises:
            NotRecordedError: the disk refused it.
        """
        ...

    def tell(
        self,
        ticket: int,
        deadline_s: float,
        ready: Callable[[], None],
        late: Callable[[], None],
    ) -> None:
        """Have a function called once `wait` would not wait any more, so that no thread has to.

        Args:
            ticket: what `append` returned.
            deadline_s: instant of time.monotonic().
            ready: called when the record is on disk, or the disk refused it; must be quick.
            late: called instead when neither was so before the deadline; must be quick.
        """
        ...

    def confirm(self, ticket: int, decision_id: str, entry: bytes) -> None:
        """Note that the store holds the decision under a journal entry: it is not sent again."""
        ...

    def supersede(self, ticket: int, decision_id: str) -> None:
        """Note that the decision is not answered: another one held its request id."""
        ...

    def send_later(self, ticket: int, record: DecisionRecord, body: bytes) -> StoredRequest | None:
        """Keep the record for the store until it is reachable again.

        Returns:
            None; or the answer that this worker has given to the same request id meanwhile: then
            nothing is kept, and that one is the answer.
        """
        ...


class ReportSpool(Protocol):
    """The worker's own file, for what is reported about decisions."""

    def keep(
        self,
        subject: Subject,
        record: ExecutionRecord | OutcomeRecord | WithdrawalRecord,
        entry: bytes,
    ) -> int:
        """Queue a report that the store holds for the disk and return its ticket.

        Raises:
            NotRecordedError: the disk refuses.
        """
        ...

    def wait(self, ticket: int, deadline_s: float | None) -> bool:
        """Return whether the report is on disk; see `Spool`."""
        ...
