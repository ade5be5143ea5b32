"""Whether a figure grows: Theil and Sen's slope, with an interval, against what is allowed an hour.

The slope is the median of the slopes between all pairs of samples, so that a few spikes do not make
it. A figure grows when even the lower end of the 95 % interval of its slope is beyond what is
allowed, and when the rise over the run is larger than what comes and goes anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from scipy.stats import theilslopes

_SAMPLES_MIN: Final = 6
_PAIRS_OF: Final = 600
"""Series are thinned to so many samples: pairs grow with their square."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure may do."""

    figure: str
    unit: str
    per_hour_max: float
    """Rise in an hour, relative to its level."""
    least: float
    """A rise over the run below this is nothing, in the figure's unit."""


@dataclass(frozen=True, slots=True)
class Slope:
    """How one figure went."""

    bound: Bound
    level: float
    """Median after the warm-up."""
    per_hour: float
    per_hour_low: float
    """Slope and lower end of its 95 % interval, relative to the level."""
    rise: float
    """By the slope, over the time that was looked at."""
    samples: int

    @property
    def is_flat(self) -> bool:
        """Whether it stays as it is; with too few samples nobody knows, and it does not count."""
        if self.samples < _SAMPLES_MIN:
            return False
        return self.per_hour_low <= self.bound.per_hour_max or self.rise <= self.bound.least


def slope_of(bound: Bound, times_s: Sequence[float], values: Sequence[float]) -> Slope:
    """Return how a figure went after the warm-up."""
    step = max(1, len(values) // _PAIRS_OF)
    times, kept = list(times_s[::step]), list(values[::step])
    if len(kept) < _SAMPLES_MIN:
        return Slope(bound, median(kept) if kept else 0.0, 0.0, 0.0, 0.0, len(kept))
    level = median(kept)
    found = theilslopes(kept, times, 0.95)
    scale = 3600 / level if level else 0.0
    return Slope(
        bound=bound,
        level=level,
        per_hour=float(found[0]) * scale,
        per_hour_low=float(found[2]) * scale,
        rise=float(found[0]) * (times[-1] - times[0]),
        samples=len(kept),
    )
