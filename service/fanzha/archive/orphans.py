"""Removes files that archivers left behind when they were cut off, and files that expired."""

import re
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Final

from fanzha.archive.writer import LogWriter

OURS: Final = re.compile(r"part-\d{13}-[0-9a-f]{8}\.parquet|\.part-.*\.tmp")
"""Names that archivers give."""
_AGE_S: Final = 86_400
"""An archiver gives up a file that it could not commit long before."""
_DAYS: Final = 8


def remove_orphans(log: LogWriter, days: int | None = _DAYS) -> int:
    """Remove old files that no commit names; return how many.

    Files of names that no archiver gives are left alone.

    Args:
        log: of the archive, fresh.
        days: look at so many days back; None: at all.

    Raises:
        OSError: the archive cannot be read.
    """
    now_s, since = time.time(), ""
    if days is not None:
        since = (datetime.fromtimestamp(now_s, UTC).date() - timedelta(days=days)).isoformat()
    known = {file.path for file in log.files()}
    removed = 0
    for folder in log.storage.names(""):
        if not folder.startswith("day=") or folder.removeprefix("day=") < since:
            continue
        for name, age_s in log.storage.ages_s(folder, now_s).items():
            path = f"{folder}/{name}"
            if path not in known and age_s > _AGE_S and OURS.fullmatch(name):
                log.storage.remove(path)
                removed += 1
    return removed


def remove_expired(log: LogWriter) -> int:
    """Remove expired files that a removal left because it was cut off; return how many.

    Args:
        log: of the archive, fresh.

    Raises:
        OSError: the archive cannot be read, or a file not removed.
    """
    by_day: dict[str, set[str]] = defaultdict(set)
    for path in log.gone:
        folder, _, name = path.partition("/")
        by_day[folder].add(name)
    left = [
        f"{folder}/{name}"
        for folder, names in sorted(by_day.items())
        for name in names.intersection(log.storage.names(folder))
    ]
    for path in left:
        log.storage.remove(path)
    return len(left)
