"""Cash at machines and counters, gold, and spending abroad."""

import numpy as np

from fanzha.domain.vocabulary import Channel, CustomerSegment, TransferKind
from fanzha_training.simulate.chance import amounts, happens, pick, visits
from fanzha_training.simulate.period import COUNTER, SHOPPING, WAKING
from fanzha_training.simulate.plan import YUAN, Plan, join
from fanzha_training.simulate.world import World


def cash(world: World, rng: np.random.Generator) -> Plan:
    """Plan what leaves the bank otherwise than by transfer."""
    return join((_withdrawals(world, rng), _gold(world, rng), _abroad(world, rng)))


def _withdrawals(world: World, rng: np.random.Generator) -> Plan:
    """Draw cash, retired people most; large sums at the counter."""
    people = world.people
    likes_cash = people.of(CustomerSegment.RETIRED, CustomerSegment.SHOP_KEEPER)
    who, days = visits(rng, np.where(likes_cash, 0.12, 0.05), world.period.days)
    counter = happens(rng, np.where(likes_cash[who], 0.3, 0.1), len(who))
    time_ms = np.where(
        counter,
        world.period.times(rng, days, COUNTER),
        world.period.times(rng, days, WAKING),
    )
    small = np.minimum(amounts(rng, 700, 0.8, len(who), 100 * YUAN), 5_000 * YUAN)
    large = np.minimum(amounts(rng, 6_000, 1.0, len(who), 100 * YUAN), 200_000 * YUAN)
    return Plan.of(
        time_ms=time_ms,
        payer=people.account[who],
        amount_minor=np.where(counter, large, small),
        kind=TransferKind.CASH_WITHDRAWAL,
        channel=np.where(counter, Channel.COUNTER, Channel.ATM),
        branch=people.branch[who],
    )


def _gold(world: World, rng: np.random.Generator) -> Plan:
    people = world.people
    who, days = visits(rng, np.full(len(people), 0.0012), world.period.days)
    return Plan.of(
        time_ms=world.period.times(rng, days, COUNTER),
        payer=people.account[who],
        payee=pick(rng, world.places.gold_shops, len(who)),
        amount_minor=amounts(rng, 9_000, 0.8, len(who)),
        kind=TransferKind.GOLD_PURCHASE,
        channel=np.where(happens(rng, 0.4, len(who)), Channel.COUNTER, Channel.MOBILE),
    )


def _abroad(world: World, rng: np.random.Generator) -> Plan:
    """Draw cash or buy abroad: some travellers, several times each."""
    people = world.people
    travellers = np.flatnonzero(happens(rng, 0.01, len(people)))
    which, days = visits(rng, np.full(len(travellers), 0.2), world.period.days)
    return Plan.of(
        time_ms=world.period.times(rng, days, SHOPPING),
        payer=people.account[travellers[which]],
        amount_minor=amounts(rng, 600, 1.0, len(which)),
        kind=TransferKind.OVERSEAS_USE,
        channel=np.where(happens(rng, 0.5, len(which)), Channel.ATM, Channel.ONLINE),
    )
