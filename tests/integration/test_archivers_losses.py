"""Archivers whose Redis is emptied, fails over or steps its clock back under their hands."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.test_archivers import faults
from tests.journals import Journals, archived_names
from typer.testing import CliRunner

from fanzha.__main__ import app
from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import Drain, drain
from fanzha.archive.follow import Pace, follow
from fanzha.domain.errors import SetupError


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


def an_archive(url: str, place: Path) -> Journals:
    """Archive three rounds of a few buckets."""
    journals = Journals(url, buckets=3)
    for _ in range(3):
        journals.add(30)
        drain(RedisLink(url, 5_000), place, lambda _: None)
    return journals


def test_nobody_goes_on_where_the_newest_commits_are_gone(redis_url: str, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    journals = an_archive(redis_url, place)
    gone = max(place.glob("_log/*"))
    content = gone.read_bytes()
    gone.unlink()
    journals.add(30)

    with pytest.raises(SetupError, match="its newest commits are gone"):
        drain(RedisLink(redis_url, 5_000), place, lambda _: None)

    assert journals.left() == 30
    gone.write_bytes(content)
    drain(RedisLink(redis_url, 5_000), place, lambda _: None)
    assert archived_names(place) == sorted(journals.names)
    assert faults(place) == []


def test_a_loss_that_is_accepted_stays_a_fault(redis_url: str, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    journals = an_archive(redis_url, place)
    max(place.glob("_log/*")).unlink()
    journals.add(30)

    words = ["archive", "--redis", redis_url, "--archive", str(place), "--accept-loss"]
    assert CliRunner().invoke(app, words).exit_code == 0

    assert journals.left() == 0
    (fault,) = faults(place)
    assert "journal entries after those of the link before are missing" in fault


def test_a_log_that_was_removed_is_not_made_anew_by_the_way(redis_url: str, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    journals = an_archive(redis_url, place)
    shutil.rmtree(place / "_log")
    journals.add(10)

    with pytest.raises(SetupError, match="put _log and _manifests back"):
        drain(RedisLink(redis_url, 5_000), place, lambda _: None)

    assert not (place / "_log").exists()
    adopted = CliRunner().invoke(app, ["audit", "adopt", "--archive", str(place)])
    assert adopted.exit_code == 0, adopted.exception
    drain(RedisLink(redis_url, 5_000), place, lambda _: None)
    told = CliRunner().invoke(app, ["audit", "verify", "--archive", str(place)])
    assert told.exit_code == 0
    assert "as they lay there: what they held before, nobody can say" in told.output
    assert archived_names(place) == sorted(journals.names)


def test_what_was_left_before_the_first_commit_does_not_stop_the_next(
    redis_url: str, tmp_path: Path
) -> None:
    place = tmp_path / "archive"
    other = an_archive(redis_url, tmp_path / "elsewhere")
    other.add(20)
    one = Drain(RedisLink(redis_url, 5_000), place)
    one.open()

    def killed(*_: object) -> bool:
        raise KeyboardInterrupt

    one.log.storage.put_if_absent = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        one.move(one.newest([0, 1, 2]))
    assert list(place.glob("day=*/*"))
    assert not list(place.glob("_log/*"))

    drain(RedisLink(redis_url, 5_000), place, lambda _: None)

    assert len(archived_names(place)) == 20
    assert faults(place) == []
