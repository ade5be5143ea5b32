"""Moves the journal from Redis into the archive, each entry exactly once, and trims what is safe.

A round first writes down which entries it is about to move (`round.json`), then the Parquet files,
then that they are written (`written.json`), then the cursors in Redis, which it trims. A round that
was cut off goes on from there, with the same entries and file names: nothing is lost or doubled.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable
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

_ROUND_ENTRIES = 500
_ROUND_BUCKETS = 64
_PLAN = "round.json"
_WRITTEN = "written.json"


@dataclass(slots=True)
class Drained:
    """What a drain moved."""

    rows: int = 0
    files: int = 0


def drain(link: RedisLink, archive: Path, progress: Callable[[int], None]) -> Drained:
    """Move all journal entries that are there now into the archive.

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
        if written := _read_plan(archive / _WRITTEN):
            _finish(link, archive, written)
        plan = _read_plan(archive / _PLAN) or _plan(link)
        while plan:
            _write_plan(archive / _PLAN, plan)
            _write(link, archive, plan, done)
            _sync(archive)
            (archive / _PLAN).rename(archive / _WRITTEN)
            _sync(archive)
            _finish(link, archive, plan)
            progress(done.rows)
            plan = _plan(link)
    except OSError as error:
        raise SetupError(
            f"cannot write the archive in {archive}: {error.strerror}; "
            "choose a writable folder with --archive"
        ) from error
    return done


Plan = dict[int, tuple[str, str]]
"""Bucket to the first and last entry that the round moves."""


def _plan(link: RedisLink) -> Plan:
    """Choose the entries of the next round: up to 500 of each of up to 64 buckets."""
    cursors = link.run([("GET", keys.archived(bucket)) for bucket in range(BUCKETS)])
    looks: list[Command] = [
        ("XRANGE", keys.journal(bucket), b"(" + (cursor or b"0"), "+", "COUNT", _ROUND_ENTRIES)
        for bucket, cursor in enumerate(cursors)
    ]
    plan: Plan = {}
    for start in range(0, BUCKETS, _ROUND_BUCKETS):
        replies = link.run(looks[start : start + _ROUND_BUCKETS])
        for bucket, rows in enumerate(replies, start):
            if rows:
                plan[bucket] = (rows[0][0].decode(), rows[-1][0].decode())
        if plan:
            break
    return plan


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
    return {int(b): (first, last) for b, (first, last) in json.loads(path.read_text()).items()}


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
