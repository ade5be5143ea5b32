"""The spool as the pipeline sees it: what the store missed is sent again until it has it."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Final

from fanzha.adapters.kept import encode_report
from fanzha.adapters.spool import SpoolFile
from fanzha.adapters.spool_book import place_of
from fanzha.adapters.spool_frames import MARKED, RECORD, REPORT, SUPERSEDED
from fanzha.adapters.spool_queue import Settles
from fanzha.adapters.spool_store import SpoolStore
from fanzha.domain.errors import NotRecordedError, StoreUnavailableError
from fanzha.domain.ids import bucket_of_decision
from fanzha.domain.record import (
    DecisionRecord,
    ExecutionRecord,
    OutcomeRecord,
    Subject,
    WithdrawalRecord,
)
from fanzha.pipeline.ports import StoredRequest

log = logging.getLogger(__name__)

_PAUSE_S: Final = 0.5
_QUEUE_MAX: Final = 1_000
_Missed = tuple[int, DecisionRecord, bytes]


class ResendingSpool:
    """Meets the ports `Spool` and `ReportSpool`: the worker's file, and a thread that resends."""

    def __init__(self, file: SpoolFile, store: SpoolStore, now_ms: Callable[[], int]) -> None:
        self.file = file
        self.outage = store.outage
        self._store = store
        self._now_ms = now_ms
        self._missed: queue.Queue[_Missed | None] = queue.Queue(_QUEUE_MAX)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="resend", daemon=True)
        self.has_overflowed = False
        """Whether some records that the store misses are in the file alone, not in the queue."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_writable(self) -> bool:
        """Whether the disk took what it was last given; see the port."""
        return self.file.failure is None

    @property
    def failure(self) -> str:
        """Why the disk did not take what it was last given; empty when it did."""
        cause = self.file.failure
        return "" if cause is None else f"spool {self.file.folder}: {cause}"

    def append(
        self,
        decision_id: str,
        body: bytes,
        unmarked: int | None = None,
        entry: bytes | None = None,
    ) -> int:
        """Queue a record for the disk; see the port."""
        if entry is not None:
            about = bucket_of_decision(decision_id), place_of(entry)
            return self.file.append(MARKED + decision_id.encode() + body, waits=True, about=about)
        if unmarked is None:
            payload = RECORD + decision_id.encode() + body
            return self.file.append(payload, waits=True, wakes=False)
        return self.file.append(
            MARKED + decision_id.encode() + body, waits=True, settles=Settles(unmarked)
        )

    def write(self) -> None:
        """Have what was appended written; see the port."""
        self.file.wake()

    def keep(
        self,
        subject: Subject,
        record: ExecutionRecord | OutcomeRecord | WithdrawalRecord,
        entry: bytes,
    ) -> int:
        """Queue a report that the store holds for the disk; see the port."""
        bucket = bucket_of_decision(record.decision_id)
        payload = REPORT + encode_report(subject, record, entry)
        return self.file.append(payload, waits=True, about=(bucket, place_of(entry)))

    def wait(self, ticket: int, deadline_s: float | None) -> bool:
        """Return whether the record is on disk; see the port."""
        return self.file.tickets.wait(ticket, deadline_s)

    def confirm(self, ticket: int, decision_id: str, entry: bytes) -> None:
        """Note that the store holds the decision; see the port."""
        name = decision_id.encode()
        settles = Settles(ticket, bucket_of_decision(decision_id), place_of(entry))
        is_known = self.file.book.settle(settles.ticket, settles.bucket, settles.place)
        # On disk it only saves asking the store after a restart: it goes with what comes next.
        self.file.note(name + bytes((len(entry),)) + entry, None if is_known else settles)

    def supersede(self, ticket: int, decision_id: str) -> None:
        """Note that the decision is not answered; see the port."""
        try:
            self.file.append(SUPERSEDED + decision_id.encode(), settles=Settles(ticket))
        except NotRecordedError:
            self.file.book.settle(ticket)

    def tell(
        self,
        ticket: int,
        deadline_s: float,
        ready: Callable[[], None],
        late: Callable[[], None],
    ) -> None:
        """Have a function called when `wait` would not wait any more; see the port."""
        self.file.tickets.tell(ticket, deadline_s, ready, late)

    def send_later(self, ticket: int, record: DecisionRecord, body: bytes) -> StoredRequest | None:
        """Keep the record for the store until it is reachable again; see the port."""
        first = self.outage.keep(record)
        if first is not None:
            return first
        try:
            self._missed.put_nowait((ticket, record, body))
        except queue.Full:
            self.has_overflowed = True
        return None

    def is_idle(self) -> bool:
        """Say whether nothing is left to send but what may be in the file."""
        return self._missed.unfinished_tasks == 0

    def send(self, ticket: int, record: DecisionRecord, body: bytes, *, is_answered: bool) -> None:
        """Send a record to the store now, and note what became of it.

        Raises:
            StoreUnavailableError: Redis did not confirm.
        """
        decision_id = record.decision.decision_id
        sent = self._store.send(record, body, self._now_ms(), is_answered=is_answered)
        if sent is None:
            self.supersede(ticket, decision_id)
        else:
            self.confirm(ticket, decision_id, sent.entry)
            self.outage.settle(record, sent.standing)

    def close(self) -> None:
        """End the thread and close the file; what is missing is sent at the next start."""
        self._stop.set()
        if self._thread.is_alive():
            try:
                self._missed.put_nowait(None)
            except queue.Full:
                log.debug("the thread looks whether it is to stop before each record")
            self._thread.join(timeout=10)
        self.file.close()

    def _work(self) -> None:
        while (item := self._missed.get()) is not None:
            while not self._stop.is_set():
                try:
                    self.send(*item, is_answered=True)
                except StoreUnavailableError:
                    self._stop.wait(_PAUSE_S)
                    continue
                except Exception:
                    # It stays in the spool; the next start tries again.
                    log.exception("a spooled decision could not be sent to the store")
                break
            self._missed.task_done()
            if self._stop.is_set():
                return
