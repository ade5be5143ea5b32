"""Drops segments of spools once the archive holds all their decisions."""

from pathlib import Path

from fanzha.adapters.codec import decode_record
from fanzha.adapters.spool import (
    CONFIRMED,
    DECISION,
    SUPERSEDED,
    read_frames,
    unlocked_segments,
)
from fanzha.archive.find import archived_decisions


def collect(spool: Path, archive: Path) -> int:
    """Remove the segments that no worker writes and that the archive holds; return how many.

    A segment of which the archive lacks a single decision stays whole.

    Args:
        spool: folder of a worker's segments.
        archive: root folder of the archive.
    """
    removed = 0
    for segment in unlocked_segments(spool):
        spooled, confirmed = _decisions(segment)
        # An unconfirmed decision has to reach Redis first; the next start of the worker sends it.
        if spooled <= confirmed and archived_decisions(archive, spooled) == spooled:
            segment.unlink()
            removed += 1
    return removed


def _decisions(segment: Path) -> tuple[set[str], set[str]]:
    """Return the ids of the answered decisions of a segment, and of those that Redis confirmed."""
    spooled: set[str] = set()
    confirmed: set[str] = set()
    for payload in read_frames(segment):
        kind, body = payload[:1], payload[1:]
        if kind == DECISION:
            spooled.add(decode_record(body).decision.decision_id)
        elif kind == CONFIRMED:
            confirmed.add(body.decode())
        elif kind == SUPERSEDED:
            spooled.discard(body.decode())
    return spooled, confirmed
