"""An archiver that goes on until it is told to stop: rounds by size or age, troubles survived."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command
from fanzha.archive.drain import ROUND_ROWS, Drain
from fanzha.archive.writer import OvertakenError
from fanzha.domain.errors import SetupError, StoreUnavailableError

log = logging.getLogger(__name__)

_POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Pace:
    """When an archiver that goes on does a round."""

    rows: int = ROUND_ROWS
    """Entries that wait."""
    seconds: float = 300.0
    """For so long, at most, an entry waits."""


def follow(
    one: Drain,
    pace: Pace,
    stop: threading.Event,
    progress: Callable[[int], None],
    between: Callable[[], None],
) -> None:
    """Go on archiving until told to stop; troubles are logged, and tried again.

    Args:
        one: an archiver that is not open yet.
        pace: when to do rounds.
        stop: ends it, after the round that is under way.
        progress: told of the number of rows after each round.
        between: called now and then, between rounds.
    """
    due_s, is_open, pause_s = time.monotonic() + pace.seconds, False, _POLL_S
    try:
        while not stop.wait(pause_s):
            pause_s = _POLL_S
            try:
                if not is_open:
                    one.open()
                    is_open = True
                mine = sorted(one.leases.take())
                waiting = sum(one.link.run([("XLEN", keys.journal(b)) for b in mine] or _NOTHING))
                if waiting >= pace.rows or (waiting and time.monotonic() >= due_s):
                    _catch_up(one, mine, stop, progress)
                    due_s = time.monotonic() + pace.seconds
                elif not waiting:
                    due_s = time.monotonic() + pace.seconds
                between()
            except OvertakenError as error:
                log.info("%s", error)
            except (OSError, pa.ArrowException, SetupError) as error:
                log.error("the archive %s: %s; nothing was trimmed, and it is tried again",  # noqa: TRY400 - no trace
                          one.log.storage.name, error)  # fmt: skip
                pause_s = 2.0
            except StoreUnavailableError as error:
                log.error("%s; tried again", error)  # noqa: TRY400 - its cause is all there is to say
                pause_s = 1.0
    finally:
        one.leases.release()


_NOTHING: Final[list[Command]] = [("XLEN", keys.journal(0))]


def _catch_up(
    one: Drain, mine: list[int], stop: threading.Event, progress: Callable[[int], None]
) -> None:
    newest = one.behind(one.newest(mine))
    while newest and not stop.is_set():
        held = one.leases.take(newest)
        if not held:
            return
        one.move({bucket: newest[bucket] for bucket in held})
        progress(one.done.rows)
        newest = one.behind({bucket: newest[bucket] for bucket in held})
