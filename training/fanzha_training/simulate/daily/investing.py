"""Honest investing: savers send growing sums to a securities company under their own name."""

import numpy as np

from fanzha_training.simulate.chance import amounts, happens, visits
from fanzha_training.simulate.period import OFFICE
from fanzha_training.simulate.plan import YUAN, Plan
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World


def investing(world: World, rng: np.random.Generator) -> Plan:
    """Plan deposits with brokers: one saver in twelve, once a week, more when it goes well."""
    people = world.people
    savers = np.flatnonzero(happens(rng, 1 / 12, len(people)) & (people.wage_minor > 0))
    which, days = visits(rng, np.full(len(savers), 1 / 7), world.period.days)
    who = savers[which]
    growth = 1.0 + 1.5 * days / max(world.period.days, 7)
    return Plan.of(
        time_ms=world.period.times(rng, days, OFFICE),
        payer=people.account[who],
        payee=world.places.brokers[people.account[who] % len(world.places.brokers)],
        amount_minor=amounts(rng, 3_000 * growth, 0.8, len(who), 100 * YUAN),
        remark=np.where(happens(rng, 0.6, len(who)), remark("银证转账"), remark("理财")),
    )
