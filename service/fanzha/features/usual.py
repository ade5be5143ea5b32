"""Family `velocity`, continued: the amount against what the payer usually pays.

A mean is moved by the very payments that it is to be compared with; a median is not.
"""

import numpy as np

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS

_NO_HISTORY = "payer's history could not be read"
_NONE_PAID = _NO_HISTORY + ", or nothing paid in the window"

FEATURES = (
    Feature("out_median_30d", "velocity", "minor units",
            "Median payment in the last 30 days; of an even number the smaller of the middle two.",
            _NONE_PAID),
    Feature("amount_over_median_30d", "velocity", "ratio",
            "Amount ÷ median payment in the last 30 days.", _NONE_PAID),
    Feature("amount_rank_30d", "velocity", "ratio",
            "Share of the payments in the last 30 days that were smaller than the amount.",
            _NONE_PAID),
    Feature("out_large_7d", "velocity", "events",
            "Payments in the last 7 days of more than three times the median of 30 days.",
            _NO_HISTORY),
)  # fmt: skip

(MEDIAN_30D, OVER_MEDIAN_30D, RANK_30D, LARGE_7D) = range(len(FEATURES))


@compiled()
def compute(facts, ring, out):
    """Write the features: facts int64[:], ring of payments out int64[:, 5], out float32[:]."""
    now = facts[f.TIME_MS]
    amount = facts[f.AMOUNT_MINOR]
    paid = np.empty(at.RING_EVENTS, np.int64)
    count = 0
    smaller = 0
    for i in range(ring.shape[0]):
        age = now - ring[i, at.TIME]
        if 0 < age <= 30 * DAY_MS and is_paid(ring[i, at.FLAGS]):
            _insert(paid, count, ring[i, at.AMOUNT])
            count += 1
            if ring[i, at.AMOUNT] < amount:
                smaller += 1
    out[LARGE_7D] = 0
    if count == 0:
        return
    median = paid[(count - 1) // 2]
    out[MEDIAN_30D] = median
    out[OVER_MEDIAN_30D] = amount / median
    out[RANK_30D] = smaller / count
    large = 0
    for i in range(ring.shape[0]):
        age = now - ring[i, at.TIME]
        # More than three times the median, in whole numbers that do not overflow.
        is_large = (ring[i, at.AMOUNT] - 1) // 3 >= median
        if 0 < age <= 7 * DAY_MS and is_large and is_paid(ring[i, at.FLAGS]):
            large += 1
    out[LARGE_7D] = large


@compiled()
def _insert(ordered, count, value):
    """Put a value into its place among the first `count` of an array in rising order."""
    place = count
    while place > 0 and ordered[place - 1] > value:
        ordered[place] = ordered[place - 1]
        place -= 1
    ordered[place] = value
