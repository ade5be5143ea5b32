"""The worker's own record: an append-only file, on disk before the answer.

A frame is length (uint32), CRC-32 of the payload (uint32), payload; little endian. The payload's
first byte says what follows: `D` a decision's record, `C` the id of a decision that the store holds
too, `S` the id of one that was never answered, because another one held its request id. Writers
share one fsync: while one runs, the next group gathers. A torn tail after a crash is cut at the
first frame that does not add up.
"""

import fcntl
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from fanzha.domain.errors import NotRecordedError, SetupError

_HEAD = Struct("<II")
_FRAME_MAX = 16 * 2**20
SEGMENT_BYTES = 64 * 2**20

DECISION = b"D"
CONFIRMED = b"C"
SUPERSEDED = b"S"
SUFFIX = ".spool"


def frame(payload: bytes) -> bytes:
    """Return a payload as it lies in the file."""
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def read_frames(path: Path) -> Iterator[bytes]:
    """Yield the payloads of a segment up to its end or its first torn frame."""
    with path.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            if length > _FRAME_MAX:
                return
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            yield payload


def is_whole(path: Path) -> bool:
    """Say whether every byte of a segment belongs to a frame that adds up."""
    sizes = sum(_HEAD.size + len(payload) for payload in read_frames(path))
    return sizes == path.stat().st_size


class SpoolFile:
    """Appends frames with group-committed fsync."""

    def __init__(self, folder: Path, now_ms: Callable[[], int]) -> None:
        """Open a new segment.

        Args:
            folder: where segments lie.
            now_ms: wall clock, milliseconds since 1970 UTC; names the segments.

        Raises:
            SetupError: the folder cannot be written.
        """
        self._folder = folder
        self._now_ms = now_ms
        self._condition = threading.Condition()
        self._pending: list[bytes] = []
        self._queued = 0
        self._safe = 0
        self._failed: str | None = None
        self._lost: list[tuple[int, int]] = []
        self._closing = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._open_segment()
        except OSError as error:
            raise SetupError(
                f"cannot write the spool in {folder}: {error.strerror}; "
                "choose a writable folder with --data-dir"
            ) from error
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._thread.start()

    def append(self, payload: bytes) -> int:
        """Queue a payload and return its ticket.

        Raises:
            NotRecordedError: the disk refuses; tried again with the next segment.
        """
        framed = frame(payload)
        with self._condition:
            if self._failed is not None or self._closing:
                cause = self._failed or "the worker is stopping"
                raise NotRecordedError(f"the spool cannot be written: {cause}")
            self._pending.append(framed)
            self._queued += 1
            self._condition.notify_all()
            return self._queued

    def wait(self, ticket: int) -> None:
        """Return once the ticket's payload is on disk.

        Raises:
            NotRecordedError: the disk refused it.
        """
        with self._condition:
            while True:
                if any(after < ticket <= upto for after, upto in self._lost):
                    raise NotRecordedError("the spool could not be written")
                if ticket <= self._safe:
                    return
                self._condition.wait()

    @property
    def failure(self) -> str | None:
        """Why the disk refuses, None while it does not."""
        return self._failed

    def close(self) -> None:
        """Write what is queued and close the segment."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout=10)
        self._file.close()

    def _open_segment(self) -> BinaryIO:
        path = self._folder / f"{self._now_ms():013d}-{os.getpid()}-{time.monotonic_ns()}{SUFFIX}"
        file = path.open("xb", buffering=0)
        # Held while the segment is written; who collects segments leaves locked ones alone.
        fcntl.flock(file, fcntl.LOCK_EX)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return file

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._pending and not self._closing:
                    self._condition.wait()
                if not self._pending:
                    return
                group, self._pending = self._pending, []
                upto = self._queued
            failed = self._write(b"".join(group))
            with self._condition:
                self._failed = failed
                if failed is not None:
                    self._lost.append((self._safe, self._queued))
                    self._pending = []
                self._safe = upto if failed is None else self._queued
                self._condition.notify_all()
            if failed is not None:
                self._recover()

    def _write(self, data: bytes) -> str | None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            os.fdatasync(self._file.fileno())
            if self._file.tell() > SEGMENT_BYTES:
                full, self._file = self._file, self._open_segment()
                full.close()
        except OSError as error:
            return error.strerror or str(error)
        return None

    def _recover(self) -> None:
        """Try a new segment every second until the disk takes one or the worker ends."""
        while True:
            with self._condition:
                if self._closing:
                    return
                self._condition.wait(timeout=1.0)
            try:
                fresh = self._open_segment()
            except OSError:
                continue
            broken, self._file = self._file, fresh
            if self._write(frame(CONFIRMED)) is not None:
                # Nothing fits yet; the broken segment stays the one to leave behind.
                self._file = broken
                Path(fresh.name).unlink(missing_ok=True)
                fresh.close()
                continue
            broken.close()
            with self._condition:
                self._failed = None
            return


def noted(folder: Path, *kinds: bytes) -> set[str]:
    """Return the decision ids of all notes of some kinds; a note may lie in a later segment."""
    return {
        payload[1:].decode()
        for segment in folder.glob(f"*{SUFFIX}")
        for payload in read_frames(segment)
        if payload[:1] in kinds
    }


def unlocked_segments(folder: Path) -> list[Path]:
    """Return the segments that no living worker writes, oldest first."""
    free = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free.append(path)
        except OSError:
            continue
    return free
