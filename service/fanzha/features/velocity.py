"""Family `velocity`: how much and how often the payer pays, and the amount against that."""

import numpy as np

from fanzha.domain.vocabulary import DecisionKind
from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid, plus
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS, HOUR_MS, MINUTE_MS

_CONFIRM = int(DecisionKind.CONFIRM)
_NO_HISTORY = "payer's history could not be read"
_NONE_PAID = _NO_HISTORY + ", or nothing paid in the window"

FEATURES = (
    Feature("out_count_10m", "velocity", "events", "Payments in the last 10 minutes.", _NO_HISTORY),
    Feature("out_count_1h", "velocity", "events", "Payments in the last hour.", _NO_HISTORY),
    Feature("out_count_24h", "velocity", "events", "Payments in the last 24 hours.", _NO_HISTORY),
    Feature("out_count_7d", "velocity", "events", "Payments in the last 7 days.", _NO_HISTORY),
    Feature("out_count_30d", "velocity", "events", "Payments in the last 30 days.", _NO_HISTORY),
    Feature("out_sum_1h", "velocity", "minor units", "Paid in the last hour.", _NO_HISTORY),
    Feature("out_sum_24h", "velocity", "minor units", "Paid in the last 24 hours.", _NO_HISTORY),
    Feature("out_sum_7d", "velocity", "minor units", "Paid in the last 7 days.", _NO_HISTORY),
    Feature("out_payees_24h", "velocity", "parties",
            "Distinct payees paid in the last 24 hours; payments without a payee are one payee.",
            _NO_HISTORY),
    Feature("out_payees_7d", "velocity", "parties",
            "Distinct payees paid in the last 7 days; payments without a payee are one payee.",
            _NO_HISTORY),
    Feature("out_mean_30d", "velocity", "minor units",
            "Mean payment in the last 30 days.", _NONE_PAID),
    Feature("amount_over_max_30d", "velocity", "ratio",
            "Amount ÷ largest payment in the last 30 days.", _NONE_PAID),
    Feature("amount_over_mean_30d", "velocity", "ratio",
            "Amount ÷ mean payment in the last 30 days.", _NONE_PAID),
    Feature("minutes_since_out", "velocity", "minutes",
            "Minutes since the last payment, as far back as the ring reaches.",
            _NO_HISTORY + ", or no earlier payment in the ring"),
    Feature("out_restrained_24h", "velocity", "events",
            "Attempts decided CONFIRM or harder in the last 24 hours, paid or not.", _NO_HISTORY),
    Feature("out_saturated_7d", "velocity", "flag",
            "The ring is full and all of it is younger than 7 days.", _NO_HISTORY),
)  # fmt: skip

(
    COUNT_10M,
    COUNT_1H,
    COUNT_24H,
    COUNT_7D,
    COUNT_30D,
    SUM_1H,
    SUM_24H,
    SUM_7D,
    PAYEES_24H,
    PAYEES_7D,
    MEAN_30D,
    OVER_MAX_30D,
    OVER_MEAN_30D,
    MINUTES_SINCE,
    RESTRAINED_24H,
    SATURATED_7D,
) = range(len(FEATURES))


@compiled()
def compute(facts, ring, out):
    """Write the family's features: facts int64[:], ring of payments out int64[:, 5], out f32[:]."""
    now = facts[f.TIME_MS]
    amount = facts[f.AMOUNT_MINOR]
    count_10m = count_1h = count_24h = count_7d = count_30d = 0
    sum_1h = sum_24h = sum_7d = sum_30d = largest = np.int64(0)
    restrained = 0
    last = np.int64(-1)
    oldest = now
    payees_24h = payees_7d = 0
    for i in range(ring.shape[0]):
        time = ring[i, at.TIME]
        oldest = min(oldest, time)
        if time >= now:
            continue
        age = now - time
        if age <= DAY_MS and (ring[i, at.FLAGS] >> 16) & 0xFF >= _CONFIRM:
            restrained += 1
        if not is_paid(ring[i, at.FLAGS]):
            continue
        paid = ring[i, at.AMOUNT]
        last = max(last, time)
        if age > 30 * DAY_MS:
            continue
        count_30d += 1
        sum_30d = plus(sum_30d, paid)
        largest = max(largest, paid)
        if age > 7 * DAY_MS:
            continue
        count_7d += 1
        sum_7d = plus(sum_7d, paid)
        newest = _paid_before(ring, i, now)
        if newest < 0 or newest > 7 * DAY_MS:
            payees_7d += 1
        if age > DAY_MS:
            continue
        count_24h += 1
        sum_24h = plus(sum_24h, paid)
        if newest < 0 or newest > DAY_MS:
            payees_24h += 1
        if age <= HOUR_MS:
            count_1h += 1
            sum_1h = plus(sum_1h, paid)
            if age <= 10 * MINUTE_MS:
                count_10m += 1
    out[COUNT_10M] = count_10m
    out[COUNT_1H] = count_1h
    out[COUNT_24H] = count_24h
    out[COUNT_7D] = count_7d
    out[COUNT_30D] = count_30d
    out[SUM_1H] = sum_1h
    out[SUM_24H] = sum_24h
    out[SUM_7D] = sum_7d
    out[PAYEES_24H] = payees_24h
    out[PAYEES_7D] = payees_7d
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


@compiled()
def _paid_before(ring, index, now):
    """Return the least age of payments to the same payee before this place, -1 without any."""
    newest = np.int64(-1)
    for j in range(index):
        age = now - ring[j, at.TIME]
        if (
            ring[j, at.COUNTERPARTY] == ring[index, at.COUNTERPARTY]
            and age > 0
            and (newest < 0 or age < newest)
            and is_paid(ring[j, at.FLAGS])
        ):
            newest = age
    return newest
