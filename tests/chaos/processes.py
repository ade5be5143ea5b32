"""The processes of a stage: workers, archivers and clients."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import grpc
from tests.redis_processes import free_port

from fanzha.v1 import scoring_pb2_grpc

ROOT = Path(__file__).parents[2]
_READY = "fanzha: serving on "
_START_S = 90.0
_STOP_S = 60.0


def environment(**more: str) -> dict[str, str]:
    """Return what processes are started with: this one's surroundings, and these sources."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **more}


class Worker:
    """One `fanzha serve` with a data folder and a port of its own, kept when it is restarted."""

    def __init__(
        self, folder: Path, number: int, redis_url: str, options: tuple[str, ...], **more: str
    ) -> None:
        self.folder = folder
        self.number = number
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None
        self._command = [
            sys.executable, "-m", "fanzha", "serve", "--address", self.address,
            "--redis", redis_url, "--data-dir", str(folder), *options,
        ]  # fmt: skip
        # So short that segments are archived and dropped while the load goes on.
        self._environment = environment(FANZHA_SPOOL_SEGMENT_S="1", **more)
        self._log = folder.parent / f"worker-{number}.log"
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def spool(self) -> Path:
        """Folder of its segments."""
        return self.folder / "spool"

    @property
    def is_running(self) -> bool:
        """Say whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it; `wait` waits until it serves."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                text=True, env=self._environment, start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        """Return once it serves."""
        assert self.process is not None
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], _START_S)
        line = self.process.stdout.readline() if ready else "nothing in time"
        assert line.startswith(_READY), f"{line}\n{self._log.read_text()[-3000:]}"

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an administrator does."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        try:
            self.process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stub(self) -> tuple[grpc.Channel, Any]:
        """Return a channel to it, which the caller closes, and a stub."""
        channel = grpc.insecure_channel(self.address)
        return channel, scoring_pb2_grpc.ScoringServiceStub(channel)


class Archiver:
    """One `fanzha archive --follow` that is started again when it ends, as a cluster does."""

    def __init__(self, redis_url: str, archive: Path, log: Path, *more: str) -> None:
        self._command = [
            sys.executable, "-m", "fanzha", "archive", "--redis", redis_url,
            "--archive", str(archive), "--follow", "--round-rows", "300", "--round-seconds", "0.5",
            *more,
        ]  # fmt: skip
        self._log = log
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self.starts = 0

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            with self._log.open("ab") as log, self._lock:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env=environment(), start_new_session=True,
                )  # fmt: skip
                self.starts += 1
            self._process.wait()
            self._stopping.wait(0.5)

    def kill(self) -> None:
        """End the process as a crash does; another one follows."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def stop(self) -> None:
        """End it for good."""
        self._stopping.set()
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
        self._thread.join(timeout=_STOP_S)
        if self._thread.is_alive():
            self.kill()
            self._thread.join(timeout=10)


class ClientProcess:
    """One client; it plays until `finish`, and asks again what it knows at `ask_again`."""

    def __init__(
        self, name: str, addresses: list[str], folder: Path, *, seed: int, rate: float
    ) -> None:
        self.log = folder / f"{name}.jsonl"
        with (folder / f"{name}.log").open("ab") as errors:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "tests.chaos.client", "--name", name,
                    "--addresses", ",".join(addresses), "--log", str(self.log),
                    "--seed", str(seed), "--rate", str(rate),
                    "--count-max", "20000", "--seconds-max", "180",
                ],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
                env=environment(), cwd=ROOT,
            )  # fmt: skip

    def wait_for_answers(self) -> None:
        """Return once it got answers."""
        deadline_s = time.monotonic() + _START_S
        while not self.log.exists() or not self.log.stat().st_size:
            assert self._process.poll() is None, "a client ended; see its log"
            assert time.monotonic() < deadline_s, "a client got no answer"
            time.sleep(0.05)

    def finish(self) -> None:
        """Have it make no new calls."""
        self._process.terminate()

    def ask_again(self) -> None:
        """Have it send once more what was answered, and end."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"again\n")
        self._process.stdin.flush()

    def wait(self) -> None:
        """Return once it ended."""
        assert self._process.stdin is not None
        code = self._process.wait(timeout=_STOP_S)
        self._process.stdin.close()
        assert code == 0, f"a client ended with {code}; see {self.log.with_suffix('.log')}"

    def stop(self) -> None:
        """End it now, however it stands."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=10)
        if self._process.stdin is not None:
            self._process.stdin.close()
