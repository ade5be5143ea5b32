"""The link against one real Redis: freezes, restarts, time-outs, many threads."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.redis_processes import RedisProcess, wait_until

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS

TIMEOUT_MS = 100
_ALL = frozenset(range(BUCKETS))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    folder = tmp_path_factory.mktemp("redis")
    with RedisProcess(folder, "--appendonly", "yes", "--appendfsync", "always") as process:
        yield process


@pytest.fixture
def link(server: RedisProcess) -> Iterator[RedisLink]:
    link = RedisLink(server.url, TIMEOUT_MS)
    yield link
    link.close()


def answers(link: RedisLink) -> bool:
    try:
        return bool(link.run([("TIME",)]))
    except StoreUnavailableError:
        return False


def test_replies_come_in_order_and_scripts_load_themselves(
    link: RedisLink, server: RedisProcess
) -> None:
    server.ask("SCRIPT", "FLUSH")
    account, lists = keys.account(bytes(16)), keys.list_entries(bytes(16))
    epoch = keys.epoch(0)
    gather = link.scripts.call("gather", (account, lists, epoch), (b"", b""))
    first, state, last = link.run([("ECHO", "one"), gather, ("ECHO", b"two")])
    assert (first, last) == (b"one", b"two")
    assert len(state) >= 8


def test_a_refused_command_does_not_hide_the_other_replies(link: RedisLink) -> None:
    link.run([("SET", b"{b1}:text", "x")])
    commands = [("ECHO", "a"), ("HGETALL", b"{b1}:text"), ("ECHO", "b")]
    first, refused, last = link.try_run(commands)
    assert (first, last) == (b"a", b"b")
    assert isinstance(refused, StoreUnavailableError)
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        link.run(commands)
    assert link.is_available(1)


def test_a_frozen_redis_costs_one_time_out_and_then_nothing(
    link: RedisLink, server: RedisProcess
) -> None:
    link.run([("TIME",)])
    server.freeze()
    try:
        with pytest.raises(StoreUnavailableError):
            link.run([("TIME",)])
        assert not link.is_available(0)
        began = time.process_time()
        for _ in range(2_000):
            with pytest.raises(StoreUnavailableError, match="left alone"):
                link.run([("TIME",)])
        # Two thousand time-outs would be 200 s, and none of them processor time.
        assert time.process_time() - began < 10
        assert link.servers()[0].failures == 1
    finally:
        server.resume()
    wait_until(lambda: answers(link), "the link recovers")
    assert link.is_available(0)


def test_a_frozen_redis_makes_nobody_wait_past_the_deadline(
    link: RedisLink, server: RedisProcess
) -> None:
    link.run([("TIME",)])
    patient = RedisLink(server.url, 60_000)
    patient.run([("TIME",)])
    server.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            patient.run([("TIME",)], deadline_s=began + 0.05)
        # Without the deadline it would be a minute.
        assert time.monotonic() - began < 20
        assert patient.is_available(0), "a call without time says nothing about the server"
    finally:
        server.resume()
        patient.close()


def test_calls_without_time_have_a_frozen_redis_found_out(
    link: RedisLink, server: RedisProcess
) -> None:
    link.run([("TIME",)])
    server.freeze()
    try:
        for _ in range(5):
            link.try_run([("TIME",)], deadline_s=time.monotonic() + 0.01)
        wait_until(lambda: not link.is_available(0), "the keeper has looked for itself")
    finally:
        server.resume()
    wait_until(lambda: answers(link), "the link recovers")


def test_a_call_without_time_left_sends_nothing(link: RedisLink) -> None:
    link.run([("SET", b"{b1}:untouched", "0")])
    with pytest.raises(StoreUnavailableError, match="time is over"):
        link.run([("SET", b"{b1}:untouched", "1")], deadline_s=time.monotonic() - 1)
    assert link.run([("GET", b"{b1}:untouched")]) == [b"0"]


def test_late_replies_are_never_taken_for_other_answers(server: RedisProcess) -> None:
    """Every reply echoes its own command, while the server is frozen and resumed all the time."""
    link = RedisLink(server.url, 15)
    stop = threading.Event()
    wrong: list[Any] = []
    counts = {"answered": 0, "late": 0}
    lock = threading.Lock()

    def ask(thread: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            sent = [f"{thread}-{number}-{place}".encode() for place in range(4)]
            deadline_s = time.monotonic() + (0.004 if number % 3 else 0.5)
            replies = link.try_run([("ECHO", text) for text in sent], deadline_s=deadline_s)
            for text, reply in zip(sent, replies, strict=True):
                is_late = isinstance(reply, StoreUnavailableError)
                if not is_late and reply != text:
                    wrong.append((text, reply))
            with lock:
                counts["late" if is_late else "answered"] += 1
            time.sleep(0.001)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(25):
        server.freeze()
        time.sleep(0.02)
        server.resume()
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    link.close()
    assert wrong == []
    assert min(counts.values()) > 20, counts


def test_many_threads_do_not_storm_a_redis_that_comes_back(server: RedisProcess) -> None:
    """While it is away, one connection at a time tries, whatever the number of callers."""
    link = RedisLink(server.url, 50)
    # A busy machine may take longer than a server may for the first answer.
    wait_until(lambda: isinstance(link.try_run([("TIME",)])[0], list), "it answers")
    before = int(info(server, "stats")[b"total_connections_received"])
    server.freeze()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            link.try_run([("TIME",)])
            time.sleep(0.0005)

    with ThreadPoolExecutor(32) as pool:
        for _ in range(32):
            pool.submit(ask)
        wait_until(lambda: not link.is_available(0), "the breaker opens")
        time.sleep(2)
        stop.set()
    server.resume()
    received = int(info(server, "stats")[b"total_connections_received"]) - before
    link.close()
    # Each of 31 threads may have begun one connection before the first failure; then only probes,
    # of which two seconds have room for about eight.
    assert received <= 31 + 16


def info(server: RedisProcess, section: str) -> dict[bytes, bytes]:
    lines = server.ask("INFO", section).splitlines()
    return dict(line.split(b":", 1) for line in lines if b":" in line)


def test_another_process_begins_epochs_before_anything_else(tmp_path: Path) -> None:
    with RedisProcess(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        link = RedisLink(server.url, 2_000)
        told: list[tuple[frozenset[int], bool]] = []
        link.on_lineage(lambda buckets, was_empty: told.append((buckets, was_empty)))
        epoch = ("GET", keys.epoch(7))
        first = int(link.run([epoch])[0])
        assert wait_until(lambda: told, "told of the first process") == [(_ALL, True)]

        server.kill()
        server.restart()
        wait_until(lambda: answers(link), "the link recovers")
        second = int(link.run([epoch])[0])
        assert second > first
        wait_until(lambda: len(told) == 2, "told of the restart")
        assert told[1] == (_ALL, False)

        server.kill()
        server.restart(empty=True)
        wait_until(lambda: answers(link), "the link recovers")
        assert int(link.run([epoch])[0]) > second
        wait_until(lambda: len(told) == 3, "told of the loss")
        assert told[2] == (_ALL, True)
        link.close()


def test_the_log_tells_an_emptied_redis_from_a_restarted_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What runbooks quote; who comes second cannot tell, and says so."""
    with RedisProcess(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        first, second = RedisLink(server.url, 2_000), RedisLink(server.url, 2_000)
        for link in (first, second):
            link.run([("PING",)])
        server.kill()
        server.restart()
        wait_until(lambda: answers(first), "the link recovers")
        server.kill()
        server.restart(empty=True)
        wait_until(lambda: answers(first), "the link recovers")
        wait_until(lambda: answers(second), "the other one, too")
        first.close()
        second.close()

    said = [record.getMessage() for record in caplog.records if record.name.endswith("lineage")]
    assert all(line.startswith("another Redis process serves 256 buckets at ") for line in said)
    ends = [line.partition(" at ")[2].partition(" ")[2] for line in said]
    assert ends == [
        "which were empty: it is new, or has lost all that it held",
        "after a restart or failover; spools send again what it may lack",
        "which were empty: it is new, or has lost all that it held",
        "who met it first has logged whether they were empty",
    ]


def test_an_emptied_redis_gets_its_epochs_back_within_the_call(server: RedisProcess) -> None:
    # How soon is not asked here: a busy machine may take a while.
    link = RedisLink(server.url, 5_000)
    link.run([("TIME",)])
    server.ask("FLUSHALL")
    token = bytes(15) + b"\x05"
    names = (
        keys.account(token), keys.applied(5, b"m"), keys.received(5, b"12345678"),
        keys.journal(5), keys.outbox(5), keys.epoch(5),
    )  # fmt: skip
    apply = link.scripts.call("apply", names, (bytes(40), 2, token, 1_000, 0, b""))
    assert link.run([apply])[0] >= 0
    assert link.run([("EXISTS", keys.epoch(5))]) == [1]
    link.close()


def test_connections_that_redis_closed_are_opened_anew(
    link: RedisLink, server: RedisProcess
) -> None:
    link.run([("TIME",)])
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert link.run([("ECHO", "still here")]) == [b"still here"]
    assert link.servers()[0].failures == 0


def test_a_redis_that_reads_its_data_in_is_left_alone(tmp_path: Path) -> None:
    options = ("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    with RedisProcess(tmp_path, *options) as server:
        link = RedisLink(server.url, 500)
        link.run([("SET", f"{{b1}}:{n}".encode(), "x" * 100) for n in range(2_000)])
        server.ask("SAVE")
        server.kill()
        causes = set()
        # It returns when the data is read in, about two seconds later.
        restart = threading.Thread(target=server.restart)
        restart.start()
        while restart.is_alive():
            answers(link)
            causes.add(link.servers()[0].cause)
            time.sleep(0.01)
        restart.join()
        wait_until(lambda: answers(link), "the link recovers")
        assert link.run([("GET", b"{b1}:1999")]) == [b"x" * 100]
        link.close()
    assert any("LOADING" in cause for cause in causes), causes
