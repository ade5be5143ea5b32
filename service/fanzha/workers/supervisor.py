"""Starts workers, starts again the one that ends, and stops all of them in order.

One thread, one loop: it waits for what workers say, for signals, and for the time at which a
worker is due again. It loads nothing of gRPC, and none of what a worker is made of.
"""

import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from fanzha.domain.errors import SetupError
from fanzha.workers.process import WorkerProcess
from fanzha.workers.words import Job

log = logging.getLogger(__name__)

_AGAIN_MIN_S: Final = 0.1
_AGAIN_MAX_S: Final = 30.0
_WELL_S: Final = 60.0
"""A worker that served so long is started again after the shortest pause."""
_HOPELESS: Final = 3
"""When no worker serves, and each of them failed so often in a row, the service ends."""
_END_S: Final = 30.0
"""So long workers may take to end, beside the calls that they finish."""


@dataclass(slots=True)
class _Worker:
    """One worker, through all its processes."""

    job: Job
    process: WorkerProcess | None = None
    is_prepared: bool = False
    serves_since_s: float | None = None
    due_s: float = 0.0
    """When its next process is started; counts while there is none."""
    pause_s: float = _AGAIN_MIN_S
    failures: int = 0
    """How many of its processes in a row ended before they served."""
    cause: str = ""
    """Why the last one failed, in its own words."""

    @property
    def name(self) -> str:
        return f"worker {self.job.number + 1}"


class Supervisor:
    """Looks after the workers of one service."""

    def __init__(self, drain_s: float) -> None:
        """Take over SIGTERM and SIGINT, which from now on end `run`, also before it began.

        Args:
            drain_s: how long a worker may take to finish its calls, in seconds.
        """
        self._workers: list[_Worker] = []
        self._drain_s = drain_s
        self._is_stopping = False
        self._selector = selectors.DefaultSelector()
        # A signal that comes while the loop waits shows as something to read.
        self._signals, self._woken = socket.socketpair()
        for end in (self._signals, self._woken):
            end.setblocking(False)
        self._selector.register(self._signals, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._woken.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def run(self, jobs: list[Job], tell: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT.

        Args:
            jobs: one for each worker.
            tell: told of all addresses, with commas between, once every worker serves.

        Raises:
            SetupError: a worker cannot start at the first start, or none can any more.
        """
        self._workers = [_Worker(job) for job in jobs]
        try:
            if self._start():
                tell(",".join(worker.job.address for worker in self._workers))
            while not self._is_stopping:
                self._turn()
        finally:
            self._end()

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True

    def _start(self) -> bool:
        """Start all; none opens before all are prepared. Return whether all serve."""
        for worker in self._workers:
            if not self._is_stopping:
                self._launch(worker)
        while not all(worker.is_prepared for worker in self._workers):
            if self._is_stopping:
                return False
            self._turn(is_first=True)
        for worker in self._workers:
            self._open(worker)
        while any(worker.serves_since_s is None for worker in self._workers):
            if self._is_stopping:
                return False
            self._turn(is_first=True)
        return True

    def _turn(self, *, is_first: bool = False) -> None:
        """Wait until something happens, and see to it."""
        now_s = time.monotonic()
        due = [worker.due_s for worker in self._workers if worker.process is None]
        wait_s = max(0.0, min(due) - now_s) if due else None
        self._wait(wait_s, is_first=is_first)
        now_s = time.monotonic()
        for worker in self._workers:
            if worker.process is None and worker.due_s <= now_s and not self._is_stopping:
                self._launch(worker)

    def _wait(self, seconds: float | None, *, is_first: bool) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._signals.recv(4_096)
            else:
                self._hear(key.data, is_first=is_first)

    def _launch(self, worker: _Worker) -> None:
        worker.is_prepared, worker.serves_since_s, worker.cause = False, None, ""
        try:
            worker.process = WorkerProcess(worker.job)
        except OSError as error:
            # No memory or no processes left for now.
            self._plan(worker, f"cannot be started: {error}")
            return
        self._selector.register(worker.process, selectors.EVENT_READ, worker)

    def _open(self, worker: _Worker) -> None:
        if worker.process is not None:
            worker.process.open()

    def _hear(self, worker: _Worker, *, is_first: bool) -> None:
        if worker.process is None:
            return
        news = worker.process.hear()
        if news is None:
            self._ended(worker, is_first=is_first)
            return
        for each in news:
            if each.failed:
                worker.cause = each.failed
            elif each.prepared:
                worker.is_prepared = True
                if not (is_first or self._is_stopping):
                    self._open(worker)
            else:
                worker.serves_since_s, worker.failures = time.monotonic(), 0
                # A free port stays this worker's: clients know it.
                worker.job = replace(worker.job, address=each.address)
                log.info(
                    "%s (process %d) serves on %s, %s",
                    worker.name, worker.process.pid, each.address, worker.job.where,
                )  # fmt: skip

    def _ended(self, worker: _Worker, *, is_first: bool) -> None:
        if worker.process is None:
            return
        self._selector.unregister(worker.process)
        code = worker.process.reap()
        worker.process = None
        if self._is_stopping:
            return
        if is_first:
            raise SetupError(
                worker.cause
                or f"{worker.name} ended with code {code} before it served; what it wrote is above"
            )
        self._plan(worker, worker.cause or f"ended with code {code}")

    def _plan(self, worker: _Worker, cause: str) -> None:
        """Say when a worker's next process is started."""
        now_s = time.monotonic()
        since_s, worker.serves_since_s = worker.serves_since_s, None
        if since_s is None:
            worker.failures += 1
        elif now_s - since_s > _WELL_S:
            worker.pause_s = _AGAIN_MIN_S
        worker.due_s = now_s + worker.pause_s
        log.error("%s %s; it is started again in %.1f s", worker.name, cause, worker.pause_s)
        worker.pause_s = min(2 * worker.pause_s, _AGAIN_MAX_S)
        if all(each.failures >= _HOPELESS for each in self._workers):
            raise SetupError(f"no worker can start any more; {worker.name}: {cause}")

    def _end(self) -> None:
        """Have all workers finish their calls, and wait until they are gone.

        Raises:
            SetupError: some did not end in time and were killed.
        """
        self._is_stopping = True
        for worker in self._workers:
            if worker.process is not None:
                worker.process.terminate()
        deadline_s = time.monotonic() + self._drain_s + _END_S
        while any(worker.process for worker in self._workers):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                break
            self._wait(left_s, is_first=False)
        late = [worker for worker in self._workers if worker.process is not None]
        for worker in late:
            if worker.process is not None:
                worker.process.kill()
                worker.process.reap()
        if late:
            names = ", ".join(worker.name for worker in late)
            raise SetupError(f"{names} did not end in time and had to be killed; see the log")
