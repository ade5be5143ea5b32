"""Keeps all threads of a worker on one core, and moves them together where others need it.

The system never moves what is pinned, so that a neighbour pinned to the same core, such as another
service's worker that made the same choice, would halve both for ever. Neighbours that are not
pinned go away by themselves.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
_FOREIGN: Final = 0.3
"""Share of a core's time that others take, from which on moving is thought of."""
_GAIN: Final = 0.2
"""So much more free time another core must have."""
_LOOKS: Final = 3
"""So often in a row; a burst passes."""
_REST_LOOKS: Final = 10
"""After a move so many looks pass without another."""
_STAT: Final = Path("/proc/stat")
_TASKS: Final = Path("/proc/self/task")
_PASSES: Final = 3
_IDLE_FIELDS: Final = (3, 4, 7)
"""Of a core's times: idle, waiting for a disk, and what the host gave to others."""


def keep_on(core: int) -> None:
    """Have all threads of this process, and all that they start, run on one core alone."""
    for _ in range(_PASSES):
        # A thread that was started meanwhile may still have the core of before.
        if not _put_on(core):
            return


def _put_on(core: int) -> bool:
    has_moved = False
    for task in _TASKS.iterdir():
        with suppress(ProcessLookupError):
            if os.sched_getaffinity(int(task.name)) != {core}:
                os.sched_setaffinity(int(task.name), {core})
                has_moved = True
    return has_moved


def busy_seconds(text: str, ticks_s: int) -> dict[int, float]:
    """Return how long each core has worked, in seconds, from the text of `/proc/stat`.

    Args:
        text: of the file.
        ticks_s: ticks of its clock a second.
    """
    busy = {}
    for line in text.splitlines():
        name, _, times = line.partition(" ")
        number = name.removeprefix("cpu")
        if name.startswith("cpu") and number.isdecimal():
            # The last two are parts of others.
            ticks = [int(word) for word in times.split()][:8]
            worked = sum(t for place, t in enumerate(ticks) if place not in _IDLE_FIELDS)
            busy[int(number)] = worked / ticks_s
    return busy


class Chooser:
    """Decides from looks at the machine whether to move, and where to."""

    def __init__(self, core: int, cores: frozenset[int], chance: random.Random) -> None:
        """Begin on a core.

        Args:
            core: where the worker runs.
            cores: where it may run.
            chance: two workers on one core must not both move at the same time.
        """
        self.core = core
        self._cores = cores
        self._chance = chance
        self._crowded = 0
        self._rest = 0

    def look(self, busy: Mapping[int, float], own: float) -> int | None:
        """Return the core to move to; None: stay.

        Args:
            busy: core to the share of the time that it worked since the last look, 0 to 1.
            own: the same of this worker alone, on its core.
        """
        if self.core not in busy:
            return None
        foreign = max(0.0, busy[self.core] - own)
        self._rest = max(0, self._rest - 1)
        self._crowded = self._crowded + 1 if foreign >= _FOREIGN else 0
        others = [core for core in self._cores if core in busy and core != self.core]
        if self._crowded < _LOOKS or self._rest or not others:
            return None
        best = min(others, key=lambda core: busy[core])
        if busy[best] > foreign - _GAIN or self._chance.random() < 0.5:
            return None
        self.core = best
        self._crowded, self._rest = 0, _REST_LOOKS
        return best


class Together:
    """A thread that looks once a second; it ends with the process."""

    def __init__(self, core: int, cores: frozenset[int]) -> None:
        self._chooser = Chooser(core, cores, random.Random())  # noqa: S311 - a coin, no secret
        self._ticks_s = os.sysconf("SC_CLK_TCK")

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._work, name="pinning", daemon=True).start()

    def _work(self) -> None:
        before, own_before, then = self._busy(), time.process_time(), time.monotonic()
        while True:
            time.sleep(LOOK_S)
            busy, own, now = self._busy(), time.process_time(), time.monotonic()
            past = now - then
            shares = {core: (s - before[core]) / past for core, s in busy.items() if core in before}
            core, target = self._chooser.core, self._chooser.look(shares, (own - own_before) / past)
            before, own_before, then = busy, own, now
            if target is not None:
                log.info("moved from core %d, which others need, to core %d", core, target)
            try:
                keep_on(self._chooser.core)
            except OSError:
                # Somebody took the core away from the process; where it runs is theirs to say.
                log.warning("core %d may not be used any more; pinning ends", self._chooser.core)
                return

    def _busy(self) -> dict[int, float]:
        try:
            return busy_seconds(_STAT.read_text("ascii"), self._ticks_s)
        except OSError:
            return {}
