"""Looks after the segments of a worker: sends again what Redis lost, drops what the archive holds.

One thread does both, one after the other: while records of a bucket are being looked for, no
segment goes. That Redis may have forgotten something shows in a bucket's epoch, which is read
together with the archive's cursor, so that no cursor is believed that belongs to another past.
"""

import fcntl
import logging
import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from fanzha.adapters.clock import SystemClock
from fanzha.adapters.resend import ResendingSpool
from fanzha.adapters.spool import SpoolFile
from fanzha.adapters.spool_book import WAITS, Place, Segment
from fanzha.adapters.spool_contents import Contents, contents_of, record_at
from fanzha.adapters.spool_frames import SUFFIX, cut_torn, survey
from fanzha.adapters.spool_queue import SpoolLimits
from fanzha.adapters.spool_store import Cursor, SpoolStore
from fanzha.adapters.spool_verify import Verifier
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS

log = logging.getLogger(__name__)

_POLL_S: Final = 2.0
_FREE_SHARE: Final = 10
"""Of the disk a tenth stays free of segments that the archive holds."""
_STRAGGLERS_S: Final = 5.0
"""So long after a look the records are looked for once more. What another process confirmed just
before it was left may reach the spool just after the look, as if it were safe."""
_AHEAD: Final = 4
"""So many segments after one are looked through for notes about it."""


class SpoolKeeper:
    """A thread of the worker."""

    def __init__(self, spool: ResendingSpool, store: SpoolStore, now_ms: Callable[[], int]) -> None:
        """Prepare; `start` begins.

        Args:
            spool: the worker's.
            store: Redis as the spool sees it.
            now_ms: the service's clock, milliseconds since 1970 UTC.
        """
        self.spool = self._spool = spool
        self._book = spool.file.book
        self._store = store
        self._now_ms = now_ms
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._verifier = Verifier(spool, store, now_ms, self._stop)
        self._epochs: dict[int, int | None] = {}
        self._had_cursor: set[int] = set()
        self._emptied: set[int] = set()
        self._moved: queue.SimpleQueue[frozenset[int]] = queue.SimpleQueue()
        self._unsure: set[int] = set(range(BUCKETS))
        """Buckets whose records have to be looked for before a cursor of theirs is believed."""
        self._looked: set[int] = set()
        """Buckets that were looked through after a change, and are once more at this time."""
        self._again_s = 0.0
        self._is_all_sent = False
        """Whether segments hold no record that waits, except those that the queue holds."""
        self._older = self._segments_of_others()
        self._thread = threading.Thread(target=self._work, name="spool-keeper", daemon=True)

    def start(self) -> None:
        """Start the thread, and the one that sends again."""
        self._spool.start()
        self._thread.start()

    def lineage_changed(self, buckets: frozenset[int], was_empty: bool) -> None:  # noqa: FBT001 - the link's shape
        """Take note that another Redis process serves some buckets; called by the links.

        Epochs, which are read anyway, say so too; this saves time, and knows what was emptied.
        """
        if was_empty:
            self._emptied |= buckets
        self._wake.set()

    def commits_moved(self, buckets: frozenset[int], was_empty: bool) -> None:  # noqa: FBT001 - the link's shape
        """Have the records of some buckets looked for: decisions go to another process from now on.

        Called by the link of decisions. Epochs are read over another link, which may have followed
        earlier; what the process of before confirmed in between is forgotten as well, and no epoch
        says so.
        """
        self._moved.put(buckets)
        self.lineage_changed(buckets, was_empty)

    def close(self) -> None:
        """End the threads and close the file; what is missing is sent at the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._spool.close()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                if self._older:
                    self._adopt()
                self._look()
            except StoreUnavailableError:
                log.debug("Redis is away; segments wait")
            except Exception:
                log.exception("the spool's segments could not be looked after; tried again")
            self._spool.file.look_for_room()
            self._wake.wait(_POLL_S)
            self._wake.clear()

    def _look(self) -> None:
        cursors = self._store.cursors()
        self._compare(cursors)
        is_behind = self._spool.has_overflowed or not self._is_all_sent
        if not self._unsure and is_behind and self._spool.is_idle():
            self._spool.has_overflowed = False
            self._unsure = set(range(BUCKETS))
            self._is_all_sent = False
        is_again = not self._unsure and bool(self._looked) and time.monotonic() >= self._again_s
        if is_again:
            self._unsure, self._looked = self._looked, set()
        if self._unsure:
            buckets = set(self._unsure)
            if not self._verify():
                return
            if not is_again:
                self._looked |= buckets
                self._again_s = time.monotonic() + _STRAGGLERS_S
            cursors = self._store.cursors()
            self._compare(cursors)
        if not self._unsure:
            self._drop({bucket: one.archived for bucket, one in cursors.items() if one.archived})

    def _compare(self, cursors: dict[int, Cursor]) -> None:
        with suppress(queue.Empty):
            while True:
                self._unsure |= self._moved.get_nowait()
        for bucket, cursor in cursors.items():
            if cursor.epoch != self._epochs.get(bucket):
                self._unsure.add(bucket)
                if cursor.archived is None and bucket in self._had_cursor:
                    self._emptied.add(bucket)
            self._epochs[bucket] = cursor.epoch
            if cursor.archived is not None:
                self._had_cursor.add(bucket)

    def _verify(self) -> bool:
        """Look for the records of all buckets that are unsure; return whether all were found."""
        buckets, emptied = set(self._unsure), set(self._emptied)
        if not self._spool.file.rotate():
            return False
        self._store.counts.lineage_changes += 1
        self._book.forget_places(buckets)
        # What the queue holds is sent by its own thread; else segments are the only place.
        sends_waiting = not self._is_all_sent and self._spool.is_idle()
        self._verifier.verify(buckets, emptied, sends_waiting=sends_waiting)
        if self._stop.is_set():
            return False
        self._is_all_sent = self._is_all_sent or sends_waiting
        self._unsure -= buckets
        self._emptied -= emptied
        return True

    def _drop(self, cursors: dict[int, Place]) -> None:
        for segment in self._book.archived(cursors):
            # A Redis that was emptied has to be told again what was answered in the window: the
            # archive knows it, but a retry of the request is judged by what Redis knows.
            if self._is_needed(segment):
                continue
            self._book.drop(segment)
            self._store.counts.dropped_segments += 1
        for segment in self._book.closed():
            if not segment.path.exists():
                # Another command found all of it in the archive.
                self._book.forget(segment)

    def _is_needed(self, segment: Segment) -> bool:
        """Say whether an archived segment stays: its answers may be asked for, and there is room.

        Room for new records goes before: neither bound nor disk may come near because of it.
        """
        file = self._spool.file
        age_s = time.monotonic() - segment.began_s - file.limits.segment_s
        if age_s >= self._store.window_ms / 1000 or file.failure is not None:
            return False
        disk = shutil.disk_usage(file.folder)
        return (
            self._book.bytes_held() <= file.limits.bytes_max // 2
            and disk.free >= disk.total // _FREE_SHARE
        )

    def _segments_of_others(self) -> list[Path]:
        own = self._book.active.path
        return [path for path in sorted(self._spool.file.folder.glob(f"*{SUFFIX}")) if path != own]

    def _adopt(self) -> None:
        """Take over the segments of earlier workers on this folder."""
        ahead: deque[tuple[Contents, int, bool]] = deque()
        for path in self._older:
            if self._stop.is_set():
                return
            looked = self._look_through(path)
            if looked is not None:
                ahead.append(looked)
            if len(ahead) > _AHEAD:
                self._take_over(*ahead.popleft(), [one for one, _, _ in ahead])
        while ahead:
            self._take_over(*ahead.popleft(), [one for one, _, _ in ahead])
        self._older = []

    def _look_through(self, path: Path) -> tuple[Contents, int, bool] | None:
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                removed = cut_torn(path)
                seen = survey(path)
                contents = contents_of(path)
        except (OSError, msgspec.DecodeError) as error:
            log.error("%s cannot be taken over and is left as it is: %s", path, error)  # noqa: TRY400 - no bug
            self._store.counts.damaged_segments += 1
            return None
        if removed:
            self._store.counts.torn_bytes += removed
            log.warning(
                "%s had a torn tail of %d bytes after %d whole bytes; it is kept as %s.torn",
                path, removed, seen.whole_end, path.name,
            )  # fmt: skip
        if contents.unreadable:
            log.error(
                "%s holds %d frames of an unknown form and is kept", path, contents.unreadable
            )
        if is_damaged := seen.damaged > 0 or seen.tail > 0:
            self._store.counts.damaged_segments += 1
            log.error(
                "%s has %d damaged bytes among its frames and is kept: look at it before "
                "removing it", path, seen.damaged + seen.tail
            )  # fmt: skip
        return contents, seen.size, is_damaged or contents.unreadable > 0

    def _take_over(
        self,
        contents: Contents,
        size: int,
        is_damaged: bool,  # noqa: FBT001 - from a tuple
        after: list[Contents],
    ) -> None:
        segment = self._book.adopt(contents.path, size, contents.states(after), is_kept=is_damaged)
        self._spool.file.others_bytes -= size
        for spooled in contents.decisions.values():
            if spooled.is_marked and segment.waiting[spooled.index] == WAITS:
                self._remember(segment, spooled.at)

    def _remember(self, segment: Segment, at: int) -> None:
        """Have a retry of what an earlier worker answered in an outage get the same answer."""
        with suppress(OSError, msgspec.DecodeError):
            record, _ = record_at(segment.path, at)
            if self._now_ms() - record.decision.decide_time_ms < self._store.window_ms:
                self._spool.outage.keep(record)


def open_spool(
    folder: Path, limits: SpoolLimits, store: SpoolStore, now_ms: Callable[[], int]
) -> SpoolKeeper:
    """Open a worker's spool, and prepare what looks after it.

    Args:
        folder: where segments lie.
        limits: sizes and ages.
        store: Redis as the spool sees it.
        now_ms: the service's clock, milliseconds since 1970 UTC.

    Raises:
        SetupError: the folder cannot be written.
    """
    file = SpoolFile(folder, SystemClock().now_ms, limits)
    return SpoolKeeper(ResendingSpool(file, store, now_ms), store, now_ms)
