"""The process of one worker, as its supervisor sees it."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Final

from fanzha.workers.words import OPEN, Job, News, news_of

_READ: Final = 65_536
_GONE_S: Final = 5.0


class WorkerProcess:
    """Starts a worker in a fresh interpreter, hears what it says, and ends it."""

    def __init__(self, job: Job) -> None:
        """Start it.

        Args:
            job: what it is to do.

        Raises:
            OSError: the system starts no process.
        """
        self._process = subprocess.Popen(  # noqa: S603 - this program
            [sys.executable, "-m", "fanzha.workers.worker", f"worker-{job.number + 1}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(job.lock,),
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError(None, "the worker has no pipes")
        self._orders, self._news = self._process.stdin, self._process.stdout
        self._rest = b""
        self._order(job.line())

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the file that can be read when the worker says something, or has ended."""
        return self._news.fileno()

    def open(self) -> None:
        """Have it listen and serve; it is prepared."""
        self._order(f"{OPEN}\n")

    def hear(self) -> list[News] | None:
        """Return what it said; None: it has ended. Call it when there is something to read."""
        data = os.read(self._news.fileno(), _READ)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [news_of(line.decode()) for line in lines]

    def terminate(self) -> None:
        """Have it finish its calls and end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def reap(self) -> int:
        """Wait until it is gone, and return its exit code; it has closed its end of the pipes."""
        try:
            code = self._process.wait(_GONE_S)
        except subprocess.TimeoutExpired:
            # It hangs in what an interpreter does last.
            self._process.kill()
            code = self._process.wait()
        for pipe in (self._orders, self._news):
            with suppress(BrokenPipeError):
                pipe.close()
        return code

    def _order(self, line: str) -> None:
        # One that has ended is noticed where it is heard.
        with suppress(BrokenPipeError):
            self._orders.write(line.encode())
            self._orders.flush()
