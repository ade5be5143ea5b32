"""What the segments of a worker's spool hold, and which of them the archive has made superfluous.

Bounded memory: one byte a frame says whether a record waits for its confirmation, and each segment
notes the newest journal entry of each bucket that it is about. Frames are named by tickets, which
count them over all segments.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Place = tuple[int, int]
"""A journal entry's id as two numbers: Redis's time in milliseconds, and a count."""
NOWHERE: Final[Place] = (0, 0)
"""Older than all entries: also where a place is not known, as for markers of earlier versions."""
SETTLED: Final = 0
"""No record, or one that Redis holds."""
WAITS: Final = 1
"""A record that Redis has not confirmed."""
VOID: Final = 2
"""A record that was never answered, or that another frame took the place of."""
_ADOPTED_FIRST: Final = -(2**60)


def place_of(stream_id: bytes) -> Place:
    """Read the id of a journal entry; what is none is NOWHERE."""
    time_ms, _, number = stream_id.partition(b"-")
    if time_ms.isdigit() and number.isdigit():
        return int(time_ms), int(number)
    return NOWHERE


@dataclass(slots=True)
class Segment:
    """One file of the spool."""

    path: Path
    first: int
    """Ticket of its first frame."""
    began_s: float
    size: int = 0
    waiting: bytearray = field(default_factory=bytearray)
    """For each frame WAITS, SETTLED or VOID."""
    waiting_count: int = 0
    newest: dict[int, Place] = field(default_factory=dict)
    """By bucket."""
    is_closed: bool = False
    is_kept: bool = False
    """Whether it is left to an operator: it is damaged."""


class SegmentBook:
    """All segments that this worker wrote or took over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        self._adopted_next = _ADOPTED_FIRST

    def begin(self, path: Path, first: int, size: int) -> None:
        """Note a new segment, which is being written; the one before it is closed."""
        with self._lock:
            for segment in self._segments:
                segment.is_closed = True
            self._segments.append(Segment(path, first, time.monotonic(), size))

    def adopt(self, path: Path, size: int, waiting: bytearray, *, is_kept: bool) -> Segment:
        """Take over a segment of an earlier worker."""
        with self._lock:
            segment = Segment(
                path, self._adopted_next, time.monotonic(), size, waiting, waiting.count(WAITS),
                is_closed=True, is_kept=is_kept,
            )  # fmt: skip
            self._adopted_next += len(waiting) + 1
            self._segments.append(segment)
            self._segments.sort(key=lambda one: one.first)
            return segment

    def wrote(self, waits: Sequence[bool], size: int) -> None:
        """Note frames that are on disk now, and how many bytes the segment has."""
        with self._lock:
            segment = self._segments[-1]
            segment.waiting.extend(WAITS if one else SETTLED for one in waits)
            segment.waiting_count += sum(waits)
            segment.size = size

    def settle(self, ticket: int, bucket: int = -1, place: Place = NOWHERE) -> bool:
        """Note that a frame waits no longer; return whether the frame is known.

        Args:
            ticket: of the frame.
            bucket: whose journal holds the record; -1 when the record is void.
            place: of the journal entry.
        """
        with self._lock:
            segment = self._segment_of(ticket)
            if segment is None:
                return False
            index = ticket - segment.first
            if segment.waiting[index] == WAITS:
                segment.waiting[index] = SETTLED if bucket >= 0 else VOID
                segment.waiting_count -= 1
            if bucket >= 0 and place > segment.newest.get(bucket, NOWHERE):
                segment.newest[bucket] = place
            return True

    def closed(self) -> list[Segment]:
        """Return the segments that are no longer written, oldest first."""
        with self._lock:
            return [segment for segment in self._segments if segment.is_closed]

    @property
    def active(self) -> Segment:
        """The segment that is being written."""
        return self._segments[-1]

    def bytes_held(self) -> int:
        """Return the size of all segments, in bytes."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def waiting_count(self) -> int:
        """Return how many records wait for their confirmation."""
        with self._lock:
            return sum(segment.waiting_count for segment in self._segments)

    def forget_places(self, buckets: Iterable[int]) -> None:
        """Forget the newest entries of some buckets: they are about to be found anew."""
        with self._lock:
            for segment in self._segments:
                for bucket in buckets:
                    segment.newest.pop(bucket, None)

    def archived(self, cursors: dict[int, Place]) -> list[Segment]:
        """Return the closed segments of which the archive holds everything.

        Args:
            cursors: by bucket, the newest entry that is safe in the archive.
        """
        with self._lock:
            return [
                segment
                for segment in self._segments
                if segment.is_closed
                and not segment.is_kept
                and segment.waiting_count == 0
                and all(
                    cursors.get(bucket, NOWHERE) >= place
                    for bucket, place in segment.newest.items()
                )
            ]

    def drop(self, segment: Segment) -> None:
        """Remove a segment's file and forget it."""
        segment.path.unlink(missing_ok=True)
        self.forget(segment)

    def forget(self, segment: Segment) -> None:
        """Forget a segment that is gone."""
        with self._lock:
            self._segments.remove(segment)

    def _segment_of(self, ticket: int) -> Segment | None:
        at = bisect_right(self._segments, ticket, key=lambda one: one.first) - 1
        if at < 0:
            return None
        segment = self._segments[at]
        return segment if ticket - segment.first < len(segment.waiting) else None
