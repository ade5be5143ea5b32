"""The worker's own record: append-only segments, on disk before the answer.

Writers share one fsync: while one runs, the next group gathers. Segments end by size and by age, so
that they can go one after the other once the archive holds them. When all of them together reach
their bound, the spool refuses, as a disk that is full does, until there is room again.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from fanzha.adapters.spool_book import Place, SegmentBook
from fanzha.adapters.spool_frames import CONFIRMED_MANY, HEAD, SUFFIX, frame, open_segment
from fanzha.adapters.spool_queue import Queued, Settles, SpoolLimits
from fanzha.adapters.spool_tickets import SpoolTickets
from fanzha.disk import make_folder
from fanzha.domain.errors import NotRecordedError, SetupError

_NOTES_S: Final = 1.0
"""So long notes wait for something to go with."""
_QUEUED_BYTES_MAX: Final = 64 * 2**20
"""So much may wait for a disk that takes nothing; beyond, it counts as one that refuses."""


class SpoolFile:
    """Appends frames with group-committed fsync."""

    def __init__(
        self, folder: Path, now_ms: Callable[[], int], limits: SpoolLimits | None = None
    ) -> None:
        """Open a new segment.

        Args:
            folder: where segments lie.
            now_ms: wall clock, milliseconds since 1970 UTC; names the segments.
            limits: sizes and ages.

        Raises:
            SetupError: the folder cannot be written.
        """
        self.folder = folder
        self.book = SegmentBook()
        self.others_bytes = 0
        """Size of the segments in the folder that the book does not know yet."""
        self.limits = self._limits = limits or SpoolLimits()
        self._now_ms = now_ms
        lock = threading.RLock()
        self._comes = threading.Condition(lock)
        self._rotated = threading.Condition(lock)
        self.tickets = SpoolTickets()
        self._notes: deque[tuple[bytes, Settles | None]] = deque()
        self._pending: list[Queued] = []
        self._queued = 0
        self._queued_bytes = 0
        self._failed: str | None = None
        self._is_full = False
        self._rotate_after = -1
        self._closing = False
        try:
            make_folder(folder)
            self.others_bytes = sum(x.stat().st_size for x in folder.glob(f"*{SUFFIX}"))
            self._file = self._open_segment()
            self._begin(self._file)
        except OSError as error:
            raise SetupError(
                f"cannot write the spool in {folder}: {error.strerror}; "
                "choose a writable folder with --data-dir"
            ) from error
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._thread.start()

    def append(
        self,
        payload: bytes,
        *,
        waits: bool = False,
        settles: Settles | None = None,
        about: tuple[int, Place] | None = None,
        wakes: bool = True,
    ) -> int:
        """Queue a payload and return its ticket.

        Args:
            payload: what is to lie in the frame.
            waits: whether it is a record that waits for its confirmation.
            settles: the record that waits no longer once this is on disk.
            about: bucket and journal entry of a record that is confirmed already.
            wakes: whether the writer begins at once, or with `wake`, when others are queued too.

        Raises:
            NotRecordedError: the disk refuses or stands still, or the spool is full; later it may
                not.
        """
        framed = frame(payload)
        with self._comes:
            # A note is short, and of a record that is in already.
            failure = self._failed if settles is not None and not waits else self.failure
            if cause := failure or ("the worker is stopping" if self._closing else None):
                raise NotRecordedError(f"the spool cannot be written: {cause}")
            self._queued += 1
            if about is not None:
                settles = Settles(self._queued, *about)
            self._pending.append(Queued(framed, waits, () if settles is None else (settles,)))
            self._queued_bytes += len(framed)
            if wakes:
                self._comes.notify()
            return self._queued

    def wake(self) -> None:
        """Have the writer begin with what is queued."""
        with self._comes:
            self._comes.notify()

    def note(self, confirmed: bytes, settles: Settles | None) -> None:
        """Keep a note about a confirmed record for the next time that something is written.

        Args:
            confirmed: one decision as a frame of kind CONFIRMED_MANY holds it.
            settles: the record, where the book does not know it yet.
        """
        self._notes.append((confirmed, settles))

    @property
    def failure(self) -> str | None:
        """Why nothing can be appended, None while it can."""
        if self._failed is not None:
            return self._failed
        if self._is_full:
            return f"it holds its bound of {self._limits.bytes_max:,} bytes"
        if self._queued_bytes > _QUEUED_BYTES_MAX:
            return f"the disk has not taken the last {self._queued_bytes:,} bytes"
        return None

    @property
    def newest(self) -> int:
        """The last ticket."""
        return self._queued

    def rotate(self) -> bool:
        """Have everything that is queued now in closed segments; return whether that is so."""
        with self._rotated:
            self._rotate_after = upto = self._queued
            self._comes.notify()
            while self._rotate_after >= 0 and self._failed is None and not self._closing:
                self._rotated.wait(1.0)
            return self._failed is None and self.tickets.safe >= upto

    def look_for_room(self) -> None:
        """Take up writing again when enough segments have gone; end the segment when not."""
        held = self.book.bytes_held() + self.others_bytes
        with self._comes:
            was_full, self._is_full = self._is_full, held >= self._limits.bytes_max
            if self._is_full and not was_full:
                # What is still being written can go only once it is closed.
                self._rotate_after = self._queued
            self._comes.notify()

    def close(self) -> None:
        """Write what is queued and close the segment."""
        with self._comes:
            self._closing = True
            self._comes.notify()
            self._rotated.notify_all()
        self._thread.join(timeout=10)
        self.tickets.close()
        self._file.close()

    def _open_segment(self) -> BinaryIO:
        name = f"{self._now_ms():013d}-{os.getpid()}-{time.monotonic_ns()}{SUFFIX}"
        return open_segment(self.folder / name)

    def _begin(self, file: BinaryIO) -> None:
        self.book.begin(Path(file.name), self.tickets.safe + 1, len(HEAD))

    def _work(self) -> None:
        while True:
            with self._comes:
                while not (self._pending or self._closing or self._is_due()):
                    came = self._comes.wait(min(self._limits.segment_s, _NOTES_S))
                    if self._notes and not came:
                        # Nothing comes that they could go with.
                        break
                if self._closing and not (self._pending or self._notes):
                    return
                self._take_notes()
                group, self._pending = self._pending, []
                upto = self._queued
            failed = self._write(b"".join(one.framed for one in group)) if group else None
            if failed is None and group:
                self.book.wrote([one.waits for one in group], self._file.tell())
            self._settle(group)
            with self._comes:
                self._queued_bytes -= sum(len(one.framed) for one in group)
            if failed is not None:
                self._refuse(failed)
                continue
            self.tickets.wrote(upto)
            if self._is_due():
                self._rotate()

    def _take_notes(self) -> None:
        """Put the notes that are there behind what is about to be written, in one frame."""
        notes = [self._notes.popleft() for _ in range(len(self._notes))]
        if notes:
            self._queued += 1
            framed = frame(CONFIRMED_MANY + b"".join(note for note, _ in notes))
            settles = tuple(one for _, one in notes if one is not None)
            self._pending.append(Queued(framed, waits=False, settles=settles))
            self._queued_bytes += len(framed)

    def _refuse(self, cause: str) -> None:
        """Refuse what is not on disk, and all that follows, until the disk takes something."""
        with self._comes:
            group, self._pending = self._pending, []
            self._queued_bytes = 0
            self._failed = cause
            self._rotated.notify_all()
            self.tickets.refused(self._queued)
        self._settle(group)
        self._recover()

    def _settle(self, group: list[Queued]) -> None:
        # Also when a note was refused: it only saves asking Redis after a restart.
        for one in group:
            for settles in one.settles:
                self.book.settle(settles.ticket, settles.bucket, settles.place)

    def _is_due(self) -> bool:
        """Say whether the segment is to end; an empty one never is."""
        active = self.book.active
        is_asked = 0 <= self._rotate_after <= self.tickets.safe
        if not active.waiting:
            if is_asked:
                with self._rotated:
                    self._rotate_after = -1
                    self._rotated.notify_all()
            return False
        is_old = time.monotonic() - active.began_s >= self._limits.segment_s
        return is_asked or is_old or active.size >= self._limits.segment_bytes

    def _rotate(self) -> None:
        try:
            fresh = self._open_segment()
        except OSError as error:
            self._refuse(error.strerror or str(error))
            return
        self._replace(fresh)
        self.look_for_room()

    def _replace(self, fresh: BinaryIO) -> None:
        done, self._file = self._file, fresh
        self._begin(fresh)
        done.close()
        with self._rotated:
            self._rotate_after = -1
            self._failed = None
            self._rotated.notify_all()

    def _write(self, data: bytes) -> str | None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            os.fdatasync(self._file.fileno())
        except OSError as error:
            return error.strerror or str(error)
        return None

    def _recover(self) -> None:
        """Try a new segment every second until the disk takes one or the worker ends."""
        while True:
            with self._comes:
                if self._closing:
                    return
                self._comes.wait(timeout=1.0)
            with suppress(OSError):
                # What was not answered must not look as if it were.
                os.ftruncate(self._file.fileno(), self.book.active.size)
            try:
                fresh = self._open_segment()
            except OSError:
                continue
            self._replace(fresh)
            return
