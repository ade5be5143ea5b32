"""A time zone's rules for many times at once: local clock to UTC, and the offset in force."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from fanzha.mapping.cells import TIME_MS_MAX, TIME_MS_MIN

Ints = npt.NDArray[np.int64]

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class FromLocal:
    """Local times as times of UTC. All arrays have one entry a time."""

    ms: Ints
    """Milliseconds since 1970 UTC."""
    ambiguous: npt.NDArray[np.bool_]
    """The clock showed this time twice, when it was put back; the first time is taken."""
    skipped: npt.NDArray[np.bool_]
    """The clock never showed this time, as it was put forward; taken as if it had not been."""


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """Offsets of one zone from 1990 to 2099."""

    changes_ms: Ints
    """Times of UTC at which the offset changes."""
    offsets_ms: Ints
    """Offsets before the first change, and from each change on."""

    def offsets_at(self, ms: Ints) -> Ints:
        """Return the offsets from UTC, int64 milliseconds, at times in milliseconds of UTC."""
        return self.offsets_ms[np.searchsorted(self.changes_ms, ms, side="right")]

    def from_local(self, local_ms: Ints) -> FromLocal:
        """Return local times, milliseconds since 1970 as the clock showed them, as UTC.

        As Python's `datetime` with fold=0 does it.
        """
        before, after = self.offsets_ms[:-1], self.offsets_ms[1:]
        low = self.changes_ms + np.minimum(before, after)
        high = self.changes_ms + np.maximum(before, after)
        # Up to `high` the offset before the change counts: in both kinds of doubt.
        passed = np.searchsorted(high, local_ms, side="right")
        ms = local_ms - self.offsets_ms[passed]
        none = np.zeros(len(local_ms), np.bool_)
        if len(self.changes_ms) == 0:
            return FromLocal(ms, none, none)
        coming = np.minimum(passed, len(self.changes_ms) - 1)
        doubtful = (passed < len(self.changes_ms)) & (local_ms >= low[coming])
        is_back = after[coming] < before[coming]
        return FromLocal(ms, doubtful & is_back, doubtful & ~is_back)


@lru_cache(maxsize=8)
def zone_rules(name: str) -> ZoneRules:
    """Return the rules of an IANA zone.

    They are found by looking at each day's offset, and by halving the days on which it changes.
    """
    zone = ZoneInfo(name)

    def offset_s(at_s: int) -> int:
        offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
        return 0 if offset is None else round(offset.total_seconds())

    # A day more at both ends: local times reach beyond those of UTC.
    days = range(TIME_MS_MIN // 1000 - _DAY_S, TIME_MS_MAX // 1000 + 2 * _DAY_S, _DAY_S)
    changes: list[int] = []
    offsets = [offset_s(days[0])]
    for day in days[1:]:
        now = offset_s(day)
        if now == offsets[-1]:
            continue
        early, late = day - _DAY_S, day
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (middle, late) if offset_s(middle) == offsets[-1] else (early, middle)
        changes.append(late)
        offsets.append(now)
    return ZoneRules(np.array(changes, np.int64) * 1000, np.array(offsets, np.int64) * 1000)
