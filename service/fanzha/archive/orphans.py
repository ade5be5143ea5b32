"""Removes files that archivers left behind when they were cut off, and files that expired."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from fanzha.archive.writer import LogWriter

_OURS: Final = re.compile(r"part-\d{13}-[0-9a-f]{8}\.parquet|\.part-.*\.tmp")
_AGE_S: Final = 86_400
"""An archiver gives up a file that it could not commit long before."""
_DAYS: Final = 8


def remove_orphans(log: LogWriter) -> int:
    """Remove old files of the last days that no commit names; return how many.

    Files of names that no archiver gives are left alone.

    Raises:
        OSError: the archive cannot be read.
    """
    now_s = time.time()
    since = (datetime.fromtimestamp(now_s, UTC).date() - timedelta(days=_DAYS)).isoformat()
    known = {file.path for file in log.files()}
    removed = 0
    for folder in log.storage.names(""):
        if not folder.startswith("day=") or folder.removeprefix("day=") < since:
            continue
        for name, age_s in log.storage.ages_s(folder, now_s).items():
            path = f"{folder}/{name}"
            if path not in known and age_s > _AGE_S and _OURS.fullmatch(name):
                log.storage.remove(path)
                removed += 1
    return removed
