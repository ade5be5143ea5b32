"""Family `amount`: the amount by itself and against the balance."""

import numpy as np

from fanzha.features import facts as f
from fanzha.features.compiled import compiled
from fanzha.features.feature import Feature

_NO_BALANCE = "balance not given, or not above zero"

FEATURES = (
    Feature("amount_minor", "amount", "minor units", "Base amount asked for.", "never"),
    Feature(
        "amount_trailing_zeros", "amount", "digits",
        "Zeros at the end of the amount in minor units: 100.00 yuan has 4.", "never",
    ),
    Feature("balance_share", "amount", "ratio", "Amount ÷ balance before.", _NO_BALANCE),
    Feature("balance_left_minor", "amount", "minor units", "Balance before − amount.",
            "balance not given"),
)  # fmt: skip

(AMOUNT, TRAILING_ZEROS, BALANCE_SHARE, BALANCE_LEFT) = range(len(FEATURES))


@compiled()
def compute(facts, out):
    """Write the family's features: facts int64[:], out float32[:]."""
    amount = facts[f.AMOUNT_MINOR]
    out[AMOUNT] = amount
    zeros = 0
    rest = amount
    while rest > 0 and rest % 10 == 0:
        rest //= 10
        zeros += 1
    out[TRAILING_ZEROS] = zeros
    balance = facts[f.BALANCE_BEFORE_MINOR]
    out[BALANCE_SHARE] = np.nan
    out[BALANCE_LEFT] = np.nan
    if balance != f.UNKNOWN:
        # In whole numbers: near 2**63 a float64 difference has lost its last digits. Neither an
        # amount nor a balance is below zero, so that it does not wrap.
        out[BALANCE_LEFT] = balance - amount
        if balance > 0:
            out[BALANCE_SHARE] = amount / balance
