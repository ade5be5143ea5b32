"""Counts calls that were denied, and logs who called what; never what the call was about."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fanzha.log_output import SPARSE

log = logging.getLogger(__name__)

_AGAIN_S: Final = 60.0
_KINDS_MAX: Final = 4096
_SHOWN_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Denial:
    """One kind of denied call."""

    method: str
    caller: str
    cause: str


class Denials:
    """Denied calls since the start; each kind is logged at once and then once a minute at most."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: dict[Denial, int] = {}
        self._logged_s: dict[Denial, float] = {}

    def note(self, denial: Denial) -> None:
        """Count a denied call."""
        now = self._monotonic()
        with self._lock:
            if denial not in self._counts and len(self._counts) >= _KINDS_MAX:
                # Whoever tries many names fills no memory.
                denial = Denial(denial.method, "others", denial.cause)
            count = self._counts[denial] = self._counts.get(denial, 0) + 1
            last = self._logged_s.get(denial)
            is_due = last is None or now - last >= _AGAIN_S
            if is_due:
                self._logged_s[denial] = now
        if is_due:
            log.warning(
                "denied: %s to %s: %s (%d so far)",
                _on_one_line(denial.caller), denial.method, denial.cause, count,
                extra=SPARSE,
            )  # fmt: skip

    def counts(self) -> dict[Denial, int]:
        """Return how many calls of each kind were denied."""
        with self._lock:
            return dict(self._counts)


def _on_one_line(name: str) -> str:
    """Return a name that is somebody else's word, so that it forges no line of the log."""
    shown = name[:_SHOWN_MAX]
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in shown)
