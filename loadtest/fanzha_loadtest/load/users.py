"""Runs the simulated users in a process of their own, where gevent may change what it likes."""

import json
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fanzha_loadtest.load.place import Place

_START_S: Final = 60.0
_STOP_S: Final = 30.0
_TAIL: Final = 15


class UsersError(Exception):
    """The users did not run: names the cause, with the end of what locust said."""


class Users:
    """One headless locust."""

    def __init__(self, profile: Path, place: Place, folder: Path) -> None:
        """Start it.

        Args:
            profile: the file that is being played.
            place: where the service is.
            folder: for its log and its figures.

        """
        self._facts, begun = folder / "users.json", folder / "users.begun"
        self._log = folder / "users.log"
        locustfile = str(resources.files("fanzha_loadtest.users") / "locustfile.py")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, files of our own
                [
                    *(sys.executable, "-m", "locust", "-f", locustfile, "--headless"),
                    *("--only-summary", "--skip-log-setup", "--exit-code-on-error", "0"),
                    *("--stop-timeout", "5", "--load-profile", str(profile), *place.options()),
                    *("--facts", str(self._facts), "--begun", str(begun)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._begun = begun

    def wait_until_begun(self) -> None:
        """Wait until the users begin, so that phases of both engines begin together.

        Raises:
            UsersError: they do not.

        """
        deadline = time.monotonic() + _START_S
        while not self._begun.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise UsersError(f"the users (locust) did not begin:\n{self._tail()}")
            time.sleep(0.02)

    def result(self) -> dict[str, Any]:
        """Wait for their end, and return what they saw.

        Raises:
            UsersError: they ended without a word, or do not end.

        """
        try:
            self._process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self.stop()
        try:
            seen: dict[str, Any] = json.loads(self._facts.read_bytes())
        except (OSError, ValueError) as error:
            raise UsersError(f"the users (locust) left no figures:\n{self._tail()}") from error
        return seen

    def stop(self) -> None:
        """End them, if they still run."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=_STOP_S)

    def _tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL:]) or "(it said nothing)"
