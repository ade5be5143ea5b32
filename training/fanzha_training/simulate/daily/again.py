"""Paying somebody again soon: a second round, something forgotten, the rest after earnest money."""

import numpy as np

from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.period import MINUTE_MS
from fanzha_training.simulate.plan import YUAN, Plan


def paid_again(
    rng: np.random.Generator, plan: Plan, share: float, hours: float, growth: tuple[float, float]
) -> Plan:
    """Return second payments from the same payers to the same payees.

    Args:
        rng: where chance comes from.
        plan: the first payments.
        share: how many of them are followed by another one.
        hours: it follows within so many hours, mostly much sooner.
        growth: least and most that the second one is of the first.
    """
    second = plan.rows(happens(rng, share, len(plan)))
    count = len(second)
    minutes = hours * 60 * rng.beta(0.7, 2.0, size=count)
    second.ints("time_ms")[:] += (minutes * MINUTE_MS).astype(np.int64) + MINUTE_MS // 2
    amount = second.ints("amount_minor")
    # A growing payment between persons stays a sum that one can say.
    step = np.where(amount >= 100 * YUAN, 10 * YUAN, np.where(amount >= 10 * YUAN, YUAN, 10))
    scaled = amount * rng.uniform(*growth, size=count)
    amount[:] = np.maximum(step, (scaled / step).round().astype(np.int64) * step)
    return second
