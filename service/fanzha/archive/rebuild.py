"""Refills an empty Redis from the archive, so that decisions go on with equal vectors (ADR 0019).

First the states of accounts and links, some subjects at a time, so that memory stays bounded
however long the archive is; then, in one walk by day, what Redis remembers beside them: outcomes,
answers, request ids, markers, watchlists. Each write takes the place of the
same write of a rebuild that was cut off.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pyarrow as pa

from fanzha.adapters.redis_commit import Lives
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.archive.rebuild_lists import LIST_KINDS, Lists
from fanzha.archive.rebuild_marks import Marks
from fanzha.archive.rebuild_reading import ArchiveRows, Surveyed
from fanzha.archive.rebuild_recent import NEEDS_BODY, Recent
from fanzha.archive.rebuild_states import states_of
from fanzha.archive.storage import Place
from fanzha.domain.record import StateRebuildRecord

_COMMANDS_AT_ONCE: Final = 400
Progress = Callable[[str, int, int], None]
"""Told of the step, how much of it is done, and of how much."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild brought back."""

    rows: int = 0
    """Rows of the archive."""
    subjects: int = 0
    """Accounts and links."""
    changes: int = 0
    imports: int = 0
    """Imports of lists in effect."""
    unreadable: int = 0
    """Records that this version cannot read; their changes of states count all the same."""


def rebuild(
    link: RedisLink, archive: Place, lives: Lives, now_ms: int, progress: Progress
) -> Rebuilt:
    """Write all that an archive holds of the present into an empty Redis.

    Args:
        link: connection to Redis.
        archive: folder or s3:// URL.
        lives: how long answers and request ids are held.
        now_ms: milliseconds since 1970 UTC.
        progress: told of how far it is.

    Raises:
        SetupError: Redis is not empty, the archive cannot be read, or another rebuild took over.
        StoreUnavailableError: Redis went away; the next start goes on.
    """
    rows = ArchiveRows(archive)
    progress("reading", 0, 1)
    found = rows.survey()
    marks = Marks(link)
    bases, is_done = marks.begin(found.seq_max, now_ms // 1000)
    done = Rebuilt(found.rows)
    if not is_done:
        subjects, changes = _write_states(marks, rows, found, bases, progress)
        done.subjects, done.changes = subjects.total(), changes.total()
        _Walk(marks, rows, Recent(lives, now_ms), done).write(progress)
        marks.note(
            lambda bucket: StateRebuildRecord(
                bucket, bases[bucket], subjects[bucket], changes[bucket], now_ms
            ),
            found.newest,
            now_ms,
        )
    marks.end()
    return done


def _write_states(
    marks: Marks, rows: ArchiveRows, found: Surveyed, bases: list[int], progress: Progress
) -> tuple[Counter[int], Counter[int]]:
    """Write accounts and links; return how many of them, and their changes, by bucket."""
    subjects, changes = Counter[int](), Counter[int]()
    parts = rows.parts(found.rows)
    for number, part in enumerate(parts):
        pending: list[Command] = []
        of_part = rows.changes(part)
        for bucket, count, writes in states_of(of_part, bases):
            subjects[bucket] += 1
            changes[bucket] += count
            pending += writes
            if len(pending) >= _COMMANDS_AT_ONCE:
                _run(marks, pending)
                share = changes.total() / max(1, found.rows)
                progress("accounts and links", round(1000 * share), 1000)
        _run(marks, pending)
        progress("accounts and links", number + 1, len(parts))
    return subjects, changes


class _Walk:
    """Goes through the files by day, for everything that is not the state of a subject."""

    def __init__(self, marks: Marks, rows: ArchiveRows, recent: Recent, done: Rebuilt) -> None:
        self._marks = marks
        self._rows = rows
        self._recent = recent
        self._done = done
        self._lists = Lists(marks.write)
        self._pending: list[Command] = []

    def write(self, progress: Progress) -> None:
        """Write it all."""
        for number, file in enumerate(self._rows.files):
            for group, bodies in self._rows.groups(file):
                self._memories_of(group, bodies)
            progress("answers, outcomes, lists", number + 1, len(self._rows.files))
        _run(self._marks, self._pending)
        self._done.imports = self._lists.bring_into_effect()

    def _memories_of(self, group: pa.Table, bodies: Callable[[], Any]) -> None:
        for row, body in self._remembered(group, bodies):
            kind = row["kind"]
            try:
                if kind in LIST_KINDS:
                    if body is not None:
                        self._lists.add(kind, body)
                else:
                    self._pending += self._recent.writes(row, body)
            except msgspec.DecodeError:
                self._done.unreadable += 1
            if len(self._pending) >= _COMMANDS_AT_ONCE:
                _run(self._marks, self._pending)

    def _remembered(
        self, group: pa.Table, bodies: Callable[[], Any]
    ) -> Iterator[tuple[dict[str, Any], bytes | None]]:
        """Yield the rows of a group that are still remembered, and their bodies."""
        kinds = group["kind"].to_pylist()
        times = group["record_time_ms"].to_pylist()
        now_ms, life_ms = self._recent.now_ms, self._recent.life_ms
        places = [
            place
            for place, (kind, time_ms) in enumerate(zip(kinds, times, strict=True))
            if kind in LIST_KINDS or now_ms - time_ms < life_ms(kind)
        ]
        if not places:
            return
        needs = any(kinds[place] in NEEDS_BODY or kinds[place] in LIST_KINDS for place in places)
        found = bodies().take(places).to_pylist() if needs else [None] * len(places)
        names = ("kind", "account", "seq", "change", "change_columns", "stream_id")
        few = group.select([*names, "record_time_ms"]).take(places).to_pylist()
        yield from zip(few, found, strict=True)


def _run(marks: Marks, pending: list[Command]) -> None:
    """Send what waits, and forget it."""
    marks.write(pending)
    pending.clear()
