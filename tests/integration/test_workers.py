"""`fanzha serve --workers`: real processes, spread over, killed, left, stopped and pinned."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.builders import a_request
from tests.conftest import ROOT, Service
from tests.redis_processes import free_port, wait_until
from tests.spools import segments

from fanzha.adapters.spool_contents import contents_of
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

Start = Callable[..., Service]
PAGE = ROOT / "docs" / "operations" / "workers.md"
# CANCELLED: the call came in the moment at which the last worker stopped.
GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
SERVES = re.compile(r"worker (\d+) \(process (\d+)\) serves on ([\d.:]+)")
CORES = sorted(os.sched_getaffinity(0))
needs_two_cores = pytest.mark.skipif(len(CORES) < 2, reason="one core: nothing to choose")


def service_config() -> str:
    """The one that banks are told to use."""
    found = re.search(r"^```json\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@contextmanager
def channel_to(address: str) -> Iterator[grpc.Channel]:
    options = [
        ("grpc.service_config", service_config()),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]
    with grpc.insecure_channel(f"ipv4:{address}", options=options) as channel:
        yield channel


def log_of(service: Service) -> str:
    return (service.data_dir / "serve.log").read_text()


def processes(service: Service) -> dict[int, int]:
    """Worker to its newest process."""
    return {int(number): int(pid) for number, pid, _ in SERVES.findall(log_of(service))}


def spool_of(service: Service, number: int) -> Path:
    spool = service.data_dir / "spool"
    return spool if number == 1 else spool / f"worker-{number}"


def recorded(service: Service, number: int) -> int:
    """How many decisions a worker has in its spool."""
    found = [contents_of(path) for path in segments(spool_of(service, number))]
    return sum(len(contents.decisions) for contents in found)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


class Client(threading.Thread):
    """Asks one question after the other until it is told to end, or a call fails for good."""

    def __init__(self, channel: grpc.Channel) -> None:
        super().__init__(daemon=True)
        self._stub: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
        self._ends = threading.Event()
        self.answers: list[scoring.ScoreTransferResponse] = []
        self.error: grpc.RpcError | None = None

    def run(self) -> None:
        while not self._ends.is_set():
            try:
                self.answers.append(self._stub.ScoreTransfer(a_request(), timeout=20))
            except grpc.RpcError as error:
                self.error = error
                return

    def end(self) -> None:
        self._ends.set()
        self.join(timeout=30)


def found_all(channel: grpc.Channel, answers: list[scoring.ScoreTransferResponse]) -> None:
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
    for answer in answers:
        asked = scoring.GetDecisionRequest(decision_id=answer.decision_id)
        assert stub.GetDecision(asked, timeout=20).decision == answer


def ask(channel: grpc.Channel, count: int) -> list[scoring.ScoreTransferResponse]:
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
    return [stub.ScoreTransfer(a_request(), timeout=20) for _ in range(count)]


def test_calls_spread_evenly_over_all_workers(start_service: Start) -> None:
    service = start_service("--workers", "2")
    assert len(set(service.address.split(","))) == 2

    with channel_to(service.address) as channel:
        wait_until(
            lambda: ask(channel, 2) and all(recorded(service, each) for each in (1, 2)),
            "both serve",
        )
        before = [recorded(service, each) for each in (1, 2)]
        found_all(channel, ask(channel, 60))

    after = [recorded(service, each) for each in (1, 2)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [30, 30]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_ends_is_started_again_alone_and_no_call_fails(
    number: signal.Signals, start_service: Start
) -> None:
    service = start_service("--workers", "2")
    first = processes(service)
    with channel_to(service.address) as channel:
        clients = [Client(channel) for _ in range(4)]
        for client in clients:
            client.start()
        wait_until(lambda: all(recorded(service, each) for each in (1, 2)), "both serve")

        os.kill(first[2], number)

        wait_until(lambda: processes(service)[2] != first[2], "it is started again")
        before = recorded(service, 2)
        wait_until(lambda: recorded(service, 2) > before, "it takes calls again")
        for client in clients:
            client.end()

        assert [client.error for client in clients] == [None] * 4
        assert processes(service)[1] == first[1]
        found_all(channel, [answer for client in clients for answer in client.answers])
    code = -9 if number is signal.SIGKILL else 0
    assert f"worker 2 ended with code {code}; it is started again" in log_of(service)
    assert service.stop() == 0


def test_a_worker_that_cannot_live_is_tried_again_while_the_other_serves(
    start_service: Start,
) -> None:
    service = start_service("--workers", "2")
    address = service.address.split(",")[1]
    host, port = address.split(":")

    os.kill(processes(service)[2], signal.SIGKILL)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_until(lambda: has_bound(taken, host, int(port)), "the port is taken")
        taken.listen()
        wait_until(lambda: log_of(service).count(f"cannot listen on {address}") > 1, "it fails")
        with channel_to(service.address.split(",")[0]) as channel:
            assert ask(channel, 1)

    wait_until(lambda: len(SERVES.findall(log_of(service))) > 2, "it serves once it can")
    assert service.stop() == 0


def has_bound(one: socket.socket, host: str, port: int) -> bool:
    try:
        one.bind((host, port))
    except OSError:
        return False
    return True


def test_sigterm_lets_all_workers_finish_and_one_worker_takes_over_what_two_left(
    start_service: Start, short_dir: Path
) -> None:
    service = start_service("--workers", "2")
    with channel_to(service.address) as channel:
        clients = [Client(channel) for _ in range(4)]
        for client in clients:
            client.start()
        wait_until(lambda: all(recorded(service, each) > 20 for each in (1, 2)), "both serve")

        assert service.stop() == 0

        for client in clients:
            client.end()
    assert {client.error.code() for client in clients if client.error} <= GONE
    assert all(is_gone(pid) for pid in processes(service).values())
    answers = [answer for client in clients for answer in client.answers]

    # Redis loses all: spools alone know.
    for file in (short_dir / "redis" / "appendonlydir").iterdir():
        file.unlink()
    alone = start_service()

    assert not spool_of(service, 2).exists()
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(alone.channel)
    for answer in answers:
        asked = scoring.GetDecisionRequest(decision_id=answer.decision_id)
        found = wait_until(lambda asked=asked: given(stub, asked), "it is sent again")
        assert found.decision == answer


def given(stub: Any, asked: scoring.GetDecisionRequest) -> Any:
    try:
        return stub.GetDecision(asked, timeout=20)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return None


def test_the_spools_of_all_workers_are_archived_by_one_name(
    start_service: Start, redis_url: str, tmp_path: Path
) -> None:
    service = start_service("--workers", "2", "--redis", redis_url)
    with channel_to(service.address) as channel:
        wait_until(
            lambda: ask(channel, 2) and all(recorded(service, each) for each in (1, 2)),
            "both serve",
        )
    assert service.stop() == 0

    command = ["archive", "--redis", redis_url, "--archive", str(tmp_path / "archive"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "fanzha", *command, "--spool", str(service.data_dir / "spool")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    said = json.loads(done.stdout.splitlines()[-1])
    assert said["segments_left"] == 0
    assert said["segments"] >= 2


def test_a_supervisor_that_is_killed_leaves_nothing(start_service: Start) -> None:
    service = start_service("--workers", "2")
    family = psutil.Process(service.process.pid).children(recursive=True)
    assert len(family) == 3

    assert service.stop(signal.SIGKILL) == -signal.SIGKILL

    wait_until(lambda: all(is_gone(process.pid) for process in family), "all are gone")
    assert start_service("--workers", "2").stop() == 0


def test_the_supervisor_carries_nothing_of_a_worker(start_service: Start) -> None:
    service = start_service("--workers", "2")

    maps = Path(f"/proc/{service.process.pid}/maps").read_text()

    loaded = [name for name in ("cygrpc", "numpy", "numba", "onnxruntime", "arrow") if name in maps]
    assert loaded == []


def test_who_can_connect_is_answered(short_dir: Path, start_service: Start) -> None:
    address = f"127.0.0.1:{free_port()}"
    statuses: list[Any] = []
    with grpc.insecure_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        asking = threading.Thread(
            target=lambda: statuses.append(
                health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60)
            )
        )
        asking.start()
        start_service("--workers", "2", "--address", address)
        asking.join()

    assert [one.status for one in statuses] == [health_pb2.HealthCheckResponse.SERVING]


def refused(short_dir: Path, *options: str) -> str:
    """Start two workers that cannot start; return what is said."""
    command = [sys.executable, "-m", "fanzha", "serve", "--embedded", "--workers", "2"]
    with (short_dir / "out").open("w+") as out:
        process = subprocess.Popen(
            [*command, "--data-dir", str(short_dir / "data"), *options], stdout=out, stderr=out
        )
        family: dict[int, psutil.Process] = {}
        while process.poll() is None:
            try:
                for each in psutil.Process(process.pid).children(recursive=True):
                    family[each.pid] = each
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
        assert process.wait(timeout=60) == 1
        out.seek(0)
        said = out.read()
    assert all(is_gone(pid) for pid in family)
    assert "Traceback" not in said
    assert "fanzha: serving" not in said
    return said


def test_the_second_port_is_taken(short_dir: Path) -> None:
    with socket.socket() as taken:
        wait_until(lambda: has_bound(taken, "127.0.0.1", free_port() + 1), "a port is taken")
        taken.listen()
        port = taken.getsockname()[1]

        said = refused(short_dir, "--address", f"127.0.0.1:{port - 1}")

    assert f"cannot listen on 127.0.0.1:{port}" in said


def test_a_fault_of_all_workers_is_said_once(short_dir: Path) -> None:
    (short_dir / "policy.yaml").write_text("version: 1\nrules: nothing\n")

    said = refused(
        short_dir, "--address", "127.0.0.1:0", "--policy", str(short_dir / "policy.yaml")
    )

    assert said.count("policy.yaml:2") == 1


def test_nobody_listens_where_one_worker_cannot_get_ready(short_dir: Path) -> None:
    port = free_port()
    (short_dir / "data" / "spool").mkdir(parents=True)
    (short_dir / "data" / "spool" / "worker-2").write_text("no folder")
    connected: list[int] = []
    ended = threading.Event()

    def knock() -> None:
        while not ended.is_set():
            with socket.socket() as one:
                # From another address: from this one it may come upon itself.
                one.bind(("127.0.0.2", 0))
                connected.append(one.connect_ex(("127.0.0.1", port)))
            time.sleep(0.005)

    knocking = threading.Thread(target=knock)
    knocking.start()
    said = refused(short_dir, "--address", f"127.0.0.1:{port}")
    ended.set()
    knocking.join()

    assert "cannot write the spool" in said
    assert connected
    assert [n for n, code in enumerate(connected) if not code] == [], len(connected)


def test_a_new_folder_gets_one_token_key(start_service: Start) -> None:
    service = start_service("--workers", "4")

    names = sorted(path.name for path in service.data_dir.iterdir() if "token" in path.name)
    assert names == ["token.key"]


def affinities(pid: int) -> set[frozenset[int]]:
    """Where the threads of a process may run."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            found.add(frozenset(os.sched_getaffinity(int(task.name))))
    return found


@needs_two_cores
def test_each_worker_runs_whole_on_a_core_of_its_own(start_service: Start) -> None:
    service = start_service("--workers", "2", "--pin", "auto")
    with channel_to(service.address) as channel:
        ask(channel, 20)

    found = [affinities(pid) for pid in processes(service).values()]

    assert all(len(places) == 1 for places in found)
    assert all(len(cores) == 1 for places in found for cores in places)
    assert len(set().union(*found)) == 2


@needs_two_cores
def test_named_cores_are_used(start_service: Start) -> None:
    service = start_service("--workers", "2", "--pin", f"{CORES[1]},{CORES[0]}")
    with channel_to(service.address) as channel:
        ask(channel, 20)

    pids = processes(service)
    assert affinities(pids[1]) == {frozenset({CORES[1]})}
    assert affinities(pids[2]) == {frozenset({CORES[0]})}
    assert f"runs on core {CORES[1]} (FANZHA_PIN)" in log_of(service)


@needs_two_cores
def test_one_worker_is_pinned_and_its_redis_is_elsewhere(start_service: Start) -> None:
    service = start_service("--pin", str(CORES[0]))
    with channel_to(service.address) as channel:
        ask(channel, 20)

    (server,) = psutil.Process(service.process.pid).children()
    assert affinities(service.process.pid) == {frozenset({CORES[0]})}
    assert affinities(server.pid) == {frozenset(CORES[1:])}


def test_off_leaves_all_cores(start_service: Start) -> None:
    service = start_service("--workers", "2", "--pin", "off")

    assert [affinities(pid) for pid in processes(service).values()] == [{frozenset(CORES)}] * 2
    assert "runs on any core" in log_of(service)


def test_a_core_that_may_not_be_used(short_dir: Path) -> None:
    if len(CORES) < 2:
        pytest.skip("one core: FANZHA_PIN chooses nothing")

    said = refused(short_dir, "--address", "127.0.0.1:0", "--pin", "4095")

    assert f"FANZHA_PIN names core 4095, but this process may use {CORES[0]}, " in said


@needs_two_cores
def test_all_threads_move_together() -> None:
    program = (
        "import os, threading\n"
        "from pathlib import Path\n"
        "from fanzha.workers.together import keep_on\n"
        "hold = threading.Event()\n"
        "def start(): threading.Thread(target=hold.wait, daemon=True).start()\n"
        "start()\n"
        f"for core in {CORES[:2]}:\n"
        "    keep_on(core)\n"
        "    start()\n"
        "    tasks = [int(task.name) for task in Path('/proc/self/task').iterdir()]\n"
        "    print(len(tasks), {c for task in tasks for c in os.sched_getaffinity(task)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == f"3 {{{CORES[0]}}}\n4 {{{CORES[1]}}}\n"
