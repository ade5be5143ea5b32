"""Sends what dead workers left in their spools to Redis, so that the journal holds it."""

import logging
from pathlib import Path
from typing import Final

import msgspec

from fanzha.adapters.clock import SystemClock
from fanzha.adapters.kept import decode_report
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.redis_commit import Lives
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_store import RedisStore
from fanzha.adapters.relay import Relay
from fanzha.adapters.spool_contents import Contents, body_at, contents_of, record_at, superseded_in
from fanzha.adapters.spool_frames import unlocked_segments
from fanzha.adapters.spool_store import SpoolStore
from fanzha.archive.collect import has_report
from fanzha.archive.decisions import FoundDecisions
from fanzha.archive.find import archived_decisions
from fanzha.archive.log import ArchiveLog
from fanzha.archive.storage import Place

log = logging.getLogger(__name__)

_LIVES: Final = Lives(window_ms=7_200_000, memory_ms=86_400_000)
_BATCH: Final = 500
_CLOCK: Final = SystemClock()


def commit_left_behind(link: RedisLink, place: Place, folder: Path, sent: set[str]) -> int:
    """Commit what segments hold that no living worker writes, and neither Redis nor archive has.

    Args:
        link: connection to Redis.
        place: the archive.
        folder: of a worker's segments.
        sent: decisions that were looked after already; those of now are added.

    Returns:
        How many records were sent.

    Raises:
        StoreUnavailableError: Redis went away; run it again.
    """
    segments = []
    for path in unlocked_segments(folder):
        try:
            segments.append(contents_of(path))
        except (OSError, msgspec.DecodeError):
            log.exception("%s cannot be read and is left as it is", path)
    if not segments:
        return 0
    # The workers that live carry what is left in the outboxes.
    redis = RedisStore(
        link, CommittedLists(link), Relay(link), _LIVES, OutageMemory(_LIVES.window_ms)
    )
    archive = ArchiveLog(place)
    store = SpoolStore(redis, _LIVES, FoundDecisions(redis, place, _CLOCK.now_ms))
    count = _send_decisions(store, redis, archive, segments, sent)
    count += _send_reports(store, archive, segments, sent)
    if count:
        log.info("%d record(s) that dead workers left in %s were sent to Redis", count, folder)
    return count


def _send_decisions(
    store: SpoolStore,
    redis: RedisStore,
    archive: ArchiveLog,
    segments: list[Contents],
    sent: set[str],
) -> int:
    confirmed = {one for contents in segments for one in contents.confirmed}
    superseded = superseded_in(segments)
    held = {
        decision_id: (contents, spooled)
        for contents in segments
        for decision_id, spooled in contents.decisions.items()
        if decision_id not in superseded and decision_id not in sent
    }
    missing = _unknown_to(store, list(held))
    missing -= archived_decisions(archive, missing)
    for decision_id in sorted(missing):
        # Redis forgets its mark after a day, and the journal may hold the decision all the same.
        if decision_id in confirmed and redis.find_decision(decision_id) is not None:
            continue
        contents, spooled = held[decision_id]
        record, body = record_at(contents.path, spooled.at)
        is_answered = spooled.is_marked or decision_id in confirmed
        store.send(record, body, _CLOCK.now_ms(), is_answered=is_answered)
    sent.update(held)
    return len(missing)


def _unknown_to(store: SpoolStore, decision_ids: list[str]) -> set[str]:
    missing: set[str] = set()
    for start in range(0, len(decision_ids), _BATCH):
        some = decision_ids[start : start + _BATCH]
        entries = store.entries(some)
        missing |= {one for one, entry in zip(some, entries, strict=True) if entry is None}
    return missing


def _send_reports(
    store: SpoolStore, archive: ArchiveLog, segments: list[Contents], sent: set[str]
) -> int:
    count = 0
    for contents in segments:
        for spooled in contents.reports:
            name = f"{contents.path.name}:{spooled.at}"
            if name in sent:
                continue
            report = decode_report(body_at(contents.path, spooled.at))
            if not has_report(archive, report):
                store.report(report.subject, report.record)
                count += 1
            sent.add(name)
    return count
