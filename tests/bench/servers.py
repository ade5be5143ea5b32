"""The servers of the bench, each a process pinned to one core: the service, floors, the rival."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis

from fanzha.adapters.embedded_redis import EmbeddedRedis

ROOT = Path(__file__).parents[2]
RIVAL = ROOT.parent / "shared" / "rival"
_START_S = 60.0
_ALL = frozenset(os.sched_getaffinity(0))
_SIGN = "fanzha: serving on "


class BenchError(Exception):
    """A server did not start: names it, and what it said."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where what runs: the server alone on one core, load and Redis on another."""

    server: int
    others: frozenset[int]


def two_cores() -> Cores:
    """Return the cores, and move this process to its own.

    Raises:
        BenchError: there is only one.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("this bench needs two processor cores: one for the server, one for load")
    found = Cores(cores[0], frozenset(cores[1:]))
    os.sched_setaffinity(0, found.others)
    return found


@dataclass
class Running:
    """One server."""

    name: str
    address: str
    process: psutil.Process
    redis: list[psutil.Process] = field(default_factory=list)
    redis_url: str = ""

    def cpu_s(self) -> float:
        """Return the processor time that it took so far, in seconds, of all its threads."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def redis_cpu_s(self) -> float:
        """Return the processor time of its Redis, in seconds."""
        return float(sum(sum(one.cpu_times()[:2]) for one in self.redis))

    def memory_mib(self) -> float:
        """Return its resident memory, in MiB."""
        return float(self.process.memory_info().rss) / 2**20


@contextmanager
def floor(kind: str, cores: Cores, files: tuple[Path, ...] = ()) -> Iterator[Running]:
    """Yield an empty handler: `sync` or `aio`; with certificate, key and CA over TLS."""
    command = [sys.executable, "-m", "tests.bench.floors", kind, *map(str, files)]
    with _process(command, cores.server) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise BenchError(f"the empty {kind} handler did not start")
        yield Running(f"empty {kind}", f"127.0.0.1:{port}", psutil.Process(process.pid))


@contextmanager
def service(
    cores: Cores, *options: str, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """Yield one worker with an embedded Redis, as `fanzha serve` starts it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fz-")))
        own_redis = EmbeddedRedis(folder / "redis")
        stack.callback(own_redis.close)
        command = [
            *(sys.executable, "-m", "fanzha", "serve", "--redis", own_redis.url),
            *("--data-dir", str(folder / "data"), "--models", str(ROOT / "models")),
            *("--address", "127.0.0.1:0", "--pin", str(cores.server), *options),
        ]
        log = stack.enter_context((folder / "log").open("w"))
        process = stack.enter_context(
            _process(command, None, environment=environment, log=log.fileno())
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(_SIGN):
            raise BenchError(f"the service did not start: {(folder / 'log').read_text()}")
        # The rest of what it prints fits into the pipe.
        address = line.removeprefix(_SIGN).partition(";")[0].strip()
        with redis.Redis.from_url(own_redis.url) as client:
            server = psutil.Process(client.info("server")["process_id"])
        yield Running("service", address, psutil.Process(process.pid), [server], own_redis.url)


@contextmanager
def rival(cores: Cores, model: Path) -> Iterator[Running]:
    """Yield the service that a team would write by hand, from its unchanged file."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fz-")))
        own_redis = EmbeddedRedis(folder / "redis")
        stack.callback(own_redis.close)
        port = free_port()
        command = [
            *(sys.executable, "-m", "uvicorn", "app:app", "--app-dir", str(RIVAL)),
            *("--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop"),
            *("--http", "httptools", "--no-access-log", "--log-level", "warning"),
        ]
        environment = {"MODEL": str(model), "REDIS": own_redis.url}
        process = stack.enter_context(_process(command, cores.server, environment=environment))
        wait_for(port, process)
        with redis.Redis.from_url(own_redis.url) as client:
            server = psutil.Process(client.info("server")["process_id"])
        yield Running("rival", f"127.0.0.1:{port}", psutil.Process(process.pid), [server])


@contextmanager
def _process(
    command: list[str],
    core: int | None,
    *,
    environment: dict[str, str] | None = None,
    log: int | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    before = os.sched_getaffinity(0)
    # A child begins where its parent is: so no thread of it ever ran elsewhere.
    os.sched_setaffinity(0, _ALL if core is None else {core})
    try:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | (environment or {}),
        )
    finally:
        os.sched_setaffinity(0, before)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[str]") -> None:
    """Wait until somebody listens on a port.

    Raises:
        BenchError: nobody does within a minute, or the process has ended.
    """
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise BenchError(f"nobody listens on port {port}; the command was {process.args}")
