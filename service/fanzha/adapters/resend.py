"""The spool as the pipeline sees it: what the store missed is sent again until it has it."""

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from fanzha.adapters.codec import decode_record
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.spool import (
    CONFIRMED,
    DECISION,
    SUPERSEDED,
    SpoolFile,
    noted,
    read_frames,
    unlocked_segments,
)
from fanzha.domain.errors import NotRecordedError, StoreUnavailableError
from fanzha.domain.record import DecisionRecord
from fanzha.pipeline.ports import ConflictJournal

log = logging.getLogger(__name__)

_PAUSE_S = 0.5


class ResendingSpool:
    """Meets the port `Spool`: the worker's file, and a thread that sends what the store missed."""

    def __init__(
        self,
        file: SpoolFile,
        journal: ConflictJournal,
        now_ms: Callable[[], int],
        outage: OutageMemory,
    ) -> None:
        self._file = file
        self._journal = journal
        self._now_ms = now_ms
        self._outage = outage
        self._missed: queue.SimpleQueue[tuple[DecisionRecord, bytes] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="resend", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_writable(self) -> bool:
        """Whether the disk took what it was last given; see the port."""
        return self._file.failure is None

    def append(self, body: bytes) -> int:
        """Queue a record for the disk; see the port."""
        return self._file.append(DECISION + body)

    def wait(self, ticket: int) -> None:
        """Return once the record is on disk; see the port."""
        self._file.wait(ticket)

    def confirm(self, decision_id: str) -> None:
        """Note that the store holds the decision."""
        self._note(CONFIRMED, decision_id)

    def supersede(self, decision_id: str) -> None:
        """Note that the decision is not answered: another one held its request id."""
        self._note(SUPERSEDED, decision_id)

    def _note(self, kind: bytes, decision_id: str) -> None:
        try:
            self._file.append(kind + decision_id.encode())
        except NotRecordedError:
            # The note only saves work: without it the record is sent once more and changes nothing.
            log.debug("a note could not be spooled")

    def send_later(self, record: DecisionRecord, body: bytes) -> None:
        """Send the record to the store when it is reachable again."""
        self._outage.keep(record)
        self._missed.put((record, body))

    def close(self) -> None:
        """End the thread and close the file; what is missing is sent at the next start."""
        self._stop.set()
        self._missed.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._file.close()

    def _work(self) -> None:
        while (item := self._missed.get()) is not None:
            record, body = item
            while not self._stop.is_set():
                try:
                    committed = self._journal.commit(record, body, self._now_ms())
                    if committed.first is not None:
                        self._journal.keep_conflict(record, body)
                except StoreUnavailableError:
                    self._stop.wait(_PAUSE_S)
                    continue
                except Exception:
                    # It stays in the spool; the next start tries again.
                    log.exception("a spooled decision could not be sent to the store")
                    break
                self.confirm(record.decision.decision_id)
                self._outage.forget(record)
                break
            if self._stop.is_set():
                return


def left_behind(folder: Path) -> list[tuple[DecisionRecord, bytes]]:
    """Return the records of earlier workers' segments that the store has not confirmed."""
    records: dict[str, tuple[DecisionRecord, bytes]] = {}
    done = noted(folder, CONFIRMED, SUPERSEDED)
    for segment in unlocked_segments(folder):
        for payload in read_frames(segment):
            if payload[:1] != DECISION:
                continue
            try:
                record = decode_record(payload[1:])
            except msgspec.DecodeError:
                log.exception("a spooled record cannot be read: %s", segment)
                continue
            if record.decision.decision_id not in done:
                records[record.decision.decision_id] = (record, payload[1:])
    return list(records.values())
