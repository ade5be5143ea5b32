"""Family `inflow`: money that came to the payer just before, and where it came from.

Victims gather what they can before they pay: loans, deposits broken early, accounts elsewhere.
"""

import numpy as np

from fanzha.domain.vocabulary import TransferKind
from fanzha.features import facts as f
from fanzha.features import layout as at
from fanzha.features.compiled import compiled, is_paid, plus
from fanzha.features.feature import Feature
from fanzha.features.spans import DAY_MS, MINUTE_MS

_LOAN_PAYOUT = int(TransferKind.LOAN_PAYOUT)
_DEPOSIT_BREAK = int(TransferKind.DEPOSIT_BREAK)
_ONE_OWNER = int(at.Owner.SAME)

_NO_HISTORY = "payer's history could not be read"

FEATURES = (
    Feature("inflow_loan_24h", "inflow", "minor units",
            "Received as LOAN_PAYOUT in the last 24 hours.", _NO_HISTORY),
    Feature("inflow_deposit_24h", "inflow", "minor units",
            "Received as DEPOSIT_BREAK in the last 24 hours.", _NO_HISTORY),
    Feature("inflow_own_24h", "inflow", "minor units",
            "Received in the last 24 hours from accounts of the same owner, other than by "
            "DEPOSIT_BREAK.", _NO_HISTORY),
    Feature("inflow_over_amount_24h", "inflow", "ratio",
            "Received in the last 24 hours ÷ amount.", _NO_HISTORY),
    Feature("minutes_since_inflow", "inflow", "minutes",
            "Minutes since money was last received.",
            _NO_HISTORY + ", or nothing received in the last 24 hours"),
)  # fmt: skip

(LOAN_24H, DEPOSIT_24H, OWN_24H, OVER_AMOUNT_24H, MINUTES_SINCE) = range(len(FEATURES))


@compiled()
def compute(facts, ring, out):
    """Write the family's features: facts int64[:], the payer's ring of money in int64[:, 5]."""
    now = facts[f.TIME_MS]
    loan = deposit = own = every = np.int64(0)
    last = np.int64(-1)
    for i in range(ring.shape[0]):
        age = now - ring[i, at.TIME]
        flags = ring[i, at.FLAGS]
        if age <= 0 or age > DAY_MS or not is_paid(flags):
            continue
        amount = ring[i, at.AMOUNT]
        every = plus(every, amount)
        last = max(last, ring[i, at.TIME])
        kind = (flags >> 8) & 0xFF
        if kind == _LOAN_PAYOUT:
            loan = plus(loan, amount)
        if kind == _DEPOSIT_BREAK:
            deposit = plus(deposit, amount)
        elif (flags >> 48) & 0xFF == _ONE_OWNER:
            own = plus(own, amount)
    out[LOAN_24H] = loan
    out[DEPOSIT_24H] = deposit
    out[OWN_24H] = own
    out[OVER_AMOUNT_24H] = every / facts[f.AMOUNT_MINOR]
    if last >= 0:
        out[MINUTES_SINCE] = (now - last) / MINUTE_MS
