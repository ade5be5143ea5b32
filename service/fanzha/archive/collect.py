"""Drops segments of spools once the archive holds all their records."""

import logging
from pathlib import Path

import msgspec

from fanzha.adapters.kept import KeptReport, decode_report
from fanzha.adapters.spool_contents import Contents, body_at, contents_of, superseded_in
from fanzha.adapters.spool_frames import SUFFIX, survey, unlocked_segments
from fanzha.archive.find import archived_decisions, archived_reports
from fanzha.archive.log import ArchiveLog
from fanzha.archive.storage import Place
from fanzha.domain.record import ExecutionRecord

log = logging.getLogger(__name__)


def collect(spool: Path, archive: Place) -> int:
    """Remove what dead workers left and the archive holds; return how many segments went.

    A worker that lives lets go of its segments itself, not before Redis can do without them. A
    segment of which the archive lacks a single answered decision or report stays whole, and so
    does one with a damaged frame. The beginning of a frame at its end was never answered.

    Args:
        spool: folder of a worker's segments.
        archive: folder or URL of the archive.
    """
    log_of = ArchiveLog(archive)
    segments = sorted(spool.glob(f"*{SUFFIX}"))
    if set(unlocked_segments(spool)) < set(segments):
        return 0
    looked: list[Contents] = []
    for segment in segments:
        try:
            contents = contents_of(segment)
        except FileNotFoundError:
            continue
        except msgspec.DecodeError:
            log.exception("%s holds what this version cannot read, and is kept", segment)
            continue
        looked.append(contents)
    superseded = superseded_in(looked)
    archived = [one for one in looked if _is_archived(one, log_of, superseded)]
    # Notes count for the decisions of other segments, so that all are judged before one goes.
    for contents in archived:
        contents.path.unlink(missing_ok=True)
    return len(archived)


def _is_archived(contents: Contents, archive: ArchiveLog, superseded: set[str]) -> bool:
    seen = survey(contents.path)
    if seen.damaged or contents.unreadable or not seen.is_cut_off:
        log.error(
            "%s has damaged or unknown frames and is kept: look at it before removing it",
            contents.path,
        )
        return False
    answered = set(contents.decisions) - superseded
    missing = len(answered) - len(archived_decisions(archive, answered))
    if missing:
        log.warning("%s holds %d decisions that the archive lacks", contents.path, missing)
        return False
    reports = [decode_report(body_at(contents.path, one.at)) for one in contents.reports]
    return all(has_report(archive, report) for report in reports)


def has_report(archive: ArchiveLog, report: KeptReport) -> bool:
    """Say whether the archive holds a report, or a newer one that left nothing of it."""
    record = report.record
    held = archived_reports(archive, record.decision_id)
    if isinstance(record, ExecutionRecord):
        # One that said nothing new was not journaled.
        return any(
            one.status == record.status or one.execute_time_ms >= record.execute_time_ms
            for one in held
            if isinstance(one, ExecutionRecord)
        )
    return any(
        type(one) is type(record) and one.outcome_id == record.outcome_id
        for one in held
        if not isinstance(one, ExecutionRecord)
    )
