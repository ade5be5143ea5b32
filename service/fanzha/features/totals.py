"""Families `payer_totals` and `payee_totals`: exact counts and sums by clock hour and calendar day.

Rings forget; these do not, for the newest 24 hours and 31 days in which there was something. Legal
limits are stated by day (银发〔2016〕261号), so that a day here is the bank's own.
"""

import numpy as np

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, day_of, plus
from fanzha.features.feature import Feature
from fanzha.features.spans import HOUR_MS

_DAYS = 31
_NO_PAYER = "payer's history could not be read"
_NO_PAYEE = "payee's history could not be read, or no payee"

PAYER_FEATURES = (
    Feature("out_sum_hour", "payer_totals", "minor units",
            "Paid in the current clock hour, exact.", _NO_PAYER),
    Feature("out_count_today", "payer_totals", "events", "Payments today, exact.", _NO_PAYER),
    Feature("out_sum_today", "payer_totals", "minor units", "Paid today, exact.", _NO_PAYER),
    Feature("out_count_31d", "payer_totals", "events",
            "Payments today and on the 30 days before, exact.", _NO_PAYER),
    Feature("out_sum_31d", "payer_totals", "minor units",
            "Paid today and on the 30 days before, exact.", _NO_PAYER),
    Feature("out_days_31d", "payer_totals", "days",
            "Days with a payment among the 30 before today.", _NO_PAYER),
    Feature("in_sum_31d", "payer_totals", "minor units",
            "Received today and on the 30 days before, exact.", _NO_PAYER),
)  # fmt: skip

PAYEE_FEATURES = (
    Feature("payee_in_count_today", "payee_totals", "events",
            "Payments that the payee received today, exact.", _NO_PAYEE),
    Feature("payee_in_sum_today", "payee_totals", "minor units",
            "Received by the payee today, exact.", _NO_PAYEE),
    Feature("payee_in_sum_31d", "payee_totals", "minor units",
            "Received by the payee today and on the 30 days before, exact.", _NO_PAYEE),
    Feature("payee_in_days_31d", "payee_totals", "days",
            "Days among the 30 before today on which the payee received something.", _NO_PAYEE),
    Feature("payee_pass_through_31d", "payee_totals", "ratio",
            "Paid out by the payee ÷ received, today and on the 30 days before, exact.",
            _NO_PAYEE + ", or nothing received"),
)  # fmt: skip

(
    OUT_SUM_HOUR,
    OUT_COUNT_TODAY,
    OUT_SUM_TODAY,
    OUT_COUNT_31D,
    OUT_SUM_31D,
    OUT_DAYS_31D,
    IN_SUM_31D,
) = range(len(PAYER_FEATURES))
(
    PAYEE_COUNT_TODAY,
    PAYEE_SUM_TODAY,
    PAYEE_SUM_31D,
    PAYEE_DAYS_31D,
    PAYEE_PASS_31D,
) = range(len(PAYEE_FEATURES))


@compiled()
def compute_payer(facts, hours, days, out):
    """Write the payer's features: facts int64[:], the payer's totals int64[:, 5], out f32[:]."""
    today = day_of(facts[f.TIME_MS], facts[f.UTC_OFFSET_S])
    hour = (facts[f.TIME_MS] + facts[f.UTC_OFFSET_S] * 1000) // HOUR_MS
    in_hour = _of(hours, hour, at.OUT_SUM)
    out[OUT_SUM_HOUR] = in_hour
    out[OUT_COUNT_TODAY] = _of(days, today, at.OUT_COUNT)
    out[OUT_SUM_TODAY] = _of(days, today, at.OUT_SUM)
    out[OUT_COUNT_31D] = _until(days, today, at.OUT_COUNT)
    out[OUT_SUM_31D] = _until(days, today, at.OUT_SUM)
    out[OUT_DAYS_31D] = _days_before(days, today, at.OUT_COUNT)
    out[IN_SUM_31D] = _until(days, today, at.IN_SUM)


@compiled()
def compute_payee(facts, days, out):
    """Write the payee's features: facts int64[:], daily totals int64[:, 5] of the payee."""
    today = day_of(facts[f.TIME_MS], facts[f.UTC_OFFSET_S])
    received = _until(days, today, at.IN_SUM)
    out[PAYEE_COUNT_TODAY] = _of(days, today, at.IN_COUNT)
    out[PAYEE_SUM_TODAY] = _of(days, today, at.IN_SUM)
    out[PAYEE_SUM_31D] = received
    out[PAYEE_DAYS_31D] = _days_before(days, today, at.IN_COUNT)
    if received > 0:
        out[PAYEE_PASS_31D] = _until(days, today, at.OUT_SUM) / received


@compiled()
def _of(periods, period, column):
    for i in range(periods.shape[0]):
        if periods[i, at.PERIOD] == period:
            return periods[i, column]
    return np.int64(0)


@compiled()
def _until(days, today, column):
    total = np.int64(0)
    for i in range(days.shape[0]):
        if today - _DAYS < days[i, at.PERIOD] <= today:
            total = plus(total, days[i, column])
    return total


@compiled()
def _days_before(days, today, column):
    count = 0
    for i in range(days.shape[0]):
        if today - _DAYS < days[i, at.PERIOD] < today and days[i, column] > 0:
            count += 1
    return count
