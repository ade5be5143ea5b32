"""The spool's file format: a head, then frames that can be found again behind damage.

A segment begins with `FZSPOOL` and a version byte. A frame is a mark of four bytes, the payload's
length (uint32), the CRC-32 of length and payload (uint32), and the payload; little endian. Behind a
damaged frame the reader goes on at the next mark that is followed by what adds up; the mark is no
UTF-8, so that texts hold none. Segments of the first version have no head and no marks: they are
read up to their first damage.

The payload's first byte says what follows; see the constants. A note may lie in a later segment
than the record that it is about.
"""

import fcntl
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

from fanzha.disk import sync

HEAD: Final = b"FZSPOOL\x02"
_MARK: Final = b"\xf5\x9fzS"
_FRAME: Final = Struct("<4sII")
_LENGTH: Final = Struct("<I")
_OLD_FRAME: Final = Struct("<II")
_PAYLOAD_MAX: Final = 16 * 2**20
_CHUNK: Final = 2**20

DECISION: Final = b"D"
"""A decision's record, as the first version wrote it: the record alone."""
RECORD: Final = b"R"
"""A decision's id, then its record. It is answered when Redis has confirmed it too."""
MARKED: Final = b"M"
"""A decision's id, then its record, which is answered on the strength of this file alone."""
CONFIRMED: Final = b"C"
"""The id of a decision that Redis holds too, then the id of its journal entry."""
CONFIRMED_MANY: Final = b"A"
"""Decisions that Redis holds too: for each its id, one byte with the length of its journal entry's
id, and that id."""
SUPERSEDED: Final = b"S"
"""The id of a decision that was never answered."""
REPORT: Final = b"E"
"""An execution, an outcome or a withdrawal that Redis holds too; see `fanzha.adapters.kept`."""
SUFFIX: Final = ".spool"
TORN_SUFFIX: Final = ".torn"
ID_LENGTH: Final = 26


def frame(payload: bytes) -> bytes:
    """Return a payload as it lies in the file."""
    length = _LENGTH.pack(len(payload))
    checksum = zlib.crc32(payload, zlib.crc32(length))
    return _FRAME.pack(_MARK, len(payload), checksum) + payload


def read_frames(path: Path) -> Iterator[bytes]:
    """Yield the payloads of all whole frames of a segment, in order."""
    for _, payload in located_frames(path):
        yield payload


def located_frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield place in the file and payload of all whole frames of a segment, in order."""
    with path.open("rb") as file:
        if _is_old(file):
            yield from _old_frames(file)
            return
        file.seek(0)
        at: int | None = len(HEAD) if file.read(len(HEAD)) == HEAD else 0
        size = os.fstat(file.fileno()).st_size
        while at is not None:
            payload = _payload_at(file, at, size)
            if payload is None:
                at = _next_mark(file, at + 1)
            else:
                yield at, payload
                at += _FRAME.size + len(payload)


def read_at(path: Path, place: int) -> bytes | None:
    """Return the payload of the frame that begins at a place; None when it does not add up."""
    with path.open("rb") as file:
        if _is_old(file):
            file.seek(place)
            return _old_payload(file)
        return _payload_at(file, place, os.fstat(file.fileno()).st_size)


def _payload_at(file: BinaryIO, at: int, size: int) -> bytes | None:
    if file.tell() != at:
        file.seek(at)
    head = file.read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    mark, length, checksum = _FRAME.unpack(head)
    if mark != _MARK or length > min(_PAYLOAD_MAX, size - at - _FRAME.size):
        return None
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload, zlib.crc32(head[4:8])) != checksum:
        return None
    return payload


def _next_mark(file: BinaryIO, at: int) -> int | None:
    file.seek(at)
    kept = b""
    while chunk := file.read(_CHUNK):
        window = kept + chunk
        found = window.find(_MARK)
        if found >= 0:
            return at + found
        kept = window[-(len(_MARK) - 1) :]
        at += len(window) - len(kept)
    return None


def _is_old(file: BinaryIO) -> bool:
    """Say whether a segment is of the first version: no head, and a first frame that adds up."""
    file.seek(0)
    if file.read(len(HEAD)) == HEAD:
        return False
    file.seek(0)
    return _old_payload(file) is not None


def _old_payload(file: BinaryIO) -> bytes | None:
    head = file.read(_OLD_FRAME.size)
    if len(head) < _OLD_FRAME.size:
        return None
    length, checksum = _OLD_FRAME.unpack(head)
    if not 0 < length <= _PAYLOAD_MAX:
        return None
    payload = file.read(length)
    whole = len(payload) == length and zlib.crc32(payload) == checksum
    return payload if whole else None


def _old_frames(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    at = 0
    file.seek(0)
    while (payload := _old_payload(file)) is not None:
        yield at, payload
        at += _OLD_FRAME.size + len(payload)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a segment is made of, in bytes."""

    size: int
    whole_end: int
    """Where the last whole frame ends."""
    damaged: int
    """Bytes before that which belong to no whole frame."""
    is_cut_off: bool
    """Whether what follows the last whole frame is the beginning of one, or zeros: nobody waited
    for it successfully."""

    @property
    def tail(self) -> int:
        """Bytes behind the last whole frame."""
        return self.size - self.whole_end


def survey(path: Path) -> Survey:
    """Look through a segment."""
    with path.open("rb") as file:
        is_old = _is_old(file)
        file.seek(0)
        begins_with_head = file.read(len(HEAD)) == HEAD
    overhead = _OLD_FRAME.size if is_old else _FRAME.size
    end = len(HEAD) if begins_with_head else 0
    damaged = 0
    for at, payload in located_frames(path):
        damaged += at - end
        end = at + overhead + len(payload)
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(end)
        tail = file.read(_PAYLOAD_MAX)
    return Survey(size, end, damaged, _is_cut_off(tail, is_old=is_old, is_first=end == 0))


def _is_cut_off(tail: bytes, *, is_old: bool, is_first: bool) -> bool:
    if not tail.strip(b"\0"):
        return True
    if is_first:
        return HEAD.startswith(tail)
    if is_old:
        length = _OLD_FRAME.unpack_from(tail)[0] if len(tail) >= _OLD_FRAME.size else _PAYLOAD_MAX
        return bool(_OLD_FRAME.size + length > len(tail))
    if len(tail) < _FRAME.size:
        return _MARK.startswith(tail[:4])
    mark, length, _ = _FRAME.unpack_from(tail)
    return bool(mark == _MARK and _FRAME.size + length > len(tail))


def cut_torn(path: Path) -> int:
    """Cut what follows the last whole frame, and keep it beside the segment; return its bytes.

    The caller holds the segment's lock. What is no segment at all is left as it is.

    Raises:
        OSError: the bytes could not be kept, and nothing is cut.
    """
    seen = survey(path)
    if seen.tail == 0 or (seen.whole_end == 0 and not seen.is_cut_off):
        return 0
    with path.open("rb") as file:
        file.seek(seen.whole_end)
        tail = file.read()
    with path.with_name(path.name + TORN_SUFFIX).open("ab") as aside:
        aside.write(tail)
        aside.flush()
        os.fsync(aside.fileno())
    with path.open("r+b") as file:
        file.truncate(seen.whole_end)
        os.fsync(file.fileno())
    return seen.tail


def open_segment(path: Path) -> BinaryIO:
    """Begin a segment, which stays locked until it is closed.

    Raises:
        OSError: the disk refuses; nothing is left of it.
    """
    file = path.open("xb", buffering=0)
    try:
        # Held while the segment is written; who collects segments leaves locked ones alone.
        fcntl.flock(file, fcntl.LOCK_EX)
        view = memoryview(HEAD)
        while view:
            view = view[file.write(view) :]
        os.fdatasync(file.fileno())
        sync(path.parent)
    except OSError:
        file.close()
        path.unlink(missing_ok=True)
        raise
    return file


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
