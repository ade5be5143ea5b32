"""Family `pair`: what this payer and this payee have to do with each other."""

from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS

_NO_HISTORY = "no payee, or payer's history could not be read"
_NEVER_PAID = _NO_HISTORY + ", or the count is 0"

FEATURES = (
    Feature("pair_times_paid", "pair", "events",
            "Payments to this payee known as posted and not as reversed, among the 256 payees "
            "posted or reversed last.", _NO_HISTORY),
    Feature("pair_days_since_first", "pair", "days",
            "Days since the earliest payment that was counted there since the count last was 0; at "
            "least 0.", _NEVER_PAID),
    Feature("pair_days_since_last", "pair", "days",
            "Days since the latest payment that was counted there since the count last was 0; at "
            "least 0.", _NEVER_PAID),
    Feature("pair_back_count_30d", "pair", "events",
            "Payments received from this payee in the last 30 days (a rebate paid back first).",
            _NO_HISTORY),
    Feature("pair_attempts_24h", "pair", "events",
            "Attempts to pay this payee in the last 24 hours, paid or not.", _NO_HISTORY),
)  # fmt: skip

(TIMES_PAID, SINCE_FIRST, SINCE_LAST, BACK_30D, ATTEMPTS_24H) = range(len(FEATURES))


@compiled()
def compute(facts, out_ring, in_ring, pair, out):
    """Write the family's features: facts int64[:], rings int64[:, 5], pair int64[0 or 4]."""
    payee = facts[f.PAYEE_ID]
    if payee == f.UNKNOWN:
        return
    now = facts[f.TIME_MS]
    out[TIMES_PAID] = 0
    if pair.shape[0] == at.PAIR_COLUMNS:
        out[TIMES_PAID] = pair[at.PAIR_TIMES]
        out[SINCE_FIRST] = max(0, now - pair[at.PAIR_FIRST]) / DAY_MS
        out[SINCE_LAST] = max(0, now - pair[at.PAIR_LAST]) / DAY_MS
    back = 0
    for i in range(in_ring.shape[0]):
        age = now - in_ring[i, at.TIME]
        if (
            in_ring[i, at.COUNTERPARTY] == payee
            and 0 < age <= 30 * DAY_MS
            and is_paid(in_ring[i, at.FLAGS])
        ):
            back += 1
    out[BACK_30D] = back
    attempts = 0
    for i in range(out_ring.shape[0]):
        age = now - out_ring[i, at.TIME]
        if out_ring[i, at.COUNTERPARTY] == payee and 0 < age <= DAY_MS:
            attempts += 1
    out[ATTEMPTS_24H] = attempts
