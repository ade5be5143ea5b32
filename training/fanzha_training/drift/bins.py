"""Bins of one feature: what is missing, values that many rows share, and intervals of the rest."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha_training.drift.psi import Floats

Values = npt.NDArray[np.float32]

_INTERVALS: Final = 10
_MASS_SHARE: Final = 0.05
"""A value that so many of the known rows have gets a bin of its own: 0 events, 0 yuan."""
_CODES_MAX: Final = 12
"""With no more distinct values, each has a bin of its own: codes, flags, grades."""
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins in the order missing, `masses`, intervals, and the share of the reference in each."""

    masses: tuple[float, ...]
    """Values with a bin of their own, ascending."""
    edges: tuple[float, ...]
    """Between intervals, ascending; an edge belongs to the interval above it."""
    low: float | None
    """Least value of the reference; None: all were missing."""
    high: float | None
    shares: tuple[float, ...]

    @property
    def missing(self) -> float:
        """Share of the reference that is missing."""
        return self.shares[0]

    def counts(self, values: Values) -> Floats:
        """Return how many values, float32 (rows,), are in each bin, float64 (bins,)."""
        places = self.places(values)
        return np.bincount(places, minlength=len(self.shares)).astype(np.float64)

    def outside(self, values: Values) -> int:
        """Return how many known values are of a kind that the reference never held.

        They are beyond its least or its greatest; where all its values have bins of their own, also
        any other value.
        """
        known = values[~np.isnan(values)]
        if self.low is None or self.high is None:
            return len(known)
        strange = (known < self.low) | (known > self.high)
        if not self.edges and self.shares[-1] == 0:
            strange |= ~np.isin(known, np.array(self.masses, np.float32))
        return int(strange.sum())

    def names(self) -> tuple[str, ...]:
        """Return what the bins are called in plots."""
        if not self.edges:
            intervals = ["other"]
        else:
            texts = [f"{edge:.3g}" for edge in self.edges]
            between = [f"{a} to {b}" for a, b in pairwise(texts)]
            intervals = [f"below {texts[0]}", *between, f"from {texts[-1]}"]
        return ("missing", *(f"{mass:.6g}" for mass in self.masses), *intervals)

    def places(self, values: Values) -> npt.NDArray[np.int64]:
        """Return the bin of each value, float32 (rows,), as int64 (rows,)."""
        first = 1 + len(self.masses)
        edges = np.array(self.edges, np.float32)
        places = first + np.searchsorted(edges, values, side="right")
        if self.masses:
            masses = np.array(self.masses, np.float32)
            near = np.minimum(np.searchsorted(masses, values), len(masses) - 1)
            places = np.where(masses[near] == values, 1 + near, places)
        return np.where(np.isnan(values), 0, places).astype(np.int64)


def bins_of(values: Values, weights: Floats) -> Bins:
    """Return bins of about equal shares of a reference.

    Args:
        values: float32 (rows,), NaN where missing; at least one row.
        weights: how many rows of the true population each stands for, above 0, float64 (rows,).

    """
    known = ~np.isnan(values)
    present, weight = values[known], weights[known]
    distinct, place = np.unique(present, return_inverse=True)
    share = np.bincount(place, weight, len(distinct)) / max(weight.sum(), 1e-300)
    is_mass = share >= (0 if len(distinct) <= _CODES_MAX else _MASS_SHARE)
    masses = distinct[is_mass]
    rest, rest_share = distinct[~is_mass], share[~is_mass]
    edges = _edges(rest, rest_share)
    empty = Bins(
        masses=tuple(map(float, masses)),
        edges=tuple(map(float, edges)),
        low=float(distinct[0]) if len(distinct) else None,
        high=float(distinct[-1]) if len(distinct) else None,
        shares=(0.0,) * (2 + len(masses) + len(edges)),
    )
    held = np.bincount(empty.places(values), weights, len(empty.shares)) / weights.sum()
    shares = tuple(round(float(part), _DIGITS) for part in held)
    return replace(empty, shares=shares)


def _edges(distinct: Values, share: Floats) -> Values:
    """Return what splits ascending values into intervals, each of about a tenth of all rows."""
    intervals = max(1, round(_INTERVALS * float(share.sum())))
    if len(distinct) == 0 or intervals == 1:
        return distinct[:0]
    below = np.cumsum(share) - share
    wanted = share.sum() * np.arange(1, intervals) / intervals
    first = np.searchsorted(below, wanted)
    edges: Values = distinct[np.unique(first[(first > 0) & (first < len(distinct))])]
    return edges
