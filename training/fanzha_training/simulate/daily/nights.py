"""Nights: card games among friends, gifts to streamers, top-ups: several payments, growing, late.

The hours and the pace of sextortion and of game-trade scams, paid of one's own free will.
"""

import numpy as np

from fanzha_training.simulate.calendar import free_days
from fanzha_training.simulate.chance import amounts, happens, pick, spoken, visits
from fanzha_training.simulate.period import HOUR_MS, LATE_NIGHT, MINUTE_MS
from fanzha_training.simulate.places import someone
from fanzha_training.simulate.plan import Plan
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World


def nights(world: World, rng: np.random.Generator) -> Plan:
    """Plan nights with two to six payments each, free nights twice as many."""
    people = world.people
    weights = np.where(free_days(world.period.dates()), 2.0, 1.0)
    young = np.interp(people.age, [25, 60], [1.0, 0.1])
    who, days = visits(rng, people.spending * young * 0.006, world.period.days, weights)
    rounds = len(who)
    times = rng.integers(2, 7, size=rounds)
    which = np.repeat(np.arange(rounds), times)
    n = len(which)
    step = np.arange(n) - np.repeat(np.cumsum(times) - times, times)
    growth = rng.uniform(0.9, 1.9, size=rounds)[which] ** step
    gap = np.where(happens(rng, 0.6, rounds), 40 * MINUTE_MS, 10 * MINUTE_MS)[which]
    streamed = happens(rng, 0.5, rounds)[which]
    few = someone(rng, world.places, people.account, rounds * 3).reshape(rounds, 3)
    friend = few[which, rng.integers(0, 3, size=n)]
    texts = np.array([remark(text) for text in ("", "", "红包", "充值", "转账")])
    first_ms = world.period.times(rng, days, LATE_NIGHT)
    return Plan.of(
        time_ms=first_ms[which] + step * gap + rng.integers(0, HOUR_MS // 12, size=n),
        payer=people.account[who[which]],
        payee=np.where(streamed, pick(rng, world.places.payment_institutions, n), friend),
        amount_minor=spoken(
            rng, (amounts(rng, 220, 1.0, rounds)[which] * growth).astype(np.int64) + 100
        ),
        remark=pick(rng, texts, n),
    )
