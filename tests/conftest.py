"""Fixtures: real Redis and real services, started on free ports and stopped by the test run."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import redis
from hypothesis import settings

from fanzha.adapters import keys
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.ids import BUCKETS

pytest_plugins = ["tests.spread"]
ROOT = Path(__file__).parents[1]

# A busy machine must not show as overload, in no service that a test starts.
os.environ.setdefault("FANZHA_QUEUE_TARGET_MS", "5000")
os.environ.setdefault("FANZHA_QUEUE_MAX_MS", "20000")
# Tests run beside each other on few cores: the machine shares them out.
os.environ.setdefault("FANZHA_PIN", "off")

# How long an example takes is no test's business: machines are busy.
settings.register_profile("fanzha", deadline=None)
settings.load_profile("fanzha")
_READY = "fanzha: serving on "


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        server = EmbeddedRedis(Path(folder))
        yield server
        server.close()


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """A real, empty Redis."""
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    client.close()
    return redis_server.url


@pytest.fixture
def first_epoch(redis_url: str) -> None:
    """Sequences begin with 1, as tests like to count."""
    client = redis.Redis.from_url(redis_url)
    client.mset({keys.epoch(bucket): 0 for bucket in range(BUCKETS)})
    process = client.info("server")["run_id"]
    client.mset({keys.lineage(bucket): process for bucket in range(BUCKETS)})
    client.close()


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    link = RedisLink(redis_url, timeout_ms=5_000)
    yield link
    link.close()


class Service:
    """A real `fanzha serve` in a process of its own."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        command = [sys.executable, "-m", "fanzha", "serve", "--address", "127.0.0.1:0"]
        # A busy machine must not show as an outage.
        command += ["--redis-timeout-ms", "5000", "--budget-ms", "10000"]
        command += ["--data-dir", str(data_dir)]
        command += [] if "--redis" in options else ["--embedded"]
        command += ["--models", str(ROOT / "models"), *options]
        self._log = (data_dir / "serve.log").open("ab")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(_READY), (data_dir / "serve.log").read_text()
        self.address = line.removeprefix(_READY).split(";")[0]
        self.channel = grpc.insecure_channel(self.address)

    @property
    def redis_url(self) -> str:
        return f"unix://{self.data_dir}/redis/redis.sock"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the service; its Redis too, which outlives a killed service."""
        self.channel.close()
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        code = self.process.wait(timeout=90)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        return code


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder with a path short enough for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        yield Path(folder)


@pytest.fixture
def start_service(short_dir: Path) -> Iterator[Callable[..., Service]]:
    """Start services on one data folder; all are stopped in the end."""
    started: list[Service] = []

    def start(*options: str, data_dir: Path = short_dir) -> Service:
        service = Service(data_dir, *options)
        started.append(service)
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One service for a whole file of tests."""
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        running = Service(Path(folder))
        yield running
        running.stop()
