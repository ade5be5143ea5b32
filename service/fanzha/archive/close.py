"""Closes days: a signed manifest over all that the archive holds of one, and the manifest before.

The manifest is part of a commit, so that the log's own order is theirs, and its removal is seen.
`_manifests/<day>.json` repeats it for those who want one file a day; it can be written again from
the log at any time. Rows that come after a day was closed, or that expire, make a supplement, which
states the whole day anew.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from fanzha.adapters.clock import SystemClock
from fanzha.archive.entries import CLOSE, FIRST, Manifest, ManifestFile, decode_commit, encoded
from fanzha.archive.log import MANIFESTS, commit_path, day_of_path
from fanzha.archive.storage import Place
from fanzha.archive.writer import LogWriter, OvertakenError
from fanzha.domain.errors import SetupError
from fanzha.signing.keys import Signer

HOUR_MS: Final = 3_600_000


@dataclass(slots=True)
class Closing:
    """When a day is closed, and how many were."""

    after_hours: float
    """Hours since its end, and since the last record of it was archived."""
    closed: int = 0


def close_days(place: Place, signer: Signer, closing: Closing, day: str | None = None) -> int:
    """Close the days that are due; see `close_due`."""
    log = LogWriter(place, signer, SystemClock().now_ms)
    return close_due(log, closing, day)


def close_due(log: LogWriter, closing: Closing, day: str | None = None) -> int:
    """Make the manifests that are due, and write again those whose file is gone; return how many.

    Args:
        log: of the archive.
        closing: when a day is due.
        day: close this one now, due or not; None: those that are due.

    Raises:
        SetupError: the log is damaged, or there is nothing to close.
        OSError: the archive cannot be written.
    """
    log.refresh()
    if day is not None:
        is_stated = day in log.manifests
        if day not in log.touched and not is_stated:
            raise SetupError(f"the archive holds nothing of {day}; give a day that it has")
        due = [day] if day in log.touched else []
    else:
        due = [one for one in sorted(log.touched) if _is_due(log, one, closing.after_hours)]
    for one in due:
        closing.closed += _close(log, one)
    _write_missing(log, day)
    return len(due)


def _write_missing(log: LogWriter, day: str | None) -> None:
    """Write the files of manifests that are not there: new ones, and those that somebody removed.

    Those of a day that is named are written in any case, should they have been changed.
    """
    there = set(log.storage.names(MANIFESTS))
    for name, number in log.manifest_names.items():
        if name not in there or (day is not None and name.startswith(day)):
            manifest = decode_commit(log.storage.read(commit_path(number))).manifest
            if manifest is not None:
                log.storage.write(f"{MANIFESTS}/{name}", encoded(manifest))


def _is_due(log: LogWriter, day: str, after_hours: float) -> bool:
    end = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    last_ms = max(round(end.timestamp() * 1000), log.touched[day])
    return log.now_ms() >= last_ms + after_hours * HOUR_MS


def _close(log: LogWriter, day: str) -> int:
    """Add the commit that closes a day; return 0 when another one did it."""

    def said() -> dict[str, Any]:
        if day not in log.touched:
            raise OvertakenError(f"another archiver closed {day}")
        return {"manifest": _manifest(log, day)}

    try:
        log.append(CLOSE, said)
    except OvertakenError:
        return 0
    return 1


def _manifest(log: LogWriter, day: str) -> Manifest:
    before = log.manifests.get(day)
    number, log_hash = log.head
    files = [
        ManifestFile(
            path=entry.path,
            bytes=entry.bytes,
            sha256=entry.sha256,
            rows=entry.rows,
            kinds=entry.kinds,
            commit=log.numbers[entry.path],
            decided=entry.decided,
            judged=entry.judged,
        )
        for entry in log.entries.values()
        if day_of_path(entry.path) == day
    ]
    draft = Manifest(
        number=len(log.manifest_names) + 1,
        previous=log.manifest_hash if log.manifest_names else FIRST,
        day=day,
        supplement=0 if before is None else before.supplement + 1,
        close_time_ms=log.now_ms(),
        log_number=number,
        log_hash=log_hash,
        rows=sum(file.rows for file in files),
        files=files,
        heads={
            str(bucket): (head.position, head.hash) for bucket, head in sorted(log.heads.items())
        },
        name=log.signer.name,
        key=log.signer.key,
    )
    return msgspec.structs.replace(draft, signature=log.signer.sign(encoded(draft)))
