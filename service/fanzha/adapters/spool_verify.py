"""Asks Redis whether it still knows a segment's records, and sends again what it does not know."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from fanzha.adapters.kept import KeptReport, decode_report
from fanzha.adapters.resend import ResendingSpool
from fanzha.adapters.spool_book import NOWHERE, VOID, WAITS, Place, Segment, place_of
from fanzha.adapters.spool_contents import Contents, Spooled, body_at, contents_of, record_at
from fanzha.adapters.spool_store import SpoolStore
from fanzha.domain.ids import bucket_of_decision, time_ms_of_decision

log = logging.getLogger(__name__)

_BATCH: Final = 500
T = TypeVar("T")
_DECISION_WAIT_S: Final = 2.0
_LOOK_S: Final = 0.05
_ON_THEIR_WAY_S: Final = 5.0
"""Longer than a decision waits for its record."""
_Known = tuple[str, Spooled, Place]


class Verifier:
    """Goes through the closed segments of a worker."""

    def __init__(
        self,
        spool: ResendingSpool,
        store: SpoolStore,
        now_ms: Callable[[], int],
        stop: threading.Event,
    ) -> None:
        self._spool = spool
        self._book = spool.file.book
        self._store = store
        self._now_ms = now_ms
        self._stop = stop
        self._on_their_way: list[tuple[Segment, _Known]] = []
        """What was neither confirmed nor given up when it was looked at."""

    def verify(self, buckets: set[int], emptied: set[int], *, sends_waiting: bool) -> None:
        """Have Redis hold every record of some buckets that closed segments hold.

        Args:
            buckets: those that Redis may have forgotten something of.
            emptied: those that it knew nothing of.
            sends_waiting: whether records that were never confirmed are sent from here.

        Raises:
            StoreUnavailableError: Redis went away; to be done again.
        """
        before: tuple[Segment, Contents] | None = None
        self._on_their_way = []
        reports: list[tuple[Segment, Spooled]] = []
        for segment in [*self._book.closed(), None]:
            contents = self._contents(segment) if segment is not None else None
            if before is not None:
                self._decisions(*before, contents, buckets, emptied, sends_waiting=sends_waiting)
                reports += [(before[0], one) for one in before[1].reports]
            if segment is not None and contents is not None:
                before = segment, contents
            elif segment is not None:
                before = None
            if self._stop.is_set():
                return
        self._wait_for_those_on_their_way()
        # After all decisions: a report changes what its decision left behind.
        for some in _batches(reports, _BATCH):
            self._reports(some, buckets)

    @staticmethod
    def _contents(segment: Segment) -> Contents | None:
        try:
            return contents_of(segment.path)
        except FileNotFoundError:
            return None

    def _decisions(
        self,
        segment: Segment,
        contents: Contents,
        after: Contents | None,
        buckets: set[int],
        emptied: set[int],
        *,
        sends_waiting: bool,
    ) -> None:
        now_ms = self._now_ms()
        asked: list[_Known] = []
        for decision_id, spooled in contents.decisions.items():
            bucket = bucket_of_decision(decision_id)
            state = segment.waiting[spooled.index]
            if state == WAITS and sends_waiting:
                self._send(segment, spooled, is_answered=spooled.is_marked)
            elif state == WAITS and bucket in buckets and not self._spool.has_overflowed:
                # Else all are gone through once more, when the queue is empty.
                self._on_their_way.append((segment, (decision_id, spooled, NOWHERE)))
            elif state not in (WAITS, VOID) and bucket in buckets:
                place = contents.confirmed.get(decision_id, NOWHERE)
                if after is not None:
                    place = max(place, after.confirmed.get(decision_id, NOWHERE))
                age_ms = now_ms - time_ms_of_decision(decision_id)
                if bucket in emptied or age_ms < self._store.marker_life_ms:
                    asked.append((decision_id, spooled, place))
                else:
                    self._book.settle(segment.first + spooled.index, bucket, place)
        for some in _batches(asked, _BATCH):
            self._ask(segment, some)

    def _wait_for_those_on_their_way(self) -> None:
        """Ask for what Redis may have confirmed and forgotten before it was noted here."""
        until_s = time.monotonic() + _ON_THEIR_WAY_S
        left = self._on_their_way
        while left and not self._stop.is_set():
            still = []
            for segment, known in left:
                state = segment.waiting[known[1].index]
                if state == WAITS:
                    still.append((segment, known))
                elif state != VOID:
                    self._ask(segment, [known])
            left = still
            if time.monotonic() >= until_s:
                # The queue holds these; it sends them to the Redis of then.
                return
            if left:
                self._stop.wait(_LOOK_S)

    def _ask(self, segment: Segment, some: Sequence[_Known]) -> None:
        entries = self._store.entries([decision_id for decision_id, _, _ in some])
        for (decision_id, spooled, place), entry in zip(some, entries, strict=True):
            if entry is None:
                self._send(segment, spooled, is_answered=True)
            else:
                # Markers of earlier versions name no entry.
                held = place_of(entry) if place_of(entry) != NOWHERE else place
                ticket = segment.first + spooled.index
                self._book.settle(ticket, bucket_of_decision(decision_id), held)

    def _send(self, segment: Segment, spooled: Spooled, *, is_answered: bool) -> None:
        try:
            record, body = record_at(segment.path, spooled.at)
        except (OSError, msgspec.DecodeError):
            log.exception("a spooled record cannot be read: %s at %d", segment.path, spooled.at)
            segment.is_kept = True
            return
        self._spool.send(segment.first + spooled.index, record, body, is_answered=is_answered)

    def _reports(self, some: Sequence[tuple[Segment, Spooled]], buckets: set[int]) -> None:
        reports = [
            (segment, spooled, kept)
            for segment, spooled, kept in self._read(some)
            if bucket_of_decision(kept.record.decision_id) in buckets
        ]
        ids = [kept.record.decision_id for _, _, kept in reports]
        if any(entry is None for entry in self._store.entries(ids)):
            # Their decisions may be in other workers' spools, and on their way.
            self._stop.wait(_DECISION_WAIT_S)
        for segment, spooled, kept in reports:
            entry = self._store.report(kept.subject, kept.record)
            bucket = bucket_of_decision(kept.record.decision_id)
            self._book.settle(segment.first + spooled.index, bucket, place_of(entry))

    def _read(
        self, some: Sequence[tuple[Segment, Spooled]]
    ) -> Iterator[tuple[Segment, Spooled, KeptReport]]:
        for segment, spooled in some:
            try:
                kept = decode_report(body_at(segment.path, spooled.at))
            except FileNotFoundError:
                continue
            except (OSError, msgspec.DecodeError):
                log.exception("a spooled report cannot be read: %s", segment.path)
                segment.is_kept = True
                continue
            yield segment, spooled, kept


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
