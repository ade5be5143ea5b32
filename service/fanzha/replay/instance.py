"""An isolated instance of the service: own process, own data, and the file's times as its clock."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fanzha.domain.errors import SetupError

_READY: Final = "fanzha: serving on "
# The first start on a machine compiles the features.
_START_S: Final = 180.0
_STOP_S: Final = 30.0
_LOG_LINES: Final = 12
_ISOLATED: Final = (
    # A replay must neither read nor write what a deployment on this machine uses.
    "FANZHA_REDIS",
    "FANZHA_ARCHIVE",
    "FANZHA_TOKEN_KEY_FILE",
    "FANZHA_BASE_CURRENCY",
    # Its clock is the file's, and one worker's.
    "FANZHA_WORKERS",
    "FANZHA_PIN",
    "FANZHA_TLS_CERT",
    "FANZHA_TLS_KEY",
    "FANZHA_TLS_CLIENT_CA",
    "FANZHA_ROLES",
)
# Nobody waits at a counter: a busy machine must not refuse what a file asks.
_PATIENT: Final = {"FANZHA_QUEUE_TARGET_MS": "10000", "FANZHA_QUEUE_MAX_MS": "60000"}


class Instance:
    """A running instance."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._archiving: subprocess.Popen[bytes] | None = None
        self.address = ""
        """host:port of its gRPC API."""

    def start(self, models: Path | None, policy: Path | None) -> None:
        """Start the process, without waiting for it to serve."""
        with (self._folder / "out").open("wb") as out, (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this program
                _command(self._folder / "data", models, policy),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={k: v for k, v in os.environ.items() if k not in _ISOLATED} | _PATIENT,
                # Ctrl-C reaches this process alone, which then stops the instance.
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return once the instance serves.

        Raises:
            SetupError: it ended, or did not serve in time; carries what it said.
        """
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            said = (self._folder / "out").read_text(errors="replace")
            for line in said.splitlines(keepends=True):
                if line.startswith(_READY) and line.endswith("\n"):
                    self.address = line.removeprefix(_READY).partition(";")[0].strip()
                    return
            if self._process is not None and self._process.poll() is not None:
                raise SetupError(f"the isolated instance did not start:\n{self.last_words()}")
            time.sleep(0.05)
        raise SetupError(
            f"the isolated instance did not serve within {_START_S:.0f} s:\n{self.last_words()}"
        )

    def archive_journal(self) -> None:
        """Begin to move the journal out of the instance's memory, unless that is still under way.

        A record takes some 3 KiB there; a table of a million rows would need 3 GiB.

        Raises:
            SetupError: the last time failed.
        """
        if self._archiving is not None:
            ended = self._archiving.poll()
            if ended:
                raise SetupError(f"the journal cannot be written out:\n{self.last_words()}")
            if ended is None:
                return
        socket = self._folder / "data" / "redis" / "redis.sock"
        # With a very long name of the temporary folder the socket lies elsewhere: then memory has
        # to do.
        if socket.exists():
            command = [sys.executable, "-m", "fanzha", "archive", "--redis", f"unix://{socket}"]
            with (self._folder / "log").open("ab") as log, _signals_held_back():
                self._archiving = subprocess.Popen(  # noqa: S603 - this program
                    [*command, "--archive", str(self._folder / "data" / "archive")],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def last_words(self) -> str:
        """Return the end of what the instance wrote to its log."""
        lines = (self._folder / "log").read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])

    def stop(self) -> None:
        """Stop the instance, and wait until it is gone."""
        for process in (self._archiving, self._process):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextmanager
def isolated_instance(models: Path | None, policy: Path | None) -> Iterator[Instance]:
    """Yield an instance that serves on loopback; afterwards it and its data are gone.

    Args:
        models: folder of the models; the service's default when None.
        policy: policy file; the service's default when None.

    Raises:
        SetupError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="fanzha-replay-", ignore_cleanup_errors=True) as name:
        instance = Instance(Path(name))
        try:
            with _signals_held_back():
                instance.start(models, policy)
            instance.wait_until_ready()
            yield instance
        finally:
            instance.stop()


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hold signals back while a process is started: ended in between, it would be left alone."""
    held: list[int] = []
    before = [
        (number, signal.signal(number, lambda number, _: held.append(number)))
        for number in (signal.SIGTERM, signal.SIGINT)
    ]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    for late in held:
        signal.raise_signal(late)


def _command(data: Path, models: Path | None, policy: Path | None) -> list[str]:
    options = {
        "--address": "127.0.0.1:0",
        "--clock": "event",
        "--data-dir": str(data),
        # A replay can wait; a degraded answer would only be about this machine.
        "--redis-timeout-ms": "5000",
        "--budget-ms": "10000",
    }
    if models is not None:
        options["--models"] = str(models)
    if policy is not None:
        options["--policy"] = str(policy)
    given = [part for name, value in options.items() for part in (name, value)]
    return [sys.executable, "-m", "fanzha", "serve", "--embedded", *given]
