"""Compares the features of one day's decisions with the reference: PSI, missing, never seen."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from fanzha.features.manifest import FEATURE_INDEX
from fanzha_training.drift.bins import Bins, Values
from fanzha_training.drift.check import Check, State, judged, worst
from fanzha_training.drift.limits import Limits
from fanzha_training.drift.psi import Floats, by_chance, chance_bound, psi_of_counts
from fanzha_training.drift.reference import Reference

OF_THE_DATE: Final = frozenset({"weekday", "month_day"})
"""Features that have one value on one day: how it is distributed says nothing."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One feature on one day."""

    feature: str
    psi: float | None
    """None for features of the date, of which only missing values are checked."""
    psi_by_chance: float
    """What the index would be on average, had nothing changed."""
    psi_noise: float
    """What it may be by chance; only what exceeds it is judged."""
    missing: float
    missing_reference: float
    outside: float
    """Share of all decisions whose value is of a kind that training never saw."""
    shares: tuple[float, ...]
    """In the bins of the reference."""
    checks: tuple[Check, ...]

    @property
    def state(self) -> State:
        """State of its gravest check."""
        return worst(check.state for check in self.checks)


def feature_drifts(
    vectors: npt.NDArray[np.float32], reference: Reference, limits: Limits
) -> list[FeatureDrift]:
    """Return every feature, in the order of the vector.

    Args:
        vectors: served vectors, float32 (rows, features); at least one row.
        reference: what they are compared with.
        limits: from when on a difference counts.

    """
    chance = limits.chance / len(reference.features)
    return [
        _drift(name, vectors[:, FEATURE_INDEX[name]], bins, reference, limits, chance)
        for name, bins in reference.features.items()
    ]


def _drift(
    name: str, values: Values, bins: Bins, reference: Reference, limits: Limits, chance: float
) -> FeatureDrift:
    rows, reference_rows = len(values), reference.learned.looked_at
    counts = bins.counts(values)
    expected = np.array(bins.shares) * reference_rows
    outside = bins.outside(values) / rows
    missing = _missing(name, counts[0] / rows, bins.missing, rows, reference_rows, limits, chance)
    index, average, checks = None, 0.0, [missing]
    if name not in OF_THE_DATE:
        index = psi_check("feature_psi", name, expected, counts, limits, chance)
        average = by_chance(_filled(expected, counts), rows, reference_rows)
        checks = [index, missing, _outside(name, outside, rows, limits, chance)]
    return FeatureDrift(
        feature=name,
        psi=None if index is None else index.found,
        psi_by_chance=average,
        psi_noise=0.0 if index is None else index.noise,
        missing=float(counts[0] / rows),
        missing_reference=bins.missing,
        outside=outside,
        shares=tuple(float(share) for share in counts / rows),
        checks=tuple(_accepted(check, limits) for check in checks),
    )


def _accepted(check: Check, limits: Limits) -> Check:
    """Return a check as a warning at most, where the bank knows of the drift."""
    reason = limits.accepted.get(check.subject)
    if reason is None or check.state is not State.ALARM:
        return check
    return replace(check, state=State.WARN, text=f"{check.text} (accepted: {reason})")


def psi_check(
    check: str, subject: str, expected: Floats, counts: Floats, limits: Limits, chance: float
) -> Check:
    """Return the check of one index; what chance may add is taken off before it is judged.

    Args:
        check: feature_psi or score_psi.
        subject: the feature.
        expected: rows in each bin of the reference, float64 (bins,).
        counts: the same of the day.
        limits: from when on a difference counts.
        chance: how often the bound of noise may be exceeded.

    """
    allowed = limits.feature_psi if check == "feature_psi" else limits.score_psi
    found = psi_of_counts(expected, counts)
    noise = chance_bound(_filled(expected, counts), counts.sum(), expected.sum(), chance)
    state = judged(found - noise, allowed)
    text = f"PSI {found:.3f}, of which {noise:.3f} may be chance"
    return Check(check, subject, state, found, None, noise, allowed.warn, allowed.alarm, text)


def _filled(expected: Floats, counts: Floats) -> int:
    return int(((expected > 0) | (counts > 0)).sum())


def _missing(
    name: str,
    found: float,
    before: float,
    rows: int,
    reference_rows: int,
    limits: Limits,
    chance: float,
) -> Check:
    both = (found * rows + before * reference_rows) / (rows + reference_rows)
    deviation = sqrt(both * (1 - both) * (1 / rows + 1 / reference_rows))
    noise = float(norm.isf(chance / 2)) * deviation
    state = judged(abs(found - before) - noise, limits.missing)
    text = f"{found:.1%} missing, in the reference {before:.1%}"
    pair = limits.missing
    return Check("missing", name, state, found, before, noise, pair.warn, pair.alarm, text)


def _outside(name: str, found: float, rows: int, limits: Limits, chance: float) -> Check:
    pair = limits.outside
    noise = float(norm.isf(chance)) * sqrt(found * (1 - found) / rows)
    state = judged(found - noise, pair)
    text = f"{found:.1%} of values that training never saw"
    return Check("outside", name, state, found, 0.0, noise, pair.warn, pair.alarm, text)
