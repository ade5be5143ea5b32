"""Family `escalation`: how an episode grows, payment by payment, until the account is empty."""

import numpy as np

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid, known, plus
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS

_NO_HISTORY = "payer's history could not be read"

FEATURES = (
    Feature("out_rising_24h", "escalation", "events",
            "Payments of the last 24 hours, from the latest back, as long as each is smaller than "
            "the one after it, the current amount being the last. Of payments at one time the one "
            "that arrived last is the later one.", _NO_HISTORY),
    Feature("out_new_payees_24h", "escalation", "parties",
            "Distinct payees paid in the last 24 hours and not before, as far as the ring reaches; "
            "payments without a payee do not count.", _NO_HISTORY),
    Feature("amount_over_least_24h", "escalation", "ratio",
            "Amount ÷ smallest payment in the last 24 hours.",
            _NO_HISTORY + ", or nothing paid in the window"),
    Feature("drained_24h", "escalation", "ratio",
            "(Paid in the last 24 hours + amount) ÷ (paid in the last 24 hours + balance before).",
            _NO_HISTORY + ", balance not given, or both parts of the divisor zero"),
)  # fmt: skip

(RISING_24H, NEW_PAYEES_24H, OVER_LEAST_24H, DRAINED_24H) = range(len(FEATURES))


@compiled()
def compute(facts, ring, out):
    """Write the family's features: facts int64[:], ring of payments out int64[:, 5], out f32[:]."""
    now = facts[f.TIME_MS]
    amount = facts[f.AMOUNT_MINOR]
    least = np.int64(0)
    sum_24h = np.int64(0)
    new_payees = 0
    for i in range(ring.shape[0]):
        age = now - ring[i, at.TIME]
        if age <= 0 or age > DAY_MS or not is_paid(ring[i, at.FLAGS]):
            continue
        paid = ring[i, at.AMOUNT]
        sum_24h = plus(sum_24h, paid)
        least = paid if least == 0 else min(least, paid)
        if ring[i, at.COUNTERPARTY] != 0 and _is_first(ring, i, now):
            new_payees += 1
    out[RISING_24H] = _rising(ring, now, amount)
    out[NEW_PAYEES_24H] = new_payees
    if least > 0:
        out[OVER_LEAST_24H] = amount / least
    balance = known(facts[f.BALANCE_BEFORE_MINOR])
    if sum_24h + balance > 0:
        # As float64: the sums of two numbers near 2**63 must not wrap.
        out[DRAINED_24H] = (float(sum_24h) + amount) / (sum_24h + balance)


@compiled()
def _is_first(ring, index, now):
    """Say of a payment's payee: neither counted at an earlier place, nor paid before the window."""
    for j in range(ring.shape[0]):
        if ring[j, at.COUNTERPARTY] != ring[index, at.COUNTERPARTY] or not is_paid(
            ring[j, at.FLAGS]
        ):
            continue
        age = now - ring[j, at.TIME]
        if age > DAY_MS or (age > 0 and j < index):
            return False
    return True


@compiled()
def _rising(ring, now, amount):
    rising = 0
    after = amount
    last_time = now
    last_place = np.int64(-1)
    while True:
        # The next one back: the latest before the last, of equal times the one that came later.
        next_place = np.int64(-1)
        for i in range(ring.shape[0]):
            time = ring[i, at.TIME]
            if now - time > DAY_MS or not is_paid(ring[i, at.FLAGS]):
                continue
            is_before = time < last_time or (time == last_time < now and i > last_place)
            if is_before and (next_place < 0 or time > ring[next_place, at.TIME]):
                next_place = i
        if next_place < 0 or ring[next_place, at.AMOUNT] >= after:
            return rising
        rising += 1
        after = ring[next_place, at.AMOUNT]
        last_time = ring[next_place, at.TIME]
        last_place = next_place
