"""Borrowed and saved money that is spent at once: loans for cars, debts moved, deposits broken.

Inflow and outflow within the hour, honestly meant: the shape of fake credit repair.
"""

import numpy as np

from fanzha.domain.vocabulary import Channel, CustomerSegment, TransferKind
from fanzha_training.simulate.ages import ADULT
from fanzha_training.simulate.chance import amounts, happens, pick, spoken
from fanzha_training.simulate.period import COUNTER, DAY_MS, HOUR_MS, MINUTE_MS, WAKING
from fanzha_training.simulate.places import someone
from fanzha_training.simulate.plan import NOBODY, UNSET, YUAN, Ints, Plan, join
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World


def loans(world: World, rng: np.random.Generator) -> Plan:
    """Plan loans that are spent and deposits that are broken."""
    return join((_loans(world, rng), _deposits(world, rng)))


def _who(world: World, rng: np.random.Generator, per_month: float, among: Ints) -> Ints:
    return pick(rng, among, int(rng.poisson(per_month * len(among) * world.period.days / 30)))


def _loans(world: World, rng: np.random.Generator) -> Plan:
    """Borrow; then spend most of it: on a car or a phone, on an older debt, for a relative."""
    people, places = world.people, world.places
    earns = (people.wage_minor > 0) | people.of(
        CustomerSegment.SHOP_KEEPER, CustomerSegment.UNEMPLOYED
    )
    who = _who(world, rng, 0.05, np.flatnonzero(earns & (people.age >= ADULT)))
    count = len(who)
    time_ms = world.period.times(rng, rng.integers(0, world.period.days, size=count), WAKING)
    lender = pick(rng, places.lenders, count)
    borrowed = amounts(rng, 15_000, 0.9, count, 500 * YUAN)
    account = people.account[who]
    payout = Plan.of(
        time_ms=time_ms, payer=lender, payee=account, amount_minor=borrowed,
        kind=TransferKind.LOAN_PAYOUT, channel=Channel.ONLINE,
    )  # fmt: skip
    # Some spend it while the lender's page is still open, others over days.
    wait = np.where(
        happens(rng, 0.5, count),
        rng.integers(3 * MINUTE_MS, 2 * HOUR_MS, size=count),
        rng.integers(2 * HOUR_MS, 4 * DAY_MS, size=count),
    )
    other_lender = pick(rng, places.lenders, count)
    purpose = rng.choice(3, size=count, p=[0.45, 0.25, 0.3])
    payee = np.choose(
        purpose,
        [
            pick(rng, places.sellers, count),
            np.where(other_lender == lender, places.sellers[0], other_lender),
            someone(rng, places, people.account, count),
        ],
    )
    words = np.array([remark("购车款"), remark("还款"), remark("借款")])[purpose]
    spending = Plan.of(
        time_ms=time_ms + wait, payer=account, payee=payee,
        amount_minor=spoken(rng, (borrowed * rng.uniform(0.5, 1.05, size=count)).astype(np.int64)),
        call_in_progress=np.where(happens(rng, 0.05, count), 1, UNSET),
        remark=np.where(happens(rng, 0.6, count), words, remark("")),
    )  # fmt: skip
    # Who is short of money borrows twice.
    again = happens(rng, 0.15, count)
    n = int(again.sum())
    second = Plan.of(
        time_ms=time_ms[again] + rng.integers(10 * MINUTE_MS, DAY_MS, size=n),
        payer=pick(rng, places.lenders, n), payee=account[again],
        amount_minor=amounts(rng, 8_000, 0.8, n, 500 * YUAN),
        kind=TransferKind.LOAN_PAYOUT, channel=Channel.ONLINE,
    )  # fmt: skip
    return join((payout, spending, second))


def _deposits(world: World, rng: np.random.Generator) -> Plan:
    """Break a term deposit early; the money buys a house, helps a child, or moves banks."""
    people, places = world.people, world.places
    who = _who(world, rng, 0.08, np.flatnonzero(people.deposit != NOBODY))
    count = len(who)
    days = rng.integers(0, world.period.days, size=count)
    counter = happens(rng, np.where(people.of(CustomerSegment.RETIRED)[who], 0.5, 0.2), count)
    time_ms = np.where(
        counter, world.period.times(rng, days, COUNTER), world.period.times(rng, days, WAKING)
    )
    channel = np.where(counter, Channel.COUNTER, Channel.MOBILE)
    account = people.account[who]
    share = np.where(happens(rng, 0.6, count), 1.0, rng.uniform(0.3, 0.8, size=count))
    broken = Plan.of(
        time_ms=time_ms, payer=people.deposit[who], payee=account, share=share, channel=channel,
        kind=TransferKind.DEPOSIT_BREAK, round_minor=100 * YUAN,
    )  # fmt: skip
    own = people.elsewhere[who]
    child = people.family[who, 0]
    purpose = rng.choice(3, size=count, p=[0.4, 0.3, 0.3])
    payee = np.choose(
        purpose, [pick(rng, places.sellers, count), child, np.where(own == NOBODY, child, own)]
    )
    words = np.array([remark("购房款"), remark("转账"), remark("")])[purpose]
    spent = Plan.of(
        time_ms=time_ms + rng.integers(5 * MINUTE_MS, 6 * HOUR_MS, size=count),
        payer=account, payee=payee, share=rng.uniform(0.4, 0.98, size=count),
        round_minor=100 * YUAN, channel=channel,
        limit_just_raised=np.where(~counter & happens(rng, 0.3, count), 1, UNSET),
        call_in_progress=np.where(~counter & happens(rng, 0.08, count), 1, UNSET),
        remark=words,
    )  # fmt: skip
    return join((broken, spent))
