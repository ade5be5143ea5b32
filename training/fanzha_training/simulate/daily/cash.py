"""Cash at machines and counters, gold, and spending abroad."""

import numpy as np

from fanzha.domain.vocabulary import Channel, CustomerSegment, TransferKind
from fanzha_training.simulate.ages import ADULT
from fanzha_training.simulate.chance import amounts, happens, pick, visits
from fanzha_training.simulate.period import COUNTER, DAY_MS, HOUR_MS, MINUTE_MS, SHOPPING, WAKING
from fanzha_training.simulate.plan import NOBODY, YUAN, Plan, join
from fanzha_training.simulate.world import World


def cash(world: World, rng: np.random.Generator) -> Plan:
    """Plan what leaves the bank otherwise than by transfer."""
    return join(
        (
            _withdrawals(world, rng),
            _occasions(world, rng),
            _gold(world, rng),
            _abroad(world, rng),
        )
    )


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


def _occasions(world: World, rng: np.random.Generator) -> Plan:
    """Draw much cash for a wedding, a funeral, builders: often on two days, after money came in.

    The shape of cash that is handed to a courier.
    """
    people = world.people
    adults = np.flatnonzero(people.age >= ADULT)
    which, days = visits(rng, np.full(len(adults), 0.0008), world.period.days)
    who = adults[which]
    count = len(who)
    counter = happens(rng, 0.65, count)
    first_ms = np.where(
        counter,
        world.period.times(rng, days, COUNTER),
        world.period.times(rng, days, WAKING),
    )
    own = people.elsewhere[who]
    gathers = (own != NOBODY) & happens(rng, 0.5, count)
    n = int(gathers.sum())
    inflow = Plan.of(
        time_ms=first_ms[gathers] - rng.integers(HOUR_MS // 3, DAY_MS, size=n),
        payer=own[gathers],
        payee=people.account[who[gathers]],
        amount_minor=amounts(rng, 15_000, 0.8, n, 1000 * YUAN),
    )
    # At a machine several draws, up to what it gives in a day; at the counter one or two visits.
    times = np.where(counter, rng.integers(1, 3, size=count), rng.integers(2, 6, size=count))
    draw = np.repeat(np.arange(count), times)
    step = np.arange(len(draw)) - np.repeat(np.cumsum(times) - times, times)
    gap = np.where(counter, DAY_MS, 2 * MINUTE_MS)[draw]
    large = np.minimum(amounts(rng, 18_000, 0.8, len(draw), 1000 * YUAN), 200_000 * YUAN)
    withdrawals = Plan.of(
        time_ms=first_ms[draw] + step * gap,
        payer=people.account[who][draw],
        amount_minor=np.where(
            counter[draw],
            large,
            pick(rng, np.array([2_000, 2_500, 3_000, 5_000]) * YUAN, count)[draw],
        ),
        can_cut=True,
        kind=TransferKind.CASH_WITHDRAWAL,
        channel=np.where(counter[draw], Channel.COUNTER, Channel.ATM),
        branch=people.branch[who][draw],
    )
    return join((inflow, withdrawals))


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
