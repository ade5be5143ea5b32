"""What one segment says about decisions and reports, by place in the file and not by content.

So that a segment can be gone through with little memory: bodies are read again, one by one, where
they are needed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from fanzha.adapters.codec import decode_record
from fanzha.adapters.spool_book import SETTLED, VOID, WAITS, Place, place_of
from fanzha.adapters.spool_frames import (
    CONFIRMED,
    CONFIRMED_MANY,
    DECISION,
    ID_LENGTH,
    MARKED,
    RECORD,
    REPORT,
    SUPERSEDED,
    located_frames,
    read_at,
)
from fanzha.domain.record import DecisionRecord
from fanzha.domain.vocabulary import DegradedPart

_NAME: Final = re.compile(rf"[0-9A-HJKMNP-TV-Z]{{{ID_LENGTH}}}")
"""What names a decision's bucket, in less time than `is_decision_id` takes for each frame."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """One decision in a segment."""

    index: int
    """Which frame of the segment it is, from 0."""
    at: int
    """Where that begins in the file."""
    is_marked: bool
    """Whether it was answered on the strength of the spool alone."""


@dataclass(slots=True)
class Contents:
    """What one segment holds."""

    path: Path
    frames: int = 0
    decisions: dict[str, Spooled] = field(default_factory=dict)
    """By decision id; the last frame of each counts."""
    reports: list[Spooled] = field(default_factory=list)
    confirmed: dict[str, Place] = field(default_factory=dict)
    superseded: set[str] = field(default_factory=set)
    """Those that were given up, and not answered after that by a retry that found them."""
    unreadable: int = 0
    """Whole frames that this version does not understand: the segment is left to an operator."""

    def states(self, after: "Iterable[Contents]") -> bytearray:
        """Return what each frame is, WAITS, SETTLED or VOID, by the notes here and after it.

        Args:
            after: the segments that were begun next; a note, or the same decision with the mark,
                may lie in one of them.
        """
        states = bytearray([VOID]) * self.frames
        for report in self.reports:
            states[report.index] = WAITS
        later = list(after)
        for decision_id, spooled in self.decisions.items():
            states[spooled.index] = WAITS
            if (
                any(
                    decision_id in notes.superseded or decision_id in notes.decisions
                    for notes in later
                )
                or decision_id in self.superseded
            ):
                states[spooled.index] = VOID
            elif any(decision_id in notes.confirmed for notes in (self, *later)):
                states[spooled.index] = SETTLED
        return states


def contents_of(path: Path) -> Contents:
    """Look through a segment; what cannot be read is left out."""
    found = Contents(path)
    for index, (at, payload) in enumerate(located_frames(path)):
        found.frames = index + 1
        kind, name = payload[:1], payload[1 : 1 + ID_LENGTH].decode("ascii", "replace")
        if kind == DECISION:
            _take_old(found, index, at, payload)
        elif kind == REPORT:
            found.reports.append(Spooled(index, at, is_marked=True))
        elif _NAME.fullmatch(name) is None:
            found.unreadable += 1
        elif kind in (RECORD, MARKED):
            found.decisions[name] = Spooled(index, at, is_marked=kind == MARKED)
            found.superseded.discard(name)
        elif kind == CONFIRMED:
            found.confirmed[name] = place_of(payload[1 + ID_LENGTH :])
        elif kind == CONFIRMED_MANY:
            _take_confirmed(found, payload)
        elif kind == SUPERSEDED:
            found.superseded.add(name)
        else:
            found.unreadable += 1
    return found


def _take_confirmed(found: Contents, payload: bytes) -> None:
    """Take a note about many decisions; what does not add up in it is left out."""
    at = 1
    while at < len(payload):
        name = payload[at : at + ID_LENGTH].decode("ascii", "replace")
        start = at + ID_LENGTH + 1
        at = start + payload[start - 1] if start <= len(payload) else len(payload) + 1
        if at > len(payload) or _NAME.fullmatch(name) is None:
            found.unreadable += 1
            return
        found.confirmed[name] = place_of(payload[start:at])


def _take_old(found: Contents, index: int, at: int, payload: bytes) -> None:
    """Take a decision as the first version wrote it."""
    try:
        decision = decode_record(payload[1:]).decision
    except msgspec.DecodeError:
        found.unreadable += 1
        return
    is_marked = DegradedPart.JOURNAL in decision.degraded
    found.decisions[decision.decision_id] = Spooled(index, at, is_marked)


def superseded_in(segments: Iterable[Contents]) -> set[str]:
    """Return the decisions that were never answered, by all segments of a worker, oldest first."""
    superseded: set[str] = set()
    for contents in segments:
        superseded -= contents.decisions.keys()
        superseded |= contents.superseded
    return superseded


def body_at(path: Path, at: int) -> bytes:
    """Return the record or report at a place of a segment.

    Raises:
        OSError: it can no longer be read there.
    """
    payload = read_at(path, at)
    if payload is None:
        raise OSError(None, f"{path} has changed at byte {at}")
    return payload[1 + ID_LENGTH :] if payload[:1] in (RECORD, MARKED) else payload[1:]


def record_at(path: Path, at: int) -> tuple[DecisionRecord, bytes]:
    """Return a decision's record at a place of a segment, and its bytes.

    Raises:
        OSError: it can no longer be read there.
        msgspec.DecodeError: this version does not understand it.
    """
    body = body_at(path, at)
    return decode_record(body), body
