"""How victims report, by type of fraud: after how long, whether at all, and under which name.

Our estimates: whoever still believes the story (romance, investment) is late; whoever is ashamed
(sextortion) or a child (game trade) often says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import FraudType
from fanzha_training.simulate.period import DAY_MS, HOUR_MS
from fanzha_training.simulate.plan import Ints

DELAY_SIGMA: Final = 1.0
"""Of the logarithm of the delay."""
LONGEST_DELAY_MS: Final = 60 * DAY_MS


@dataclass(frozen=True, slots=True)
class Reporting:
    """How one type is reported."""

    median_ms: int
    """Median delay after the last payment."""
    never: float
    """Share of episodes that nobody ever reports."""
    taken_for: tuple[FraudType, ...]
    """Types under which it is filed by mistake."""


REPORTING: Final[Mapping[FraudType, Reporting]] = MappingProxyType(
    {
        FraudType.TASK_REBATE: Reporting(20 * HOUR_MS, 0.10, (FraudType.FAKE_INVESTMENT,)),
        FraudType.FAKE_INVESTMENT: Reporting(
            10 * DAY_MS, 0.12, (FraudType.ROMANCE, FraudType.TASK_REBATE)
        ),
        FraudType.FAKE_SHOPPING: Reporting(3 * DAY_MS, 0.25, (FraudType.FAKE_CUSTOMER_SERVICE,)),
        FraudType.FAKE_CUSTOMER_SERVICE: Reporting(
            5 * HOUR_MS, 0.06, (FraudType.FAKE_CREDIT_REPAIR, FraudType.TICKET_REFUND)
        ),
        FraudType.FAKE_LOAN: Reporting(DAY_MS, 0.15, (FraudType.FAKE_CREDIT_REPAIR,)),
        FraudType.FAKE_CREDIT_REPAIR: Reporting(
            8 * HOUR_MS, 0.07, (FraudType.FAKE_CUSTOMER_SERVICE, FraudType.FAKE_LOAN)
        ),
        FraudType.IMPERSONATED_ACQUAINTANCE: Reporting(
            14 * HOUR_MS, 0.04, (FraudType.IMPERSONATED_AUTHORITY,)
        ),
        FraudType.IMPERSONATED_AUTHORITY: Reporting(
            2 * DAY_MS, 0.07, (FraudType.FAKE_CUSTOMER_SERVICE,)
        ),
        FraudType.ROMANCE: Reporting(16 * DAY_MS, 0.20, (FraudType.FAKE_INVESTMENT,)),
        FraudType.GAME_TRADE: Reporting(
            3 * DAY_MS, 0.25, (FraudType.FAKE_SHOPPING, FraudType.FAKE_CUSTOMER_SERVICE)
        ),
        FraudType.TICKET_REFUND: Reporting(4 * HOUR_MS, 0.08, (FraudType.FAKE_CUSTOMER_SERVICE,)),
        FraudType.SEXTORTION: Reporting(18 * HOUR_MS, 0.33, (FraudType.ROMANCE,)),
        FraudType.CASH_OR_GOLD_HANDOVER: Reporting(
            3 * DAY_MS, 0.08, (FraudType.IMPERSONATED_AUTHORITY, FraudType.FAKE_INVESTMENT)
        ),
    }
)


def mistaken(rng: np.random.Generator, fraud_type: Ints) -> Ints:
    """Return for each episode a type that it may be filed under by mistake."""
    draws = rng.random(len(fraud_type))
    wrong = [
        names[int(draw * len(names))]
        for names, draw in zip(
            (REPORTING[FraudType(number)].taken_for for number in fraud_type.tolist()),
            draws.tolist(),
            strict=True,
        )
    ]
    return np.array(wrong, dtype=np.int64)
