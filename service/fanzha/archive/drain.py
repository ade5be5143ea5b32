"""Moves the journal from Redis into the archive, each record exactly once, and trims what is safe.

A round reads entries of some buckets, writes one file for each day, then adds a commit that names
the files and continues the buckets' chains, then moves the cursors in Redis, and trims. It can be
cut off anywhere: a file without a commit is none of the archive's, and what was committed is seen
to be there when it is read again. Any number of archivers may work at once, on any machines.
"""

import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from fanzha.adapters import keys
from fanzha.adapters.clock import SystemClock
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.archive.adopt import adopt
from fanzha.archive.batch import Batch, read_batch
from fanzha.archive.entries import ADD, FileEntry
from fanzha.archive.held import HeldRecords
from fanzha.archive.leases import Leases
from fanzha.archive.machine_key import signer_for
from fanzha.archive.orphans import remove_orphans
from fanzha.archive.part import order_of, write_part
from fanzha.archive.rows import day_of
from fanzha.archive.storage import Place
from fanzha.archive.writer import NOTHING, LogWriter, OvertakenError
from fanzha.domain.errors import SetupError
from fanzha.domain.ids import BUCKETS
from fanzha.signing.keys import Signer

log = logging.getLogger(__name__)

ROUND_ROWS: Final = 20_000
_FILE_LIFE_S: Final = 1_800
"""A file that was not committed for so long is given up: it may be removed as an orphan."""
_WITHOUT_LEASE_S: Final = 3.0
"""So long a run that is to end waits for archivers that hold leases and get nowhere."""
_POLL_S: Final = 0.25
_CLOCK: Final = SystemClock()


@dataclass(slots=True)
class Drained:
    """What was moved."""

    rows: int = 0
    files: int = 0
    left_out: int = 0
    """Entries whose records the archive held already."""


class Drain:
    """One archiver: a journal, an archive, and who signs."""

    def __init__(
        self,
        link: RedisLink,
        place: Place,
        signer: Signer | None = None,
        *,
        round_rows: int = ROUND_ROWS,
        may_lack: bool = False,
        now_ms: Callable[[], int] = _CLOCK.now_ms,
    ) -> None:
        self.link = link
        self.done = Drained()
        self.log = LogWriter(place, signer or signer_for(place, None, None), now_ms)
        self.leases = Leases(link, now_ms)
        self._round_rows = round_rows
        self._may_lack = may_lack
        self._held = HeldRecords(self.log)

    def open(self) -> None:
        """Read the log, take in what lies there from before there was one, remove orphans.

        Raises:
            SetupError: the log is damaged, or the place cannot be written.
            OSError: the same, as the system says it.
        """
        self.log.storage.prepare()
        self.log.refresh()
        adopt(self.log, self._cursors)
        remove_orphans(self.log)

    def _cursors(self) -> dict[int, bytes]:
        """Return up to which entry each bucket was trimmed."""
        found = self.link.run([("GET", keys.archived(bucket)) for bucket in range(BUCKETS)])
        return {bucket: cursor for bucket, cursor in enumerate(found) if cursor}

    def newest(self, buckets: list[int]) -> dict[int, bytes]:
        """Return the newest entry of each bucket's journal, without those that have none."""
        looks: list[Command] = [
            ("XREVRANGE", keys.journal(bucket), "+", "-", "COUNT", 1) for bucket in buckets
        ]
        replies = self.link.run(looks) if looks else []
        return {b: rows[0][0] for b, rows in zip(buckets, replies, strict=True) if rows}

    def behind(self, newest: dict[int, bytes]) -> dict[int, bytes]:
        """Return those buckets that hold entries, up to these, which are not archived yet."""
        looks: list[Command] = [("GET", keys.archived(bucket)) for bucket in newest]
        looks += [("XRANGE", keys.journal(b), "-", last, "COUNT", 1) for b, last in newest.items()]
        found = self.link.run(looks) if looks else []
        cursors, there = found[: len(newest)], found[len(newest) :]
        return {
            bucket: last
            for (bucket, last), cursor, entries in zip(newest.items(), cursors, there, strict=True)
            # A Redis that was emptied meanwhile has nothing so old any more.
            if entries and (not cursor or order_of(cursor) < order_of(last))
        }

    def move(self, newest: dict[int, bytes]) -> int:
        """Do one round on some buckets, up to their newest entries; return how many it read.

        Raises:
            OvertakenError: another archiver moved them; nothing was done.
            SetupError: the newest commits of the archive are gone; nothing was done.
            StoreUnavailableError: Redis went away; what was committed is safe.
            OSError: the archive cannot be read or written; nothing was trimmed.
        """
        self.log.refresh()
        batch = read_batch(
            self.link, self.log, self._held, newest, self._round_rows, may_lack=self._may_lack
        )
        passed = batch.passed()
        if batch.rows or passed:
            self._commit(batch, passed)
        self._finish(batch)
        self.done.rows += len(batch.rows)
        self.done.left_out += batch.left_out
        return len(batch.rows) + batch.left_out

    def _commit(self, batch: Batch, passed: dict[str, str]) -> None:
        by_day: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in batch.rows:
            by_day[day_of(row)].append(row)
        name = f"part-{self.log.now_ms():013d}-{os.urandom(4).hex()}.parquet"
        files: list[FileEntry] = []
        written_s = time.monotonic()

        def said() -> dict[str, Any]:
            moved = [b for b, head in batch.heads.items() if self.log.heads.get(b, NOTHING) != head]
            if moved:
                raise OvertakenError(f"another archiver moved bucket {moved[0]} meanwhile")
            if time.monotonic() - written_s > _FILE_LIFE_S:
                raise OvertakenError("the round took so long that its files may be removed")
            return {"files": self.log.link_files(files, batch.after), "passed": passed}

        try:
            for day, rows in sorted(by_day.items()):
                files.append(write_part(self.log.storage, f"day={day}/{name}", rows))
            self.log.append(ADD, said)
        except (OSError, pa.ArrowException, OvertakenError):
            self._undo(f"day={day}/{name}" for day in by_day)
            raise
        self.done.files += len(files)

    def _undo(self, paths: Iterable[str]) -> None:
        """Remove the files of a round that was not committed, as far as is known."""
        if not self.log.storage.is_definite:
            # The commit that was not confirmed may yet appear: whether it does, time will show.
            return
        try:
            self.log.refresh()
            for path in paths:
                if path not in self.log.numbers:
                    self.log.storage.remove(path)
        except (OSError, SetupError):
            log.warning("files of a round that failed are left; the next run removes them")

    def _finish(self, batch: Batch) -> None:
        """Move the cursors, never back, and trim, where Redis is still the one that was read."""
        calls = [
            self.link.scripts.call(
                "archived",
                (keys.epoch(bucket), keys.archived(bucket), keys.journal(bucket)),
                (batch.epochs[bucket], last, _after(last)),
            )
            for bucket, last in batch.last.items()
        ]
        if calls and not all(self.link.run(calls)):
            log.warning("Redis forgot something meanwhile: what was archived is looked at again")


def drain(
    link: RedisLink,
    archive: Place,
    progress: Callable[[int], None],
    signer: Signer | None = None,
    round_rows: int = ROUND_ROWS,
    *,
    may_lack: bool = False,
) -> Drained:
    """Move all journal entries that are there at the start into the archive.

    Entries that come in meanwhile are left to the next drain: this one ends under any traffic.

    Args:
        link: connection to Redis.
        archive: folder or s3:// URL of the archive.
        progress: told of the number of rows after each round.
        signer: who signs; None: the key beside the archive.
        round_rows: about how many rows a round moves.
        may_lack: go on although the newest commits are gone.

    Raises:
        SetupError: the archive cannot be written, or its newest commits are gone.
        StoreUnavailableError: Redis went away; what was moved is safe.
    """
    try:
        one = Drain(link, archive, signer, round_rows=round_rows, may_lack=may_lack)
        one.open()
        try:
            _until_done(one, progress)
        finally:
            one.leases.release()
    except (OSError, pa.ArrowException) as error:
        raise SetupError(
            f"cannot write the archive in {archive}: {getattr(error, 'strerror', None) or error}; "
            "nothing that is not safe was trimmed; make room, or choose another --archive"
        ) from error
    return one.done


def _until_done(one: Drain, progress: Callable[[int], None]) -> None:
    newest = one.behind(one.newest(list(range(BUCKETS))))
    moved_s = time.monotonic()
    while newest:
        waited = time.monotonic() - moved_s > _WITHOUT_LEASE_S
        mine = set(newest) if waited else one.leases.take(newest)
        try:
            moved = one.move({b: newest[b] for b in mine}) if mine else 0
        except OvertakenError:
            moved = 0
        if moved:
            moved_s = time.monotonic()
            progress(one.done.rows)
        else:
            time.sleep(_POLL_S)
        left = one.behind(newest)
        if len(left) < len(newest):
            moved_s = time.monotonic()
        newest = left


def _after(stream_id: str) -> str:
    time_ms, number = order_of(stream_id)
    return f"{time_ms}-{number + 1}"
