"""A stage for one fault: Redis of some topology, workers, archivers, and clients."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.chaos.answers import Call, read_calls
from tests.chaos.processes import ROOT, Archiver, ClientProcess, Worker, environment
from tests.redis_processes import ClusterSet, RedisProcess, SentinelSet

from fanzha.transport.part_health import PREFIX
from fanzha.v1 import scoring_pb2 as scoring

DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec")
_COMMAND_S = 180.0
_SENT_AGAIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played."""

    workers: int = 3
    clients: int = 4
    archivers: int = 2
    rate: float = 20.0
    """Calls a second of each client."""
    before_s: float = 3.0
    during_s: float = 6.0
    after_s: float = 5.0


SMALL = Size(workers=2, clients=3, archivers=1, rate=15.0, before_s=1.5, during_s=3.0, after_s=3.0)


@dataclass
class Stage:
    """Everything that runs. Faults change what they need in `prepare`, before the workers start."""

    folder: Path
    size: Size
    seed: int
    store: RedisProcess | SentinelSet | ClusterSet
    worker_urls: dict[int, str] = field(default_factory=dict)
    """Other URLs of Redis for some workers, such as a proxy's."""
    worker_environment: dict[int, dict[str, str]] = field(default_factory=dict)
    worker_folders: dict[int, Path] = field(default_factory=dict)
    archive: Path = Path()
    workers: list[Worker] = field(default_factory=list)
    archivers: list[Archiver] = field(default_factory=list)
    clients: list[ClientProcess] = field(default_factory=list)
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    """Closed in the end: disks, proxies and whatever else a fault brings."""
    abandoned: set[int] = field(default_factory=set)
    """Workers that were killed for good."""

    def __post_init__(self) -> None:
        self.archive = self.archive if self.archive.name else self.folder / "archive"
        self.logs = self.folder / "answers"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.stack.callback(self.store.stop)

    @property
    def redis_url(self) -> str:
        """The URL of Redis as it is, without proxies."""
        return self.store.url

    def begin(self) -> None:
        """Start workers, archivers and clients; return when every client gets answers."""
        key = self.folder / "token.key"
        key.write_bytes(bytes(range(32)))
        key.chmod(0o600)
        options = (
            "--models", str(ROOT / "models"), "--token-key-file", str(key),
            "--archive", str(self.archive),
        )  # fmt: skip
        for number in range(self.size.workers):
            worker = Worker(
                self.worker_folders.get(number, self.folder / f"data-{number}"),
                number,
                self.worker_urls.get(number, self.redis_url),
                options,
                **self.worker_environment.get(number, {}),
            )
            self.workers.append(worker)
            worker.start()
        for number in range(self.size.archivers):
            archiver = Archiver(
                self.redis_url, self.archive, self.folder / f"archiver-{number}.log"
            )
            self.archivers.append(archiver)
            archiver.start()
        for worker in self.workers:
            worker.wait()
        addresses = [worker.address for worker in self.workers]
        for number in range(self.size.clients):
            self.clients.append(
                ClientProcess(
                    f"c{number}", addresses, self.logs,
                    seed=self.seed * 100 + number, rate=self.size.rate,
                )
            )  # fmt: skip
        for client in self.clients:
            client.wait_for_answers()

    def calls(self) -> list[Call]:
        """Return what the clients wrote down so far."""
        return read_calls(self.logs)

    def find(self, decision_ids: Iterable[str], seconds: float) -> dict[str, Any]:
        """Ask GetDecision for decisions until all are found, or the time is over.

        Redis is given a while to hold them again: what it forgot, spools send again.

        Returns:
            The responses by decision id, without those that were not found.
        """
        wanted, found = sorted(decision_ids), dict[str, Any]()
        live = [worker for worker in self.workers if worker.is_running]
        began_s = time.monotonic()
        deadline_s, store_until_s = began_s + seconds, began_s + min(seconds, _SENT_AGAIN_S)
        while wanted:
            chunks = [wanted[at :: len(live)] for at in range(len(live))]
            with ThreadPoolExecutor(len(live)) as pool:
                for some in pool.map(_ask, live, chunks):
                    found |= some
            is_early = time.monotonic() < store_until_s
            wanted = [name for name in wanted if not _is_there(found.get(name), is_early)]
            if time.monotonic() > deadline_s:
                break
            if wanted:
                time.sleep(0.5)
        return found

    def wait_until_whole(self, seconds: float) -> None:
        """Wait until the workers' health says that they miss nothing, or the time is over.

        A worker that cannot read Redis yet may still decide anew what was answered: that is the
        fault, and not what is left of it.
        """
        deadline_s = time.monotonic() + seconds
        for worker in self.workers:
            while (
                worker.is_running
                and worker.number not in self.abandoned
                and time.monotonic() < deadline_s
                and not _is_whole(worker)
            ):
                time.sleep(0.2)

    def stop_service(self) -> None:
        """Stop workers and archivers in order."""
        threads = [threading.Thread(target=one.stop) for one in (*self.workers, *self.archivers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def archive_all(self) -> dict[str, Any]:
        """Archive what is left, the spools of all workers too; return what the command says."""
        spools = [option for worker in self.workers for option in ("--spool", str(worker.spool))]
        said = self.run("fanzha", "archive", "--redis", self.redis_url,
                        "--archive", str(self.archive), *spools, "--json")  # fmt: skip
        return said[1]

    def run(self, module: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command that prints JSON; return its exit code and what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            capture_output=True, text=True, timeout=_COMMAND_S, env=environment(), check=False,
        )  # fmt: skip
        lines = done.stdout.strip().splitlines()
        try:
            return done.returncode, json.loads(lines[-1])
        except (IndexError, ValueError) as error:
            raise AssertionError(f"{module} {words[0]}: {done.stderr[-3000:]}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.stop()
        for archiver in self.archivers:
            archiver.kill()
        for worker in self.workers:
            worker.kill()
        for archiver in self.archivers:
            archiver.stop()
        self.stack.close()


def _is_there(response: Any, is_early: bool) -> bool:  # noqa: FBT001 - of the proto
    if response is None:
        return False
    return not is_early or response.source == scoring.DECISION_SOURCE_STORE


def _is_whole(worker: Worker) -> bool:
    channel, _ = worker.stub()
    with channel:
        health = health_pb2_grpc.HealthStub(channel)
        try:
            states = [
                health.Check(health_pb2.HealthCheckRequest(service=PREFIX + part), timeout=5).status
                for part in ("history", "lists", "journal")
            ]
        except grpc.RpcError:
            return False
    return set(states) == {health_pb2.HealthCheckResponse.SERVING}


def _ask(worker: Worker, decision_ids: list[str]) -> dict[str, Any]:
    channel, stub = worker.stub()
    found = {}
    for name in decision_ids:
        try:
            request = scoring.GetDecisionRequest(decision_id=name)
            found[name] = stub.GetDecision(request, timeout=5)
        except grpc.RpcError:
            continue
    channel.close()
    return found
