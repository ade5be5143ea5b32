"""Archivers whose Redis is emptied, fails over or steps its clock back under their hands."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.test_archivers import faults
from tests.journals import Journals, archived_names

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import Drain, drain
from fanzha.archive.follow import Pace, follow


def after_the_first_commit(one: Drain, do: Callable[[], None]) -> None:
    """Let something happen between an archiver's first commit and its trim."""
    put = one.log.storage.put_if_absent
    done: list[bool] = []

    def put_and_do(path: str, content: bytes) -> bool:
        is_new = put(path, content)
        if not done:
            done.append(is_new)
            do()
        return is_new

    one.log.storage.put_if_absent = put_and_do  # type: ignore[method-assign]


def test_what_comes_after_a_failover_with_a_slow_clock_is_not_trimmed_unarchived(
    redis_url: str, tmp_path: Path
) -> None:
    journals = Journals(redis_url, buckets=1)
    journals.add(30)
    one = Drain(RedisLink(redis_url, 5_000), tmp_path / "archive")
    one.open()

    def fail_over() -> None:
        newest_ms = int(journals.client.xrevrange(keys.journal(0), count=1)[0][0].split(b"-")[0])
        journals.client.flushall()
        _, fields = journals._entry(time.time_ns() // 1_000_000)
        journals.client.xadd(keys.journal(0), fields, id=f"{newest_ms - 1_000}-0")

    after_the_first_commit(one, fail_over)
    one.move(one.newest([0]))

    assert journals.left() == 1
    drain(RedisLink(redis_url, 5_000), tmp_path / "archive", lambda _: None)
    assert journals.left() == 0
    assert archived_names(tmp_path / "archive") == sorted(journals.names)
    assert faults(tmp_path / "archive") == []


def test_a_run_ends_when_redis_is_emptied_under_it(redis_url: str, tmp_path: Path) -> None:
    journals = Journals(redis_url)
    journals.add(2_000)
    archived: list[int] = []

    def empty(rows: int) -> None:
        archived.append(rows)
        journals.client.flushall()

    done = drain(RedisLink(redis_url, 5_000), tmp_path / "archive", empty, round_rows=256)

    assert archived == [done.rows]
    assert faults(tmp_path / "archive") == []


def test_one_that_follows_goes_on_with_what_an_emptied_redis_gets(
    redis_url: str, tmp_path: Path
) -> None:
    journals = Journals(redis_url)
    journals.add(2_000)
    one, stop = (
        Drain(RedisLink(redis_url, 5_000), tmp_path / "archive", round_rows=256),
        threading.Event(),
    )
    rounds: list[int] = []

    def progress(rows: int) -> None:
        if not rounds:
            journals.client.flushall()
            journals.names = archived_names(tmp_path / "archive")
            journals.add(50)
        rounds.append(rows)

    def between() -> None:
        if rounds and journals.left() == 0:
            stop.set()

    worker = threading.Thread(
        target=follow, args=(one, Pace(1, 0.1), stop, progress, between), daemon=True
    )
    worker.start()
    worker.join(timeout=60)
    stop.set()

    assert not worker.is_alive()
    assert len(journals.names) > 50
    assert archived_names(tmp_path / "archive") == sorted(journals.names)
    assert faults(tmp_path / "archive") == []
