"""Drops segments of spools once the archive holds all their decisions."""

import logging
from pathlib import Path

from fanzha.adapters.codec import decode_record
from fanzha.adapters.spool import (
    DECISION,
    SUPERSEDED,
    is_whole,
    noted,
    read_frames,
    unlocked_segments,
)
from fanzha.archive.find import archived_decisions

log = logging.getLogger(__name__)


def collect(spool: Path, archive: Path) -> int:
    """Remove the segments that no worker writes and that the archive holds; return how many.

    A segment of which the archive lacks a single answered decision stays whole.

    Args:
        spool: folder of a worker's segments.
        archive: root folder of the archive.
    """
    superseded = noted(spool, SUPERSEDED)
    archived = []
    for segment in unlocked_segments(spool):
        if not is_whole(segment):
            log.error("%s has a damaged frame and is kept: look at it before removing it", segment)
            continue
        answered = {
            decode_record(payload[1:]).decision.decision_id
            for payload in read_frames(segment)
            if payload[:1] == DECISION
        } - superseded
        if archived_decisions(archive, answered) == answered:
            archived.append(segment)
    # Notes count for the decisions of other segments, so that all are judged before one goes.
    for segment in archived:
        segment.unlink()
    return len(archived)
