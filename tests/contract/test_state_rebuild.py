"""Redis lost everything: rebuilt, decisions go on as in a twin that never lost anything."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tests.builders import a_request
from tests.conftest import Service
from tests.contract.test_served_parity import (
    a_client,
    a_payment,
    an_execution,
    an_outcome,
    archive,
    feature,
    wait_until_relayed,
)
from tests.redis_processes import RedisProcess

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.rebuild_marks import Marks
from fanzha.domain.ids import BUCKETS
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring

THREADS = 4


@pytest.fixture
def redis_of(tmp_path: Path) -> Iterator[Callable[[str], RedisProcess]]:
    """Start Redis processes by name; all are stopped in the end."""
    started: list[RedisProcess] = []

    def start(name: str) -> RedisProcess:
        started.append(RedisProcess(tmp_path / name))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def serve_on(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services with one token key, each in a folder of its own; all are stopped."""
    key = tmp_path / "token.key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    started: list[Service] = []

    def start(store: RedisProcess, name: str, *options: str) -> Service:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        own = ("--redis", store.url, "--token-key-file", str(key))
        started.append(Service(folder, *own, *options))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


def command(*words: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", *words]
    return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=300)


def rebuild(store: RedisProcess, folder: Path) -> dict[str, int]:
    done = command(
        "fanzha", "state", "rebuild", "--redis", store.url, "--archive", str(folder), "--json"
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


def skew(folder: Path) -> dict[str, Any]:
    done = command("fanzha_training", "skew", "--archive", str(folder), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def some_lives(service: Service, seed: int, transfers: int = 40) -> list[str]:
    """Let several clients pay, report and withdraw at once; return their decisions' ids."""
    with ThreadPoolExecutor(THREADS) as pool:
        ids = pool.map(
            lambda number: a_client(service, number, transfers), range(seed, seed + THREADS)
        )
        return [decision for part in ids for decision in part]


def import_lists(service: Service, folder: Path, account: str) -> None:
    table = folder / f"{account}.csv"
    table.write_text(
        "kind,identifier,grade,source,case_number,legal_basis,valid_from,valid_until\n"
        f"account,{account},suspicious,police,A-1,law,,2099-01-01T00:00:00+08:00\n"
    )
    people = ("--proposed-by", "one", "--approved-by", "two")
    done = command("fanzha", "lists", "import", str(table), "--address", service.address, *people)
    assert done.returncode == 0, done.stderr


def subjects_in(store: RedisProcess) -> dict[bytes, dict[bytes, bytes]]:
    """Return what Redis holds of accounts, links, lists and outcomes, but for sequences."""
    with store.client() as client:
        found = {}
        for pattern in ("*:account:*", "*:link:*", "*:list:*", "*:outcomes:*"):
            for key in client.scan_iter(pattern, count=1000):
                held = client.hgetall(key)
                found[key] = {
                    field: value
                    for field, value in held.items()
                    if field != b"seq"
                    and not (b":link:" in key and field[:1] == b"v")
                    and not (
                        field in (b"mule", b"links", b"reports", b"pairs") and value in (b"0", b"")
                    )
                }
        return found


def differences(
    one: RedisProcess, other: RedisProcess
) -> list[tuple[bytes, bytes, bytes | None, bytes | None]]:
    """Return key, field and both values, where two Redis hold different things."""
    here, there = subjects_in(one), subjects_in(other)
    return [
        (key, field, here.get(key, {}).get(field), there.get(key, {}).get(field))
        for key in here.keys() | there.keys()
        for field in here.get(key, {}).keys() | there.get(key, {}).keys()
        if here.get(key, {}).get(field) != there.get(key, {}).get(field)
    ]


def lives_in(store: RedisProcess, pattern: str) -> dict[bytes, tuple[bytes, float]]:
    """Return value and remaining life, in seconds, of keys."""
    with store.client() as client:
        return {
            key: (client.get(key), client.pttl(key) / 1000)
            for key in client.scan_iter(pattern, count=1000)
        }


def go_on(service: Service, store: RedisProcess, old: list[str], start_s: int) -> None:
    """Send the same calls to whichever service, one after the other, relayed at once."""
    rng = random.Random(7)
    scores = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    reports = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    new: list[str] = []
    for number in range(60):
        request = a_payment(rng)
        request.request_id = f"go-on-{number}"
        request.transfer.create_time.FromSeconds(start_s + number)
        new.append(scores.ScoreTransfer(request).decision_id)
        known = rng.choice([old, new])
        place = rng.randrange(len(known) if known is old else number + 1)
        if rng.random() < 0.5:
            reports.ReportExecution(an_execution(known[place], rng))
        if rng.random() < 0.2:
            said = an_outcome(known[place], rng)
            said.outcome.report_time.FromSeconds(start_s + number)
            reports.RecordOutcome(said)
        wait_until_relayed(store.url)


def wait_until_whole(service: Service) -> None:
    """Ask until nothing is missing from an answer."""
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(grpc.RpcError):
            if not stub.ScoreTransfer(a_request()).degraded_parts:
                return
        time.sleep(0.2)
    raise AssertionError("answers stay degraded")


def vectors_by_request(folder: Path, prefix: str) -> dict[str, bytes]:
    from fanzha_training.building.archive_source import read_archive  # noqa: PLC0415

    found = read_archive(folder).decisions
    ids = found.frame["request_id"].to_list()
    pairs = zip(ids, found.vectors, strict=True)
    return {name: row.tobytes() for name, row in pairs if name.startswith(prefix)}


def test_decisions_go_on_as_in_a_twin_that_lost_nothing(
    redis_of: Callable[[str], RedisProcess],
    serve_on: Callable[..., Service],
    tmp_path: Path,
) -> None:
    twin = redis_of("twin")
    service = serve_on(twin, "first")
    import_lists(service, tmp_path, "6222020200000000001")
    old = some_lives(service, 0)
    import_lists(service, tmp_path, "6222020200000000002")
    repeated = a_request("asked-twice")
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    answer = stub.ScoreTransfer(repeated)
    wait_until_relayed(twin.url)
    service.stop()
    folder = tmp_path / "archive"
    archive(twin.url, folder)
    shutil.copytree(folder, tmp_path / "archive-of-twin")
    new = redis_of("new")

    found = rebuild(new, folder)

    assert found["subjects"] > 40
    assert (found["imports"], found["unreadable"]) == (2, 0)
    assert differences(new, twin) == []
    for pattern in ("*:request:*", "*:decision:*", "*:execution:*", "*:received:*"):
        kept, brought = lives_in(twin, pattern), lives_in(new, pattern)
        assert {key: value for key, (value, _) in kept.items()} == {
            key: value for key, (value, _) in brought.items()
        }, pattern
        # It begins with the decision, or its report, a moment before Redis had it.
        assert all(abs(kept[key][1] - brought[key][1]) < 60 for key in kept), pattern
    with twin.client() as one, new.client() as other:
        assert other.zrange(keys.LIST_IMPORTS, 0, -1, withscores=True) == one.zrange(
            keys.LIST_IMPORTS, 0, -1, withscores=True
        )
        for counter in (keys.LIST_COUNTER, keys.LIST_COMMITS):
            assert other.get(counter) == one.get(counter)

    start_s = int(time.time())
    for store, name in ((twin, "on-twin"), (new, "on-new")):
        service = serve_on(store, name)
        stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)
        assert stub.ScoreTransfer(repeated) == answer
        go_on(service, store, old, start_s)
        service.stop()
    archive(twin.url, tmp_path / "archive-of-twin")
    archive(new.url, folder)

    served = vectors_by_request(folder, "go-on-")
    assert len(served) == 60
    assert served == vectors_by_request(tmp_path / "archive-of-twin", "go-on-")
    result = skew(folder)
    assert (result["differences"], result["after_gap"], result["subjects_with_gaps"]) == (0, 0, 0)
    assert result["compared"] == len(old) + 1 + 60
    # The test means something only if history was seen.
    vectors = np.array([np.frombuffer(row, np.float32) for row in served.values()])
    assert np.nanmax(vectors[:, feature("out_count_7d")]) > 3
    assert np.nanmax(vectors[:, feature("payee_mule_reports")]) > 0
    assert np.nanmax(vectors[:, feature("device_accounts")]) > 3


def test_nothing_that_is_there_counts_as_a_gap_after_a_loss_without_a_rebuild(
    redis_of: Callable[[str], RedisProcess],
    serve_on: Callable[..., Service],
    tmp_path: Path,
) -> None:
    store = redis_of("store")
    service = serve_on(store, "service")
    first = some_lives(service, 0)
    wait_until_relayed(store.url)
    archive(store.url, tmp_path / "archive")
    store.kill()
    store.restart(empty=True)
    wait_until_whole(service)
    second = some_lives(service, 50)
    wait_until_relayed(store.url)
    archive(store.url, tmp_path / "archive")

    result = skew(tmp_path / "archive")

    assert (result["differences"], result["after_gap"], result["subjects_with_gaps"]) == (0, 0, 0)
    assert result["decisions"] > len(first) + len(second)


def test_a_rebuild_that_was_cut_off_goes_on_and_one_that_is_done_is_not_repeated(
    redis_of: Callable[[str], RedisProcess],
    serve_on: Callable[..., Service],
    tmp_path: Path,
) -> None:
    twin = redis_of("twin")
    service = serve_on(twin, "service")
    some_lives(service, 0, 25)
    wait_until_relayed(twin.url)
    service.stop()
    folder = tmp_path / "archive"
    archive(twin.url, folder)
    new = redis_of("new")
    link = RedisLink(new.url, 5_000)
    marks = Marks(link)
    marks.begin(0, 1_800_000_000)
    link.run([("HSET", keys.account(bytes(16)), "out", "half written")])
    link.run([("DEL", keys.account(bytes(16)))])
    link.close()

    rebuild(new, folder)
    with new.client() as client:
        bases = {int(client.get(keys.epoch(bucket))) >> 20 for bucket in range(BUCKETS)}
    again = command("fanzha", "state", "rebuild", "--redis", new.url, "--archive", str(folder))

    assert subjects_in(new) == subjects_in(twin)
    assert again.returncode == 1
    assert "not empty" in again.stderr
    assert "FLUSHALL" in again.stderr
    with new.client() as client:
        assert not list(client.scan_iter("*rebuilding*"))
    assert bases == {1_800_000_000}


def test_nobody_uses_a_redis_that_is_being_rebuilt(
    redis_of: Callable[[str], RedisProcess],
    serve_on: Callable[..., Service],
    tmp_path: Path,
) -> None:
    store = redis_of("store")
    link = RedisLink(store.url, 5_000)
    marks = Marks(link)
    bases, _ = marks.begin(0, int(time.time()))
    service = serve_on(store, "service")
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)

    during = stub.ScoreTransfer(a_request())
    with store.client() as client:
        written = list(client.scan_iter("*:account:*"))
    # Every bucket's state is there: the next call finds the door open.
    link.run([("SET", keys.rebuilding(b), f"+{bases[b]}") for b in range(BUCKETS)])
    marks.end()
    wait_until_whole(service)
    link.close()

    unread = {scoring.DEGRADED_PART_PAYER_HISTORY, scoring.DEGRADED_PART_PAYEE_HISTORY}
    assert unread | {scoring.DEGRADED_PART_JOURNAL} <= set(during.degraded_parts)
    assert written == []
