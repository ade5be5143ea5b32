"""Between persons: family, friends, and strangers who sell a used telephone."""

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment
from fanzha_training.simulate.calendar import gift_weights
from fanzha_training.simulate.chance import amounts, happens, pick_own, spoken, visits
from fanzha_training.simulate.daily.again import paid_again
from fanzha_training.simulate.daily.channels import times_at, transfer_channels
from fanzha_training.simulate.period import EVENING, WAKING
from fanzha_training.simulate.places import someone
from fanzha_training.simulate.plan import YUAN, Plan, join
from fanzha_training.simulate.remarks import REMARKS, remark
from fanzha_training.simulate.world import World


def between_people(world: World, rng: np.random.Generator) -> Plan:
    """Plan what persons pay each other."""
    return join(
        (
            _family(world, rng),
            _friends(world, rng),
            _used_goods(world, rng),
            _allowances(world, rng),
        )
    )


def _words(rng: np.random.Generator, count: int, *texts: str) -> "np.typing.NDArray[np.int64]":
    """Return one of the remarks for half of the payments, none for the others."""
    numbers = np.array([REMARKS.index(text) for text in texts])
    chosen = numbers[rng.integers(0, len(texts), size=count)]
    return np.where(happens(rng, 0.5, count), chosen, remark(""))


def _family(world: World, rng: np.random.Generator) -> Plan:
    people = world.people
    who, days = visits(
        rng, np.full(len(people), 0.1), world.period.days, gift_weights(world.period.dates())
    )
    channel = transfer_channels(world, rng, who)
    return Plan.of(
        time_ms=times_at(world, rng, days, channel, WAKING),
        payer=people.account[who],
        payee=pick_own(rng, people.family, who),
        amount_minor=spoken(rng, amounts(rng, 400, 1.1, len(who))),
        channel=channel,
        remark=_words(rng, len(who), "生活费", "转账", "红包"),
    )


def _friends(world: World, rng: np.random.Generator) -> Plan:
    """Share a bill, give a red packet, lend and pay back; one in eight friends is a new one."""
    people = world.people
    who, days = visits(
        rng, people.spending * 0.22, world.period.days, gift_weights(world.period.dates())
    )
    new = happens(rng, 0.12, len(who))
    payee = np.where(
        new,
        someone(rng, world.places, people.account, len(who)),
        pick_own(rng, people.friends, who),
    )
    paid = Plan.of(
        time_ms=world.period.times(rng, days, EVENING),
        payer=people.account[who],
        payee=payee,
        amount_minor=spoken(rng, amounts(rng, 80, 1.3, len(who))),
        remark=_words(rng, len(who), "AA", "红包", "借款", "还款", "餐费", "份子钱", "转账"),
    )
    return join((paid, paid_again(rng, paid, 0.10, 8, (0.4, 3.0))))


def _used_goods(world: World, rng: np.random.Generator) -> Plan:
    """Buy from strangers: a first payment to a new person, often a round sum.

    A telephone, a bicycle, a task or a coin in a game; for some, earnest money and then the rest.
    """
    people = world.people
    who, days = visits(rng, people.spending * 0.05, world.period.days)
    paid = Plan.of(
        time_ms=world.period.times(rng, days, EVENING),
        payer=people.account[who],
        payee=someone(rng, world.places, people.account, len(who)),
        amount_minor=spoken(rng, amounts(rng, 450, 1.1, len(who))),
        remark=_words(rng, len(who), "二手", "货款", "定金", "任务", "充值", "押金"),
    )
    return join((paid, paid_again(rng, paid, 0.2, 30, (0.5, 8.0))))


def _allowances(world: World, rng: np.random.Generator) -> Plan:
    """Send money to students and to people without work, from family who banks elsewhere."""
    people = world.people
    supported = np.flatnonzero(
        people.of(CustomerSegment.STUDENT, CustomerSegment.UNEMPLOYED, CustomerSegment.OTHER)
    )
    which, days = visits(rng, np.full(len(supported), 0.1), world.period.days)
    who = supported[which]
    supporters = world.places.strangers[people.account[who] % len(world.places.strangers)]
    return Plan.of(
        time_ms=world.period.times(rng, days, WAKING),
        payer=supporters,
        payee=people.account[who],
        amount_minor=spoken(rng, amounts(rng, 900, 0.5, len(who), 10 * YUAN)),
        remark=_words(rng, len(who), "生活费"),
    )
