"""Starts the service as a process of its own, and stops it again."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis

_START_S: Final = 60.0
_STOP_S: Final = 40.0
_SIGN: Final = "fanzha: serving on "
_LOG_TAIL: Final = 15
PATIENT: Final = {"FANZHA_QUEUE_TARGET_MS": "10000", "FANZHA_QUEUE_MAX_MS": "60000"}
"""Settings with which a busy machine refuses no calls."""
# A busy machine must not show as an outage of Redis.
WAITING: Final = {"--redis-timeout-ms": "2000", "--budget-ms": "4000"}


class ServiceError(Exception):
    """The service does not run: names the cause, with the end of its log."""


class Service:
    """One `fanzha serve --embedded` on loopback; use it with `with`."""

    def __init__(
        self,
        data_dir: Path,
        models: Path,
        log: Path,
        clock: str = "event",
        *,
        workers: int = 1,
        pin: str = "off",
        options: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Say what to start.

        Args:
            data_dir: a folder for it alone, with a path short enough for a Unix socket (70 bytes).
            models: folder of the models with their registry.
            log: file for what it says.
            clock: `event` follows the transfers: simulated days pass in seconds; or `system`.
            workers: so many processes serve, each at an address of its own.
            pin: where they run, as FANZHA_PIN says it; `off` leaves it to the machine, or to `pin`.
            options: of `fanzha serve`, with their dashes, instead of long waits for Redis.
            environment: variables beside those of this process.

        """
        self._workers = workers
        self._pin = pin
        self._clock = clock
        # A demo measures no overload: a busy machine must not refuse its calls.
        self._environment = {**(PATIENT if clock == "event" else {}), **(environment or {})}
        self._options = WAITING if options is None else options
        self._data_dir = data_dir
        self._models = models
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self.address = ""
        """host:port, once it runs; of several workers the first one's."""
        self.addresses: tuple[str, ...] = ()
        """The addresses of all workers, once they run."""

    @property
    def pid(self) -> int:
        """Process id of the worker, of several their supervisor's; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def redis_url(self) -> str:
        """Where the journal is."""
        return f"unix://{self._data_dir.resolve()}/redis/redis.sock"

    @property
    def spool(self) -> Path:
        """Folder of its spool."""
        return self._data_dir / "spool"

    @property
    def archive(self) -> Path:
        """Folder where it looks for archived decisions."""
        return self._data_dir / "archive"

    def __enter__(self) -> Self:
        """Start it and wait until it serves.

        Raises:
            ServiceError: it ended, or did not serve within a minute.

        """
        options = {
            "--data-dir": self._data_dir,
            "--models": self._models,
            "--address": "127.0.0.1:0",
            "--clock": self._clock,
            "--workers": self._workers,
            "--pin": self._pin,
            **self._options,
        }
        words = [str(word) for option in options.items() for word in option]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, no input from outside
                [sys.executable, "-m", "fanzha", "serve", "--embedded", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | self._environment,
                # Ctrl-C is for the demo, which then stops the service in order.
                start_new_session=True,
            )
        try:
            self._wait_until_it_serves(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def pin(self, cores: set[int]) -> None:
        """Keep the threads of a service of one worker on some processor cores."""
        if self._process is not None:
            for task in Path(f"/proc/{self._process.pid}/task").iterdir():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task.name), cores)

    def check(self) -> None:
        """Raise ServiceError if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ServiceError(
                f"the service ended with code {self._process.returncode}:\n{self._log_tail()}"
            )

    def stop(self) -> None:
        """Stop it in order; the embedded Redis goes with it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=_STOP_S)
        if process.returncode != 0:
            # A service that was killed or fell leaves its Redis behind.
            with suppress(redis.RedisError), redis.Redis.from_url(self.redis_url) as left_behind:
                left_behind.shutdown(nosave=True)

    def _wait_until_it_serves(self, process: subprocess.Popen[str]) -> None:
        threading.Thread(
            target=self._read_output, args=(process,), name="service-output", daemon=True
        ).start()
        deadline = time.monotonic() + _START_S
        while not self.address:
            if process.poll() is not None:
                raise ServiceError(
                    f"the service did not start (code {process.returncode}):\n{self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"the service did not serve within {_START_S:.0f} s:\n{self._log_tail()}"
                )
            time.sleep(0.02)

    def _read_output(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                if line.startswith(_SIGN):
                    said = line.removeprefix(_SIGN).partition(";")[0].strip()
                    self.addresses = tuple(said.split(","))
                    self.address = self.addresses[0]

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL:]) or "(its log is empty)"
