"""A removal that is killed, or finds no room, leaves nothing that a second run does not clear."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.test_audit import (
    NOW_MS,
    OLD_MS,
    RULES,
    close,
    day_of,
    parts,
    run,
    verify,
)
from tests.journals import DAY_MS, Journals

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.signing.keys import make_key

KILLED = """
import os, sys
from fanzha.archive import storage
storage.Storage.remove = lambda *_: os.kill(os.getpid(), 9)
from fanzha.__main__ import main
main()
"""


@pytest.fixture
def aged(redis_url: str, tmp_path: Path) -> Path:
    """An archive with decisions of two days twelve years ago, closed, and of now."""
    archive = tmp_path / "archive"
    journals = Journals(redis_url, buckets=5)
    for time_ms, count in ((OLD_MS, 400), (OLD_MS - DAY_MS, 50), (NOW_MS, 100)):
        journals.add(count, time_ms)
    drain(RedisLink(redis_url, 5_000), archive, lambda _: None)
    close(archive, day_of(OLD_MS))
    return archive


def old_files(archive: Path) -> list[Path]:
    return [file for file in parts(archive) if day_of(NOW_MS) not in str(file)]


def test_killed_after_its_tombstone_a_second_run_removes_what_expired(aged: Path) -> None:
    words = ["audit", "expire", "--archive", str(aged), "--apply"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], check=False, capture_output=True
    )
    assert killed.returncode == -9
    assert len(old_files(aged)) == 2
    assert "because its removal was cut off" in verify(aged).output

    again = run(*words)

    assert again.exit_code == 0, again.exception
    assert "removed 2 file(s) that were left" in again.stdout
    assert old_files(aged) == []
    assert verify(aged).exit_code == 0


def test_without_room_it_says_so_and_leaves_nothing(aged: Path, tmp_path: Path) -> None:
    rules, proposal = tmp_path / "rules.yaml", tmp_path / "proposal.json"
    rules.write_text(RULES)
    for name in ("wang", "li"):
        public = make_key(name, tmp_path / f"{name}.key")
        public.rename(tmp_path / "archive-keys" / "trusted" / public.name)
    start = ["audit", "expire", "--archive", str(aged)]
    wang = ["--key", str(tmp_path / "wang.key"), "--as", "wang"]
    assert run(*start, "--rules", rules, "--propose", proposal, *wang).exit_code == 0
    before = sorted(aged.rglob("*"))
    apply = [*start, "--proposal", str(proposal), "--apply"]
    apply += ["--key", str(tmp_path / "li.key"), "--as", "li"]
    # The first file that takes the place of one fits, the second does not.
    room = min(file.stat().st_size for file in old_files(aged))

    full = subprocess.run(
        [sys.executable, "-m", "fanzha", *apply], capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip

    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    assert "make room, and start again" in full.stderr
    assert sorted(aged.rglob("*")) == before
    done = run(*apply)
    assert done.exit_code == 0, done.exception
    assert verify(aged).exit_code == 0


def test_the_same_round_of_two_archivers_is_no_fault(aged: Path) -> None:
    file = parts(aged)[-1]
    (file.parent / "part-1790000000000-0a0a0a0a.parquet").write_bytes(file.read_bytes())

    result = verify(aged)

    assert result.exit_code == 0, result.output
    assert "another did the same round" in result.output
