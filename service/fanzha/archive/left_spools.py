"""Sends what dead workers left in their spools to Redis, so that the journal holds it."""

import logging
import time
from pathlib import Path
from typing import Final

from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_store import Lives, RedisStore
from fanzha.adapters.relay import Relay
from fanzha.adapters.resend import left_behind

log = logging.getLogger(__name__)

_LIVES: Final = Lives(window_ms=7_200_000, memory_ms=86_400_000)


def commit_left_behind(link: RedisLink, folder: Path, sent: set[str]) -> int:
    """Commit the unconfirmed records of segments that no living worker writes; return how many.

    What is committed already changes nothing but its answer's content, which is the same.

    Args:
        link: connection to Redis.
        folder: of a worker's segments.
        sent: decisions that were sent already; those sent now are added.

    Raises:
        StoreUnavailableError: Redis went away; run it again.
    """
    records = [x for x in left_behind(folder) if x[0].decision.decision_id not in sent]
    if not records:
        return 0
    # The workers that live carry what is left in the outboxes.
    store = RedisStore(link, CommittedLists(link), Relay(link), _LIVES, OutageMemory())
    for record, body in records:
        committed = store.commit(record, body, time.time_ns() // 1_000_000)
        if committed.first is not None:
            store.keep_conflict(record, body)
        sent.add(record.decision.decision_id)
    log.info("%d record(s) that dead workers left in %s were sent to Redis", len(records), folder)
    return len(records)
