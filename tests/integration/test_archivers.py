"""Several archivers, killed, frozen and out of room: every record is archived exactly once."""

import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.journals import Journals, archived_names, decision_of
from tests.redis_processes import ClusterSet, wait_until

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import Drain, drain
from fanzha.archive.log import ArchiveLog
from fanzha.archive.machine_key import signer_for, trusted_folder
from fanzha.archive.verify import Outside, verify
from fanzha.domain.errors import SetupError
from fanzha.domain.ids import new_decision_id
from fanzha.domain.record import ExecutionRecord
from fanzha.domain.vocabulary import ExecutionStatus

ROOT = Path(__file__).parents[2]


def command(url: str, place: Path | str, *options: str) -> list[str]:
    start = [sys.executable, "-m", "fanzha", "archive", "--redis", url, "--archive", str(place)]
    return [*start, *options]


class Archivers:
    """`fanzha archive` processes; all are gone in the end."""

    def __init__(self, url: str, place: Path | str, log: Path) -> None:
        self.url, self.place = url, place
        self._log = log.open("ab")
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        one = subprocess.Popen(
            command(self.url, self.place, *options), stdout=self._log, stderr=self._log
        )
        self.all.append(one)
        return one

    def stop(self) -> None:
        for one in self.all:
            if one.poll() is None:
                one.send_signal(signal.SIGCONT)
                one.kill()
            one.wait(timeout=20)
        self._log.close()


@pytest.fixture
def archivers(redis_url: str, tmp_path: Path) -> Iterator[Archivers]:
    several = Archivers(redis_url, tmp_path / "archive", tmp_path / "archivers.log")
    yield several
    several.stop()


def faults(place: Path | str, **outside: Any) -> list[str]:
    """Return what a check of the archive finds."""
    ignore = lambda _: None  # noqa: E731
    keys_of = trusted_folder(place, outside.pop("keys", None))
    found = verify(place, keys_of, Outside(**outside), None, ignore, ignore)
    return [f"{fault.place}: {fault.what}" for fault in found.faults]


FAST = ("--follow", "--round-rows", "200", "--round-seconds", "0.2")


def test_archivers_killed_at_random_instants_lose_and_double_nothing(
    redis_url: str, archivers: Archivers, tmp_path: Path
) -> None:
    journals, rng = Journals(redis_url, seed=5), random.Random(6)
    running = [archivers.start(*FAST) for _ in range(2)]
    wait_until(lambda: (journals.add(50), list((tmp_path / "archive/_log").glob("*.json")))[1],
               "archivers are at work")  # fmt: skip

    for _ in range(8):
        journals.add(600)
        time.sleep(rng.uniform(0.05, 0.6))
        place = rng.randrange(2)
        running[place].kill()
        running[place].wait(timeout=10)
        running[place] = archivers.start(*FAST)
    journals.add(100)
    wait_until(lambda: journals.left() == 0, "everything is archived", 60)
    for one in running:
        one.terminate()

    assert [one.wait(timeout=20) for one in running] == [0, 0]
    assert archived_names(tmp_path / "archive") == sorted(journals.names)
    assert faults(tmp_path / "archive") == []


def test_an_archiver_frozen_anywhere_doubles_nothing_when_it_wakes(
    redis_url: str, archivers: Archivers, tmp_path: Path
) -> None:
    journals, rng = Journals(redis_url, seed=7), random.Random(8)
    for _ in range(3):
        journals.add(1_500)
        frozen = archivers.start("--round-rows", "100")
        commits = len(list((tmp_path / "archive/_log").glob("*.json")))
        wait_until(lambda n=commits: len(list((tmp_path / "archive/_log").glob("*.json"))) > n,
                   "the first is at work")  # fmt: skip
        time.sleep(rng.uniform(0.0, 0.1))
        frozen.send_signal(signal.SIGSTOP)
        done = drain(RedisLink(redis_url, 5_000), tmp_path / "archive", lambda _: None)
        frozen.send_signal(signal.SIGCONT)

        assert frozen.wait(timeout=30) == 0
        assert done.rows > 0
    assert journals.left() == 0
    assert archived_names(tmp_path / "archive") == sorted(journals.names)
    assert faults(tmp_path / "archive") == []


def test_one_that_wakes_after_another_moved_its_entries_gives_up_and_leaves_no_file(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = Journals(redis_url)
    journals.add(300)
    sleeper = Drain(RedisLink(redis_url, 5_000), tmp_path / "archive")
    sleeper.open()
    put = sleeper.log.storage.put_if_absent
    moved = []

    def after_another(path: str, content: bytes) -> bool:
        # Its files are written; now the other does the same round, commits and trims.
        if not moved:
            moved.append(drain(RedisLink(redis_url, 5_000), tmp_path / "archive", lambda _: None))
        return put(path, content)

    monkeypatch.setattr(sleeper.log.storage, "put_if_absent", after_another)
    with pytest.raises(Exception, match="another archiver moved bucket"):
        sleeper.move(sleeper.newest(list(range(256))))

    assert archived_names(tmp_path / "archive") == sorted(journals.names)
    named = {file.path for file in ArchiveLog(tmp_path / "archive").files()}
    there = {str(x.relative_to(tmp_path / "archive"))
             for x in (tmp_path / "archive").glob("day=*/*")}  # fmt: skip
    assert there == named


def test_one_that_only_lost_the_race_for_a_number_takes_the_next(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = Journals(redis_url)
    journals.add(400)
    first = Drain(RedisLink(redis_url, 5_000), tmp_path / "archive")
    second = Drain(RedisLink(redis_url, 5_000), tmp_path / "archive")
    for one in (first, second):
        one.open()
    newest = first.newest(list(range(256)))
    put, moved = first.log.storage.put_if_absent, []

    def after_the_second(path: str, content: bytes) -> bool:
        if not moved:
            moved.append(second.move({b: x for b, x in newest.items() if b >= 128}))
        return put(path, content)

    monkeypatch.setattr(first.log.storage, "put_if_absent", after_the_second)
    first.move({b: x for b, x in newest.items() if b < 128})

    assert first.log.head[0] == 2
    assert archived_names(tmp_path / "archive") == sorted(journals.names)
    assert faults(tmp_path / "archive") == []


@pytest.mark.parametrize("lost", ["the cursor", "the cursor and new ones come", "everything"])
def test_what_redis_forgot_of_its_progress_is_not_archived_twice(
    redis_url: str, tmp_path: Path, lost: str
) -> None:
    journals = Journals(redis_url, buckets=4)
    journals.add(200)
    client, link = journals.client, RedisLink(redis_url, 5_000)
    before = {bucket: client.xrange(keys.journal(bucket)) for bucket in range(4)}
    drain(link, tmp_path, lambda _: None)

    client.delete(*(keys.archived(bucket) for bucket in range(4)))
    if lost != "everything":
        for bucket, entries in before.items():
            client.delete(keys.journal(bucket))
            for stream_id, fields in entries[5:]:
                client.xadd(keys.journal(bucket), fields, id=stream_id)
    if lost != "the cursor":
        journals.add(40)
    done = drain(link, tmp_path, lambda _: None)

    assert done.rows == (0 if lost == "the cursor" else 40)
    assert archived_names(tmp_path) == sorted(journals.names)
    assert journals.left() == 0
    assert faults(tmp_path) == []


@pytest.mark.parametrize("is_flagged", [True, False])
def test_a_decision_that_was_sent_again_is_one_decision_and_its_change_is_kept(
    redis_url: str, tmp_path: Path, *, is_flagged: bool
) -> None:
    client, link = Journals(redis_url).client, RedisLink(redis_url, 5_000)
    token = bytes(15) + b"\x07"
    # Without the flag its age tells that it is not new.
    made_ms = time.time_ns() // 1_000_000 - (0 if is_flagged else 600_000)
    name, body = decision_of(token, made_ms, bytes(9))
    sent = {"k": "decision", "a": token, "s": "1", "o": "1", "c": bytes(40), "b": body}
    client.xadd(keys.journal(7), sent)
    drain(link, tmp_path, lambda _: None)
    again = sent | {"s": "900", "p": "0"} | ({"r": "1"} if is_flagged else {})

    client.xadd(keys.journal(7), again)
    drain(link, tmp_path, lambda _: None)
    client.xadd(keys.journal(7), again)
    drain(link, tmp_path, lambda _: None)

    assert archived_names(tmp_path) == [f"C-{token.hex()}-900", f"D-{name}"]
    assert faults(tmp_path, cursors={7: client.get(keys.archived(7)).decode()}) == []


def test_a_report_that_was_sent_again_is_one_report_and_its_change_is_kept(
    redis_url: str, tmp_path: Path
) -> None:
    client, link = Journals(redis_url).client, RedisLink(redis_url, 5_000)
    token, now_ms = bytes(15) + b"\x07", time.time_ns() // 1_000_000
    name = new_decision_id(now_ms, 7, bytes(9))
    body = encode(ExecutionRecord(name, ExecutionStatus.POSTED, now_ms, now_ms))
    sent = {"k": "execution", "a": token, "s": "1", "o": "3", "c": bytes(40), "b": body}
    client.xadd(keys.journal(7), sent)
    drain(link, tmp_path, lambda _: None)
    # What came first to the new Redis is archived already, so that nothing looks like a loss.
    client.xadd(keys.journal(7), sent | {"s": "899", "p": "0", "k": "change"})
    drain(link, tmp_path, lambda _: None)

    client.xadd(keys.journal(7), sent | {"s": "900"})
    drain(link, tmp_path, lambda _: None)

    changes = [f"C-{token.hex()}-{seq}" for seq in (899, 900)]
    assert archived_names(tmp_path) == [*changes, f"E-{name}"]
    assert faults(tmp_path, cursors={7: client.get(keys.archived(7)).decode()}) == []


def test_notes_that_reach_the_journal_twice_are_one(redis_url: str, tmp_path: Path) -> None:
    client, link = Journals(redis_url).client, RedisLink(redis_url, 5_000)
    for body in (b"one", b"one", b"two"):
        client.xadd(keys.journal(0), {"k": "model_change", "b": body})
        drain(link, tmp_path, lambda _: None)

    assert len(archived_names(tmp_path)) == 2
    assert faults(tmp_path, cursors={0: client.get(keys.archived(0)).decode()}) == []


def test_a_full_disk_fails_the_round_trims_nothing_and_goes_on_with_room(
    redis_url: str, archivers: Archivers, tmp_path: Path
) -> None:
    journals = Journals(redis_url)
    one = archivers.start("--follow", "--round-seconds", "0.1")
    journals.add(50)
    wait_until(lambda: journals.left() == 0, "the first round is done")
    # Files may not grow any more, as on a full disk; the log of the process is one too.
    resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
    journals.add(500)
    wait_until(lambda: journals.left() == 500, "records wait")
    time.sleep(3)

    assert journals.left() == 500
    assert one.poll() is None
    resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    wait_until(lambda: journals.left() == 0, "there is room again")
    assert archived_names(tmp_path / "archive") == sorted(journals.names)
    assert faults(tmp_path / "archive") == []
    assert list((tmp_path / "archive").glob("day=*/.*")) == []


def test_a_full_disk_is_said_by_a_run_that_is_to_end(redis_url: str, tmp_path: Path) -> None:
    journals = Journals(redis_url)
    journals.add(300)
    drain(RedisLink(redis_url, 5_000), tmp_path / "archive", lambda _: None)
    journals.add(300)
    done = subprocess.run(
        command(redis_url, tmp_path / "archive"), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000)),
    )  # fmt: skip

    assert done.returncode == 1
    assert "cannot write the archive" in done.stderr
    assert "nothing that is not safe was trimmed" in done.stderr
    assert journals.left() == 300


def test_buckets_are_shared_fairly_and_taken_over(redis_url: str, tmp_path: Path) -> None:
    several = [Drain(RedisLink(redis_url, 5_000), tmp_path / "archive") for _ in range(3)]
    leases = [one.leases for one in several]
    for lease, _ in itertools.product(leases, range(3)):
        lease._next_s = 0
    for _ in range(4):
        for lease in leases:
            lease._next_s = 0
            lease.take()

    held = [set(lease.mine) for lease in leases]
    assert sorted(len(some) for some in held) == [84, 86, 86]
    assert set.union(*held) == set(range(256))
    leases[0].release()
    for _ in range(2):
        for lease in leases[1:]:
            lease._next_s = 0
            lease.take()
    assert sorted(len(lease.mine) for lease in leases[1:]) == [128, 128]


def test_over_a_cluster(short_dir: Path, tmp_path: Path) -> None:
    with ClusterSet(short_dir / "cluster") as cluster:
        link = RedisLink(cluster.url, 5_000)
        names = []
        for bucket in range(0, 256, 3):
            token = bytes(14) + b"\x01" + bytes([bucket])
            name, body = decision_of(token, time.time_ns() // 1_000_000, os.urandom(9))
            names.append(f"D-{name}")
            entry = ("k", "decision", "a", token, "s", 1, "o", 1, "c", bytes(40), "b", body)
            link.run([("XADD", keys.journal(bucket), "*", *entry)])
        done = drain(link, tmp_path, lambda _: None)
        again = drain(link, tmp_path, lambda _: None)
        link.close()

    assert (done.rows, again.rows) == (len(names), 0)
    assert archived_names(tmp_path) == sorted(names)
    assert faults(tmp_path) == []


def test_an_archive_from_before_there_was_a_log_is_taken_in(redis_url: str, tmp_path: Path) -> None:
    journals, link = Journals(redis_url), RedisLink(redis_url, 5_000)
    journals.add(100)
    drain(link, tmp_path, lambda _: None)
    shutil.rmtree(tmp_path / "_log")
    for file in tmp_path.glob("day=*/*"):
        named_by_places(file)
    before = archived_names(tmp_path)
    journals.names.clear()

    journals.add(50)
    drain(link, tmp_path, lambda _: None)

    assert len(before) == 100
    assert archived_names(tmp_path) == sorted([*before, *journals.names])
    assert faults(tmp_path) == []


def named_by_places(file: Path) -> None:
    """Name a file's records by their places in the journal, as the first archives did."""
    table = pq.read_table(file)
    places = zip(table["bucket"].to_pylist(), table["stream_id"].to_pylist(), strict=True)
    names = pa.array([f"{bucket}-{stream_id}" for bucket, stream_id in places])
    at = table.column_names.index("record_id")
    pq.write_table(table.set_column(at, "record_id", names), file)


@pytest.fixture
def bucket_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a real S3-compatible server."""
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/s3_server.py")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        for name, value in (
            ("ACCESS_KEY_ID", "a"),
            ("SECRET_ACCESS_KEY", "b"),
            ("DEFAULT_REGION", "us-east-1"),
            ("EC2_METADATA_DISABLED", "true"),
        ):
            monkeypatch.setenv(f"AWS_{name}", value)
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
        client.create_bucket(Bucket="records")
        client.close()
        yield f"s3://records/bank?endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
    finally:
        server.kill()
        server.wait(timeout=10)
        if server.stdout is not None:
            server.stdout.close()


def test_two_archivers_race_for_a_bucket_of_s3(
    redis_url: str, bucket_url: str, tmp_path: Path
) -> None:
    journals = Journals(redis_url)
    signer_for(tmp_path / "near", None, None)
    key = tmp_path / "near-keys" / "archiver.key"
    several = Archivers(redis_url, bucket_url, tmp_path / "archivers.log")
    try:
        journals.add(3_000)
        for _ in range(2):
            several.start("--round-rows", "300", "--sign-with", str(key), "--as", "archiver")
        codes = [one.wait(timeout=120) for one in several.all]
    finally:
        several.stop()

    assert codes == [0, 0], (tmp_path / "archivers.log").read_text()
    assert journals.left() == 0
    assert archived_names(bucket_url) == sorted(journals.names)
    assert faults(bucket_url, keys=tmp_path / "near-keys" / "trusted") == []


def test_an_archive_in_s3_needs_a_key(redis_url: str) -> None:
    with pytest.raises(SetupError, match="--sign-with"):
        drain(RedisLink(redis_url, 5_000), "s3://records/bank", lambda _: None)
