"""Within what a rate or a count may be chance."""

from math import sqrt

from scipy.stats import chi2, norm


def rate_interval(hits: float, rows: float, chance: float) -> tuple[float, float]:
    """Return the interval of Wilson (1927) around a rate; it misses the true one with a chance."""
    z = float(norm.isf(chance / 2))
    rate, part = hits / rows, z * z / rows
    middle = (rate + part / 2) / (1 + part)
    half = z * sqrt(rate * (1 - rate) / rows + part / (4 * rows)) / (1 + part)
    return max(0.0, middle - half), min(1.0, middle + half)


def count_interval(count: int, chance: float) -> tuple[float, float]:
    """Return the exact interval of Garwood (1936) around a Poisson count."""
    low = float(chi2.ppf(chance / 2, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.isf(chance / 2, 2 * count + 2)) / 2


def times_apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return by what factor two intervals above 0 are apart; 1 where they meet."""
    if one[0] > other[1]:
        return one[0] / other[1] if other[1] > 0 else float("inf")
    if other[0] > one[1]:
        return other[0] / one[1] if one[1] > 0 else float("inf")
    return 1.0
