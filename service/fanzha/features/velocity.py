"""Family `velocity`: how much and how often the payer pays, and the amount against that."""

import numpy as np

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid
from fanzha.features.feature import Feature

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_NO_HISTORY = "payer's history could not be read"
_NONE_PAID = _NO_HISTORY + ", or nothing paid in the window"

FEATURES = (
    Feature("out_count_10m", "velocity", "events", "Payments in the last 10 minutes.", _NO_HISTORY),
    Feature("out_count_1h", "velocity", "events", "Payments in the last hour.", _NO_HISTORY),
    Feature("out_count_24h", "velocity", "events", "Payments in the last 24 hours.", _NO_HISTORY),
    Feature("out_count_7d", "velocity", "events", "Payments in the last 7 days.", _NO_HISTORY),
    Feature("out_sum_1h", "velocity", "minor units", "Paid in the last hour.", _NO_HISTORY),
    Feature("out_sum_24h", "velocity", "minor units", "Paid in the last 24 hours.", _NO_HISTORY),
    Feature("out_sum_7d", "velocity", "minor units", "Paid in the last 7 days.", _NO_HISTORY),
    Feature("out_payees_24h", "velocity", "parties",
            "Distinct payees paid in the last 24 hours.", _NO_HISTORY),
    Feature("out_mean_30d", "velocity", "minor units",
            "Mean payment in the last 30 days.", _NONE_PAID),
    Feature("amount_over_max_30d", "velocity", "ratio",
            "Amount ÷ largest payment in the last 30 days.", _NONE_PAID),
    Feature("amount_over_mean_30d", "velocity", "ratio",
            "Amount ÷ mean payment in the last 30 days.", _NONE_PAID),
    Feature("minutes_since_out", "velocity", "minutes",
            "Minutes since the last payment, as far back as the ring reaches.", _NONE_PAID),
    Feature("out_rising_24h", "velocity", "events",
            "Latest payments of the last 24 hours in a row of which each is larger than the one "
            "before it, the current transfer included.", _NO_HISTORY),
    Feature("out_restrained_24h", "velocity", "events",
            "Attempts decided CONFIRM or harder in the last 24 hours.", _NO_HISTORY),
    Feature("out_saturated_7d", "velocity", "flag",
            "The ring is full and its oldest event is younger than 7 days.", _NO_HISTORY),
)  # fmt: skip

(
    COUNT_10M,
    COUNT_1H,
    COUNT_24H,
    COUNT_7D,
    SUM_1H,
    SUM_24H,
    SUM_7D,
    PAYEES_24H,
    MEAN_30D,
    OVER_MAX_30D,
    OVER_MEAN_30D,
    MINUTES_SINCE,
    RISING_24H,
    RESTRAINED_24H,
    SATURATED_7D,
) = range(len(FEATURES))


@compiled()
def compute(facts, ring, out):
    """Write the family's features: facts int64[:], ring of payments out int64[:, 5], out f32[:]."""
    now = facts[f.TIME_MS]
    amount = facts[f.AMOUNT_MINOR]
    count_10m = count_1h = count_24h = count_7d = count_30d = 0
    sum_1h = sum_24h = sum_7d = sum_30d = largest = 0
    restrained = 0
    rising = 0
    still_rising = True
    next_amount = amount
    last = np.int64(-1)
    oldest = now
    payees = 0
    for i in range(ring.shape[0]):
        time = ring[i, at.TIME]
        oldest = min(oldest, time)
        if time >= now:
            continue
        age = now - time
        if age <= DAY_MS and (ring[i, at.FLAGS] >> 16) & 0xFF >= 2:
            restrained += 1
        if not is_paid(ring[i, at.FLAGS]):
            continue
        paid = ring[i, at.AMOUNT]
        last = max(last, time)
        if age > 30 * DAY_MS:
            continue
        count_30d += 1
        sum_30d += paid
        largest = max(largest, paid)
        if age > 7 * DAY_MS:
            continue
        count_7d += 1
        sum_7d += paid
        if age > DAY_MS:
            continue
        count_24h += 1
        sum_24h += paid
        if still_rising and paid < next_amount:
            rising += 1
            next_amount = paid
        else:
            still_rising = False
        seen = False
        for j in range(i):
            if (
                ring[j, at.COUNTERPARTY] == ring[i, at.COUNTERPARTY]
                and ring[j, at.TIME] < now
                and now - ring[j, at.TIME] <= DAY_MS
                and is_paid(ring[j, at.FLAGS])
            ):
                seen = True
        if not seen:
            payees += 1
        if age <= HOUR_MS:
            count_1h += 1
            sum_1h += paid
            if age <= 10 * MINUTE_MS:
                count_10m += 1
    out[COUNT_10M] = count_10m
    out[COUNT_1H] = count_1h
    out[COUNT_24H] = count_24h
    out[COUNT_7D] = count_7d
    out[SUM_1H] = sum_1h
    out[SUM_24H] = sum_24h
    out[SUM_7D] = sum_7d
    out[PAYEES_24H] = payees
    out[RISING_24H] = rising
    out[RESTRAINED_24H] = restrained
    full = ring.shape[0] == at.RING_EVENTS
    out[SATURATED_7D] = 1.0 if full and now - oldest < 7 * DAY_MS else 0.0
    if count_30d > 0:
        mean = sum_30d / count_30d
        out[MEAN_30D] = mean
        out[OVER_MAX_30D] = amount / largest
        out[OVER_MEAN_30D] = amount / mean
    if last >= 0:
        out[MINUTES_SINCE] = (now - last) / MINUTE_MS
