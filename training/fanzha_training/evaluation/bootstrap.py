"""Confidence intervals by drawing accounts anew, each with all its transfers.

Transfers of one account are alike and frauds of one victim hang together, so that intervals from
single transfers would be too narrow: the cluster bootstrap (Davison & Hinkley, 1997, "Bootstrap
methods and their application", chapter 3.8), with percentile intervals (Efron & Tibshirani, 1993,
"An introduction to the bootstrap", chapter 13).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha_training.evaluation.sample import Floats

LEVEL: Final = 0.95
_TELLING: Final = 0.95
"""An interval is told only if at least this share of the draws has a value."""

Measure = Callable[[Floats], dict[str, Floats]]


def drawn(
    measure: Measure,
    accounts: int,
    *,
    has_both: Callable[[Floats], bool],
    resamples: int,
    seed: int,
    tell: Callable[[int, int], None],
) -> dict[str, Floats]:
    """Return what `measure` gives for each draw, stacked along a new first axis.

    Args:
        measure: takes how often each account counts, float64 (accounts,).
        accounts: number of accounts.
        has_both: whether a draw has fraud and legitimate transfers; one without is left out.
        resamples: number of draws.
        seed: the same seed and number of accounts draw the same accounts, so that two models are
            compared on the same draws.
        tell: is told how many draws of how many are done.

    """
    rng = np.random.default_rng(seed)
    results: list[dict[str, Floats]] = []
    for done in range(resamples):
        times = np.bincount(rng.integers(0, accounts, accounts), minlength=accounts)
        weights = times.astype(np.float64)
        if has_both(weights):
            results.append(measure(weights))
        tell(done + 1, resamples)
    names = results[0] if results else {}
    return {name: np.stack([result[name] for result in results]) for name in names}


def interval(values: Floats) -> tuple[Floats, Floats]:
    """Return the low and high ends of the central 95 % of the draws, along the first axis.

    Draws without a value (NaN) are left out; where they are more than one in twenty, both ends are
    NaN; so they are where all draws agree, which says nothing. An infinite ratio, such as false
    alerts without a true one, counts as large.
    """
    missing = np.isnan(values)
    # Draws are ordered, not averaged: halfway to infinity is no number.
    filled = np.sort(np.where(missing, np.inf, values), axis=0)
    known = len(values) - missing.sum(axis=0)
    enough = known >= max(1, _TELLING * len(values))
    tail = (1 - LEVEL) / 2
    ends = []
    for share in (tail, 1 - tail):
        rank = np.clip(np.ceil(np.round(share * known, 6)) - 1, 0, len(values) - 1).astype(np.int64)
        end = np.take_along_axis(filled, rank[None], axis=0)[0]
        ends.append(np.where(enough, end, np.nan))
    # None of ten cases found, in every draw: that is no proof that none can be.
    same = ends[0] == ends[1]
    return np.where(same, np.nan, ends[0]), np.where(same, np.nan, ends[1])


def as_json(value: float | np.floating[npt.NBitBase]) -> float | None:
    """Return a number, None if it is not finite."""
    return float(value) if np.isfinite(value) else None
