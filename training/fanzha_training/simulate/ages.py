"""How old customers are, by segment, and the bands in which police reports count victims."""

from typing import Final

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.plan import Bools, Ints

ADULT: Final = 18
_MINOR_STUDENTS: Final = 0.2
"""Share of the students with an account who are minors."""
_SPANS: Final = {
    # Youngest, most frequent and oldest age in years.
    CustomerSegment.STUDENT: (18, 20, 26),
    CustomerSegment.WORKER: (19, 34, 60),
    CustomerSegment.CORPORATE_FINANCE: (23, 36, 58),
    CustomerSegment.RETIRED: (55, 65, 86),
    CustomerSegment.SHOP_KEEPER: (22, 40, 64),
    CustomerSegment.UNEMPLOYED: (18, 27, 56),
    CustomerSegment.OTHER: (18, 35, 62),
}
BANDS: Final = {"10-17": (10, 17), "18-40": (18, 40), "41-65": (41, 65), "66+": (66, 120)}
"""Youngest and oldest age of each band, in years. Domain: 18-40 62.1 %, 41-65 33.1 % of victims
(Ministry of Public Security, 2024-06)."""


def ages(rng: np.random.Generator, segment: Ints) -> Ints:
    """Return an age in years for each customer."""
    count = len(segment)
    years = np.zeros(count)
    for member, (youngest, usual, oldest) in _SPANS.items():
        years = np.where(
            segment == member, rng.triangular(youngest, usual, oldest, size=count), years
        )
    minor = (segment == CustomerSegment.STUDENT) & happens(rng, _MINOR_STUDENTS, count)
    return np.where(minor, rng.integers(10, ADULT, size=count), years).astype(np.int64)


def in_band(age: Ints, band: str) -> Bools:
    """Say of each age whether it lies in one of `BANDS`."""
    youngest, oldest = BANDS[band]
    return (age >= youngest) & (age <= oldest)
