"""The population stability index, and how large it gets by chance.

PSI = Σ (found − expected) × ln(found ÷ expected) over the bins of two distributions: the symmetric
divergence of Jeffreys (1946), "An invariant form for the prior probability in estimation problems".
Under 0.1 little has changed, above 0.25 much has: conventions of credit scoring (Siddiqi 2006,
"Credit risk scorecards"), made without regard to the number of rows. By chance alone, PSI times
1 ÷ (1 ÷ rows + 1 ÷ reference rows) follows a chi-square distribution with bins − 1 degrees of
freedom (Yurdakul & Naranjo 2020, "Statistical properties of the population stability index").
"""

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

Floats = npt.NDArray[np.float64]

_ADDED = 0.5
"""Rows added to every bin (Krichevsky & Trofimov 1981): an empty bin is no proof that it is never
filled, and must not make the index infinite."""


def psi(expected: Floats, found: Floats) -> float:
    """Return the index of two distributions: 0 where they are equal, infinite at most.

    Args:
        expected: shares of the bins, float64 (bins,), that add up to 1.
        found: the same of what is compared with it.

    """
    used = (expected > 0) | (found > 0)
    one, other = expected[used], found[used]
    if not (one.all() and other.all()):
        return float("inf")
    return float(((other - one) * np.log(other / one)).sum())


def psi_of_counts(expected: Floats, found: Floats) -> float:
    """Return the index of two samples, finite also where a bin is empty.

    Args:
        expected: rows in each bin of the reference, float64 (bins,).
        found: the same of what is compared with it.

    """
    used = (expected > 0) | (found > 0)
    if not used.any():
        return 0.0
    return psi(_shares(expected[used]), _shares(found[used]))


def by_chance(bins: int, rows: float, reference_rows: float) -> float:
    """Return the mean of the index of two samples of one population, of so many filled bins."""
    return max(bins - 1, 0) * (1 / rows + 1 / reference_rows)


def chance_bound(bins: int, rows: float, reference_rows: float, chance: float) -> float:
    """Return what the index of two samples of one population exceeds with a chance, above 0 to 1.

    It holds for rows that are independent of each other.
    """
    if bins < 2:
        return 0.0
    return float(chi2.isf(chance, bins - 1)) * (1 / rows + 1 / reference_rows)


def _shares(counts: Floats) -> Floats:
    shares: Floats = (counts + _ADDED) / (counts.sum() + _ADDED * len(counts))
    return shares
