"""How a service's log is written: each statement of the code so often, however often it happens."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

PERIOD_S: Final = 10.0
"""The period in which a statement is written so often at most, in seconds."""
WRITTEN_MAX: Final = 20
SPARSE: Final[Mapping[str, object]] = {"is_sparse": True}
"""`extra` of a statement that limits itself, and says something else each time."""


@dataclass(slots=True)
class _Said:
    since_s: float
    written: int = 0
    left_out: int = 0


class Repeats(logging.Filter):
    """Leaves out what one statement says too often, and tells later how many those were.

    While a Redis or a disk is away each call has something to say: a log of a thousand lines a
    second fills disks and hides what else happens.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin with nothing said.

        Args:
            monotonic: seconds of a clock that never goes back.
        """
        super().__init__()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._said: dict[tuple[str, int], _Said] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        if getattr(record, "is_sparse", False):
            return True
        now_s = self._monotonic()
        with self._lock:
            said = self._said.setdefault((record.pathname, record.lineno), _Said(now_s))
            left_out = 0
            if now_s - said.since_s >= PERIOD_S:
                left_out = said.left_out
                said.since_s, said.written, said.left_out = now_s, 0, 0
            if said.written >= WRITTEN_MAX:
                said.left_out += 1
                return False
            said.written += 1
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out:,} more of these since)"
            record.args = ()
        return True


def write_log(monotonic: Callable[[], float], who: str = "") -> None:
    """Write the process's log to stderr, from INFO on.

    Args:
        monotonic: seconds of a clock that never goes back.
        who: a word in each line, where several processes write to one log.
    """
    handler = logging.StreamHandler()
    handler.addFilter(Repeats(monotonic))
    shape = f"%(asctime)s %(levelname)s {who + ' ' if who else ''}%(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=shape, handlers=[handler])
