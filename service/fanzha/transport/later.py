"""Answers that have to wait for something, but not on a thread."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fanzha.pipeline.answer import Answer

WhenReady = Callable[[Callable[[], None], Callable[[], None]], None]
"""Calls the first of two functions when something is ready, or the second when it is late."""


@dataclass(frozen=True, slots=True)
class Later:
    """What a handler returns instead of a message."""

    when_ready: WhenReady
    """May call back on any thread, maybe at once; from then on `message` may be asked for."""
    message: Callable[[], Any]
    """Returns the message, or raises what the call ends with; may take a while when it is late."""


def when_all(answers: Iterable[Answer]) -> WhenReady:
    """Return what calls back when all answers are ready, or as late when any of them is."""
    waiting = list(answers)

    def wait(ready: Callable[[], None], late: Callable[[], None]) -> None:
        if not waiting:
            ready()
            return
        lock, left, is_late = threading.Lock(), len(waiting), False

        def one(*, came_late: bool) -> None:
            nonlocal left, is_late
            with lock:
                left -= 1
                is_late = is_late or came_late
                is_last = left == 0
            if is_last:
                (late if is_late else ready)()

        for answer in waiting:
            answer.when_ready(lambda: one(came_late=False), lambda: one(came_late=True))

    return wait
