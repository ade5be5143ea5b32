"""Running a household: bills, rent, moving money between one's own accounts."""

import numpy as np

from fanzha_training.simulate.chance import amounts, happens, pick, visits
from fanzha_training.simulate.daily.channels import times_at, transfer_channels
from fanzha_training.simulate.period import WAKING
from fanzha_training.simulate.plan import NOBODY, YUAN, Plan, join
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World


def household(world: World, rng: np.random.Generator) -> Plan:
    """Plan what keeps a household going."""
    return join((_bills(world, rng), _rent(world, rng), _own_accounts(world, rng)))


def _bills(world: World, rng: np.random.Generator) -> Plan:
    """Pay billers, about five a month; these payments are essential."""
    people = world.people
    who, days = visits(rng, np.full(len(people), 0.17), world.period.days)
    texts = [
        remark(text) for text in ("水费", "电费", "燃气费", "话费", "话费", "税款", "住院费", "")
    ]
    which = rng.integers(0, len(texts), size=len(who))
    medians = np.array([60, 150, 90, 80, 80, 300, 1500, 100])
    channel = transfer_channels(world, rng, who)
    return Plan.of(
        time_ms=times_at(world, rng, days, channel, WAKING),
        payer=people.account[who],
        payee=world.places.billers[(which + people.branch[who]) % len(world.places.billers)],
        amount_minor=amounts(rng, medians[which], 0.6, len(who)),
        channel=channel,
        remark=np.array(texts)[which],
    )


def _rent(world: World, rng: np.random.Generator) -> Plan:
    """Pay the landlord once a month, on a day of one's own."""
    people = world.people
    tenants = np.flatnonzero(people.landlord != NOBODY)
    due = rng.integers(1, 29, size=len(tenants))
    plans = []
    for day, date in enumerate(world.period.dates()):
        who = tenants[due == date.day]
        plans.append(
            Plan.of(
                time_ms=world.period.times(rng, np.full(len(who), day), WAKING),
                payer=people.account[who],
                payee=people.landlord[who],
                amount_minor=people.rent_minor[who],
                remark=np.where(happens(rng, 0.7, len(who)), remark("房租"), remark("")),
            )
        )
    return join(plans)


def _own_accounts(world: World, rng: np.random.Generator) -> Plan:
    """Move money to and from one's own accounts, here and elsewhere."""
    people = world.people
    plans = []
    for own in (people.savings, people.elsewhere):
        owners = np.flatnonzero(own != NOBODY)
        which, days = visits(rng, np.full(len(owners), 0.06), world.period.days)
        who = owners[which]
        outward = happens(rng, 0.45, len(who))
        # Who holds much moves much.
        median_yuan = np.maximum(
            1_500, 0.25 * world.book["balance_minor"][people.account[who]] / YUAN
        )
        plans.append(
            Plan.of(
                time_ms=world.period.times(rng, days, WAKING),
                payer=np.where(outward, people.account[who], own[who]),
                payee=np.where(outward, own[who], people.account[who]),
                amount_minor=amounts(rng, median_yuan, 0.9, len(who), 100 * YUAN),
                # Own accounts elsewhere have no balance here to take a share of.
                share=np.where(outward, rng.uniform(0.05, 0.6, size=len(who)), 0.0),
                round_minor=pick(rng, np.array([1, 100 * YUAN]), len(who)),
            )
        )
    return join(plans)
