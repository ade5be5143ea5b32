"""Processes that run beside a soak: the archiver in its usual rounds, and the sampler."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from fanzha_loadtest.commands import run
from fanzha_loadtest.service import Service

_START_S: Final = 60.0
_STOP_S: Final = 60.0
_DRAINS_MAX: Final = 20
"""What was relayed late is archived by another round."""


class Beside:
    """One process with a log of its own."""

    def __init__(self, log: Path, module: str, *words: object) -> None:
        """Start `python -m MODULE WORDS`."""
        self.log = log
        with log.open("w") as file:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, words of our own
                [sys.executable, "-m", module, *(str(word) for word in words)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself, which it should not."""
        return self._process.poll() is not None

    def wait_until_it_says(self, words: str) -> bool:
        """Wait until it has said something; return False if it ended, or a minute went by."""
        deadline = time.monotonic() + _START_S
        while words not in self.log.read_text(errors="replace"):
            if self.has_ended or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def stop(self) -> int:
        """Tell it to end, and return its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(timeout=_STOP_S)

    def last_words(self) -> str:
        """Return the end of what it said."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:]) or "(it said nothing)"


def archiver(service: Service, log: Path, round_rows: int, round_s: float) -> Beside:
    """Start the archiver of a service."""
    return Beside(
        log, "fanzha", "archive", "--follow",
        "--redis", service.redis_url, "--archive", service.archive,
        "--round-rows", round_rows, "--round-seconds", round_s,
    )  # fmt: skip


def drain(service: Service) -> int:
    """Archive what is left until nothing comes any more; return the records.

    Raises:
        CommandError: an archiver failed.

    """
    moved = 0
    for _ in range(_DRAINS_MAX):
        done = run("fanzha", "archive", "--redis", service.redis_url, "--archive", service.archive)
        moved += done["rows"]
        if not done["rows"]:
            break
    return moved


def read_samples(path: Path) -> list[dict[str, Any]]:
    """Return what the sampler noted; a line that was cut off is left out."""
    samples = []
    for line in path.read_text("utf-8").splitlines():
        try:
            samples.append(json.loads(line))
        except ValueError:
            continue
    return samples
