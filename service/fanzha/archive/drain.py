"""Moves the journal from Redis into the archive, each entry exactly once, and trims what is safe.

A round first writes down which entries it is about to move (`round.json`), then the Parquet files,
then that they are written (`written.json`), then the cursors in Redis, which it trims. A round that
was cut off goes on from there, with the same entries and file names: nothing is lost or doubled.
"""

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.archive.rows import day_of, to_row, to_table
from fanzha.domain.errors import SetupError
from fanzha.domain.ids import BUCKETS

_ROUND_ENTRIES = 100
_PLAN = "round.json"
_WRITTEN = "written.json"


@dataclass(slots=True)
class Drained:
    """What a drain moved."""

    rows: int = 0
    files: int = 0


def drain(link: RedisLink, archive: Path, progress: Callable[[int], None]) -> Drained:
    """Move all journal entries that are there at the start into the archive.

    One drain at a time works on an archive.

    Args:
        link: connection to Redis.
        archive: root folder of the archive.
        progress: told of the number of rows after each round.

    Raises:
        SetupError: the folder cannot be written.
        StoreUnavailableError: Redis went away; what was moved is safe.
    """
    done = Drained()
    try:
        archive.mkdir(parents=True, exist_ok=True)
        with _held(archive):
            _drain(link, archive, done, progress)
    except OSError as error:
        raise SetupError(
            f"cannot write the archive in {archive}: {error.strerror or error}; "
            "choose a writable folder with --archive"
        ) from error
    return done


def _drain(link: RedisLink, archive: Path, done: Drained, progress: Callable[[int], None]) -> None:
    if written := _read_plan(archive / _WRITTEN):
        _finish(link, archive, written)
    # Entries that come in meanwhile are left to the next drain: this one ends under any traffic.
    newest = _newest(link)
    plan = _read_plan(archive / _PLAN) or _plan(link, newest)
    while plan:
        _write_plan(archive / _PLAN, plan)
        _write(link, archive, plan, done)
        _sync(archive)
        (archive / _PLAN).rename(archive / _WRITTEN)
        _sync(archive)
        _finish(link, archive, plan)
        progress(done.rows)
        plan = _plan(link, newest)


@contextmanager
def _held(archive: Path) -> Iterator[None]:
    """Hold the archive for one drain."""
    with (archive / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetupError(
                f"another archive command works on {archive}; wait for it to end"
            ) from error
        yield


Plan = dict[int, tuple[str, str]]
"""Bucket to the first and last entry that the round moves."""


def _newest(link: RedisLink) -> list[bytes]:
    """Return the newest entry of each bucket, empty where there is none."""
    looks: list[Command] = [
        ("XREVRANGE", keys.journal(bucket), "+", "-", "COUNT", 1) for bucket in range(BUCKETS)
    ]
    return [rows[0][0] if rows else b"" for rows in link.run(looks)]


def _plan(link: RedisLink, newest: list[bytes]) -> Plan:
    """Choose the entries of the next round: up to 100 of every bucket, none newer than `newest`."""
    cursors = link.run([("GET", keys.archived(bucket)) for bucket in range(BUCKETS)])
    behind = [
        bucket
        for bucket in range(BUCKETS)
        if newest[bucket]
        and (not cursors[bucket] or _order(cursors[bucket]) < _order(newest[bucket]))
    ]
    looks: list[Command] = [
        (
            "XRANGE",
            keys.journal(bucket),
            b"(" + (cursors[bucket] or b"0"),
            newest[bucket],
            "COUNT",
            _ROUND_ENTRIES,
        )
        for bucket in behind
    ]
    replies = link.run(looks) if looks else []
    return {
        bucket: (rows[0][0].decode(), rows[-1][0].decode())
        for bucket, rows in zip(behind, replies, strict=True)
        if rows
    }


def _order(stream_id: bytes) -> tuple[int, int]:
    time_ms, _, number = stream_id.partition(b"-")
    return int(time_ms), int(number)


def _write(link: RedisLink, archive: Path, plan: Plan, done: Drained) -> None:
    reads: list[Command] = [
        ("XRANGE", keys.journal(bucket), first, last) for bucket, (first, last) in plan.items()
    ]
    by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for bucket, entries in zip(plan, link.run(reads), strict=True):
        for stream_id, flat in entries:
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            row = to_row(bucket, stream_id.decode(), fields)
            by_day[day_of(row)].append(row)
    first_bucket = min(plan)
    name = f"part-{plan[first_bucket][0]}-b{first_bucket}.parquet"
    for day, rows in by_day.items():
        _write_part(archive / f"day={day}", name, rows)
        done.files += 1
        done.rows += len(rows)


def _finish(link: RedisLink, archive: Path, plan: Plan) -> None:
    commands: list[Command] = []
    for bucket, (_, last) in plan.items():
        commands.append(("SET", keys.archived(bucket), last))
        commands.append(("XTRIM", keys.journal(bucket), "MINID", _after(last)))
    link.run(commands)
    (archive / _WRITTEN).unlink()
    _sync(archive)


def _after(stream_id: str) -> str:
    time_ms, _, number = stream_id.partition("-")
    return f"{time_ms}-{int(number) + 1}"


def _write_part(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.tmp"
    pq.write_table(to_table(rows), temporary, compression="zstd")
    _sync(temporary)
    temporary.rename(folder / name)
    _sync(folder)


def _read_plan(path: Path) -> Plan:
    if not path.exists():
        return {}
    try:
        plan = json.loads(path.read_text())
        return {int(b): (str(first), str(last)) for b, (first, last) in plan.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise SetupError(
            f"{path} is damaged ({error}); move it away: the next run plans its round anew, and "
            "record ids show what it repeats"
        ) from error


def _write_plan(path: Path, plan: Plan) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(plan))
    _sync(temporary)
    temporary.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
