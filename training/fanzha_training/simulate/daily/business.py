"""Business: companies and shop keepers pay suppliers, and are paid by their customers."""

import numpy as np

from fanzha.domain.vocabulary import Channel, CustomerSegment
from fanzha_training.simulate.chance import amounts, happens, pick, visits
from fanzha_training.simulate.period import EVENING, OFFICE
from fanzha_training.simulate.places import someone
from fanzha_training.simulate.plan import NOBODY, YUAN, Ints, Plan, join
from fanzha_training.simulate.remarks import REMARKS
from fanzha_training.simulate.world import World


def business(world: World, rng: np.random.Generator) -> Plan:
    """Plan what companies and shop keepers pay and receive."""
    return join(
        (
            _suppliers(world, rng),
            _clients(world, rng),
            _settlements(world, rng),
            _takings(world, rng),
        )
    )


def _words(rng: np.random.Generator, count: int) -> Ints:
    texts = ("货款", "材料款", "工程款", "服务费", "保证金", "往来款", "备用金", "")
    return np.array([REMARKS.index(text) for text in texts])[rng.integers(0, 8, size=count)]


def _suppliers(world: World, rng: np.random.Generator) -> Plan:
    """Pay suppliers on workdays: mostly the same ones; some new, some of them persons."""
    companies = world.places.companies
    who, days = visits(rng, np.full(len(companies), 5.0), world.period.days)
    workday = np.isin(days, world.period.workdays())
    who, days = who[workday], days[workday]
    count = len(who)
    trade = np.concatenate([companies, world.places.sellers])
    usual = trade[(companies[who] * 7 + rng.integers(0, 8, size=count)) % len(trade)]
    new = np.where(
        happens(rng, 0.4, count),
        someone(rng, world.places, world.people.account, count),
        pick(rng, trade, count),
    )
    payee = np.where(happens(rng, 0.1, count), new, usual)
    payee = np.where(payee == companies[who], world.places.sellers[0], payee)
    return Plan.of(
        time_ms=world.period.times(rng, days, OFFICE),
        payer=companies[who],
        payee=payee,
        amount_minor=amounts(rng, 9_000, 1.3, count, YUAN),
        channel=np.where(happens(rng, 0.1, count), Channel.COUNTER, Channel.ONLINE),
        remark=_words(rng, count),
    )


def _clients(world: World, rng: np.random.Generator) -> Plan:
    """Receive from clients who bank elsewhere: what keeps wages payable."""
    companies = world.places.companies
    who, days = visits(rng, np.full(len(companies), 3.0), world.period.days)
    firms = np.concatenate([world.places.sellers, world.places.online_shops])
    clients = firms[world.book["ours"][firms] == 0]
    return Plan.of(
        time_ms=world.period.times(rng, days, OFFICE),
        payer=pick(rng, clients, len(who)),
        payee=companies[who],
        amount_minor=amounts(rng, 20_000, 1.0, len(who), YUAN),
        channel=Channel.ONLINE,
        remark=_words(rng, len(who)),
    )


def _settlements(world: World, rng: np.random.Generator) -> Plan:
    """Settle with shop keepers what was paid by QR code through payment institutions."""
    people = world.people
    keepers = np.flatnonzero(people.of(CustomerSegment.SHOP_KEEPER))
    which, days = visits(rng, np.full(len(keepers), 0.8), world.period.days)
    institutions = world.places.payment_institutions
    return Plan.of(
        time_ms=world.period.times(rng, days, OFFICE),
        payer=institutions[people.account[keepers[which]] % len(institutions)],
        payee=people.account[keepers[which]],
        amount_minor=amounts(rng, 1_200, 0.8, len(which)),
        channel=Channel.ONLINE,
        remark=np.where(happens(rng, 0.5, len(which)), REMARKS.index("货款"), 0),
    )


def _takings(world: World, rng: np.random.Generator) -> Plan:
    """Let shop keepers move their takings on: to suppliers and to themselves elsewhere.

    Many small payments in, then most of it out: a mule's shape, honestly meant.
    """
    people = world.people
    keepers = np.flatnonzero(people.of(CustomerSegment.SHOP_KEEPER))
    which, days = visits(rng, np.full(len(keepers), 0.6), world.period.days)
    who = keepers[which]
    trade = np.concatenate([world.places.sellers, world.places.strangers[:50]])
    supplier = trade[(people.account[who] * 5 + rng.integers(0, 5, size=len(who))) % len(trade)]
    to_self = happens(rng, 0.35, len(who)) & (people.elsewhere[who] != NOBODY)
    return Plan.of(
        time_ms=world.period.times(rng, days, EVENING),
        payer=people.account[who],
        payee=np.where(to_self, people.elsewhere[who], supplier),
        share=rng.beta(2, 5, size=len(who)),
        amount_minor=30_000 * YUAN,
        round_minor=pick(rng, np.array([1, YUAN, 100 * YUAN]), len(who)),
        remark=np.where(to_self, 0, _words(rng, len(who))),
    )
