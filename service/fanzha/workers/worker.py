"""One worker: alone in this process, or as one of several under a supervisor."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from fanzha.adapters.embedded_redis import stop_left_behind
from fanzha.domain.errors import FanzhaError, SetupError
from fanzha.log_output import write_log
from fanzha.settings import Settings
from fanzha.workers.cores import plan_cores
from fanzha.workers.machine import Machine, this_machine
from fanzha.workers.shared import hold, shared_by
from fanzha.workers.together import Together, keep_on
from fanzha.workers.words import OPEN, Job, News, job_of

if TYPE_CHECKING:
    from fanzha.app import App

log = logging.getLogger("fanzha.workers.worker")

_LOOK_S: Final = 0.5
_END_S: Final = 30.0
"""So long a worker without a supervisor may take to end, beside the calls that it finishes."""


def serve_alone(settings: Settings, tell: Callable[[str], None]) -> None:
    """Serve in this process, until SIGTERM or SIGINT.

    Args:
        settings: of the service.
        tell: told of the address once it serves.

    Raises:
        SetupError: it cannot start; names the cause and the remedy.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    machine = this_machine()
    plan = plan_cores(settings.pin, 1, machine, int.from_bytes(os.urandom(4)))
    for warning in plan.warnings:
        log.warning("%s", warning)
    _pin(plan.workers[0], machine, may_move=plan.may_move, where=plan.worker_cores(0))
    with shared_by(settings, plan.rest) as shared:
        app = _app(settings, settings.address, shared.spool, shared.redis_url)
        try:
            app.prepare()
            if not stop.is_set():
                tell(app.open())
            # In short waits: a signal that arrives just before a long one would not be noticed.
            while not stop.wait(timeout=_LOOK_S):
                pass
        finally:
            app.stop()


def _app(settings: Settings, address: str, spool: Path, redis_url: str) -> "App":
    # Its libraries start threads when they are loaded: the core is chosen before.
    from fanzha.app import App, Place  # noqa: PLC0415

    return App(settings, Place(address, spool, redis_url))


def _pin(core: int | None, machine: Machine, *, may_move: bool, where: str) -> None:
    if core is not None:
        keep_on(core)
        if may_move:
            Together(core, machine.cores).start()
    log.info("runs %s (FANZHA_PIN)", where)


class _Supervised:
    """One of several workers: does what the supervisor says, and ends when that is gone."""

    def __init__(self, job: Job, orders: Iterator[str], news: TextIO) -> None:
        self._job = job
        self._settings = Settings(**job.settings)
        self._orders = orders
        self._news = news
        self._stop = threading.Event()
        self._may_open = threading.Event()
        self._is_left = False

    def run(self) -> int:
        """Work until told to stop; return the exit code."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        # Ctrl-C reaches all processes of a terminal; the supervisor says what follows.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        job = self._job
        _pin(job.core, this_machine(), may_move=job.may_move, where=job.where)
        threading.Thread(target=self._listen, name="supervisor", daemon=True).start()
        try:
            app = _app(self._settings, job.address, Path(job.spool), job.redis_url)
            try:
                app.prepare()
                self._say(News(prepared=True))
                self._serve(app)
            finally:
                app.stop()
        except FanzhaError as error:
            self._say(News(failed=str(error)))
            return 1
        if self._is_left and self._settings.embedded:
            self._stop_redis()
        return 0

    def _serve(self, app: "App") -> None:
        while not (self._may_open.wait(timeout=_LOOK_S) or self._stop.is_set()):
            pass
        if self._stop.is_set():
            return
        self._say(News(address=app.open()))
        while not self._stop.wait(timeout=_LOOK_S):
            pass

    def _say(self, news: News) -> None:
        try:
            self._news.write(news.line())
            self._news.flush()
        except BrokenPipeError:
            # Who should hear it is gone; `_listen` notices that too.
            log.debug("nobody hears that %s", news)

    def _listen(self) -> None:
        for line in self._orders:
            if line == OPEN:
                self._may_open.set()
        log.error("the supervisor is gone: worker %d finishes its calls", self._job.number + 1)
        self._is_left = True
        self._stop.set()
        settings = self._settings
        time.sleep(settings.drain_notice_s + settings.drain_s + _END_S)
        log.critical("worker %d did not end in time; it ends now", self._job.number + 1)
        os._exit(1)

    def _stop_redis(self) -> None:
        """Stop the embedded Redis once the last of the workers that are left has ended."""
        # All of them inherited one hold on the data folder: it is free when the last lets go.
        os.close(self._job.lock)
        try:
            with hold(self._settings.data_dir):
                stop_left_behind(self._job.redis_url)
        except SetupError:
            log.debug("others still use the embedded Redis")


def main() -> int:
    """Take the job from standard input, and do it; nothing else uses standard input and output."""
    orders, news = _lines(os.dup(0)), os.fdopen(os.dup(1), "w")
    # What libraries print belongs into the log.
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    job = job_of(next(orders))
    write_log(time.monotonic, f"worker-{job.number + 1}")
    return _Supervised(job, orders, news).run()


def _lines(handle: int) -> Iterator[str]:
    """Yield lines until the other end closes. No buffered file: a thread waits in it to the end."""
    rest = b""
    while data := os.read(handle, 65_536):
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
