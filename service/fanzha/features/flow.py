"""What money does in an account: the shape that mule accounts share.

One definition serves both sides: family `payer_mule` for the payer, `payee_mule` for the payee.
"""

import numpy as np

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid, plus
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS, HOUR_MS, MINUTE_MS


def flow_features(side: str) -> tuple[Feature, ...]:
    """Return the features of one side, "payer" or "payee"."""
    family = f"{side}_mule"
    unread = f"{side}'s history could not be read" + ("" if side == "payer" else ", or no payee")
    rows = (
        ("in_count_1h", "events", "Payments received in the last hour.", ""),
        ("in_count_24h", "events", "Payments received in the last 24 hours.", ""),
        ("in_count_7d", "events", "Payments received in the last 7 days.", ""),
        ("in_sum_24h", "minor units", "Received in the last 24 hours.", ""),
        ("in_payers_24h", "parties", "Distinct payers in the last 24 hours (fan-in).", ""),
        ("in_new_payers_24h", "parties",
         "Distinct payers of the last 24 hours with no older payment in the ring.", ""),
        ("in_new_payer_share_24h", "ratio",
         "The same ÷ all distinct payers of the last 24 hours.", "nothing received"),
        ("pass_through_24h", "ratio", "Paid out ÷ received, last 24 hours.", "nothing received"),
        ("minutes_in_to_out_24h", "minutes",
         "Shortest time from a receipt to a payment not before it, both in the last 24 hours.",
         "no such pair of payments"),
        ("small_then_large_24h", "ratio",
         "Largest receipt after the (earliest) smallest one ÷ that one, last 24 hours.",
         "nothing received after it"),
        ("quiet_days", "days",
         "Days without any movement before the first one of the last 24 hours, or before now.",
         "no older movement in the rings"),
        ("in_saturated_24h", "flag",
         "The ring of money in is full and all of it is younger than 24 hours.", ""),
    )  # fmt: skip
    return tuple(
        Feature(f"{side}_{name}", family, unit, meaning, f"{unread}, or {when}" if when else unread)
        for name, unit, meaning, when in rows
    )


(
    IN_COUNT_1H,
    IN_COUNT_24H,
    IN_COUNT_7D,
    IN_SUM_24H,
    IN_PAYERS_24H,
    IN_NEW_PAYERS_24H,
    IN_NEW_SHARE_24H,
    PASS_THROUGH_24H,
    IN_TO_OUT_24H,
    SMALL_THEN_LARGE_24H,
    QUIET_DAYS,
    IN_SATURATED_24H,
) = range(len(flow_features("payee")))


@compiled()
def compute(facts, out_ring, in_ring, out):
    """Write one side's features: facts int64[:], rings int64[:, 5] of that side's account."""
    now = facts[f.TIME_MS]
    count_1h = count_24h = count_7d = 0
    sum_24h = np.int64(0)
    payers = 0
    new_payers = 0
    oldest = now
    first_recent = now
    last_before = np.int64(-1)
    for i in range(in_ring.shape[0]):
        time = in_ring[i, at.TIME]
        oldest = min(oldest, time)
        if time >= now or not is_paid(in_ring[i, at.FLAGS]):
            continue
        age = now - time
        if age > DAY_MS:
            last_before = max(last_before, time)
        else:
            first_recent = min(first_recent, time)
        if age > 7 * DAY_MS:
            continue
        count_7d += 1
        if age > DAY_MS:
            continue
        count_24h += 1
        sum_24h = plus(sum_24h, in_ring[i, at.AMOUNT])
        if age <= HOUR_MS:
            count_1h += 1
        counted, older = _seen(in_ring, i, now)
        if not counted:
            payers += 1
            if not older:
                new_payers += 1
    out_24h = np.int64(0)
    shortest = np.int64(-1)
    for i in range(out_ring.shape[0]):
        time = out_ring[i, at.TIME]
        if time >= now or not is_paid(out_ring[i, at.FLAGS]):
            continue
        if now - time > DAY_MS:
            last_before = max(last_before, time)
            continue
        first_recent = min(first_recent, time)
        out_24h = plus(out_24h, out_ring[i, at.AMOUNT])
        gap = _gap(in_ring, now, time)
        if gap >= 0 and (shortest < 0 or gap < shortest):
            shortest = gap
    out[IN_COUNT_1H] = count_1h
    out[IN_COUNT_24H] = count_24h
    out[IN_COUNT_7D] = count_7d
    out[IN_SUM_24H] = sum_24h
    out[IN_PAYERS_24H] = payers
    out[IN_NEW_PAYERS_24H] = new_payers
    if count_24h > 0:
        out[IN_NEW_SHARE_24H] = new_payers / payers
        out[PASS_THROUGH_24H] = out_24h / sum_24h
        smallest, largest = _small_then_large(in_ring, now)
        if largest > 0:
            out[SMALL_THEN_LARGE_24H] = largest / smallest
    if shortest >= 0:
        out[IN_TO_OUT_24H] = shortest / MINUTE_MS
    if last_before >= 0:
        out[QUIET_DAYS] = (first_recent - last_before) / DAY_MS
    full = in_ring.shape[0] == at.RING_EVENTS
    out[IN_SATURATED_24H] = 1.0 if full and now - oldest < DAY_MS else 0.0


@compiled()
def _gap(in_ring, now, time):
    """Return the time (ms) since the last payment received in the window up to `time`, or -1."""
    shortest = np.int64(-1)
    for j in range(in_ring.shape[0]):
        gap = time - in_ring[j, at.TIME]
        if (
            gap >= 0
            and now - in_ring[j, at.TIME] <= DAY_MS
            and is_paid(in_ring[j, at.FLAGS])
            and (shortest < 0 or gap < shortest)
        ):
            shortest = gap
    return shortest


@compiled()
def _small_then_large(ring, now):
    """Return the smallest amount of the last 24 hours and the largest after it, or 0."""
    small = np.int64(-1)
    for i in range(ring.shape[0]):
        age = now - ring[i, at.TIME]
        if age <= 0 or age > DAY_MS or not is_paid(ring[i, at.FLAGS]):
            continue
        if (
            small < 0
            or ring[i, at.AMOUNT] < ring[small, at.AMOUNT]
            or (
                ring[i, at.AMOUNT] == ring[small, at.AMOUNT]
                and ring[i, at.TIME] < ring[small, at.TIME]
            )
        ):
            small = i
    largest = np.int64(0)
    for i in range(ring.shape[0]):
        time = ring[i, at.TIME]
        if ring[small, at.TIME] < time < now and is_paid(ring[i, at.FLAGS]):
            largest = max(largest, ring[i, at.AMOUNT])
    return ring[small, at.AMOUNT], largest


@compiled()
def _seen(ring, index, now):
    """Say of the event's counterparty: counted already in the last 24 hours, and seen before."""
    counted = False
    older = False
    for j in range(ring.shape[0]):
        if ring[j, at.COUNTERPARTY] != ring[index, at.COUNTERPARTY] or not is_paid(
            ring[j, at.FLAGS]
        ):
            continue
        age = now - ring[j, at.TIME]
        if age > DAY_MS:
            older = True
        elif age > 0 and j < index:
            counted = True
    return counted, older
