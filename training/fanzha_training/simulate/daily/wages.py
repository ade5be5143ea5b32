"""Pay days: companies pay many people at once; the pension office pays the retired."""

from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel
from fanzha_training.simulate.calendar import is_free
from fanzha_training.simulate.chance import amounts, happens, visits
from fanzha_training.simulate.period import MINUTE_MS, OFFICE
from fanzha_training.simulate.plan import NOBODY, Ints, Plan, join
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World

_PAY_DAYS: Final = np.array([5, 8, 10, 10, 15, 15, 20, 25])
"""Days of the month on which companies pay; each keeps to one of them."""
_PENSION_DAY: Final = 15


def wages(world: World, rng: np.random.Generator) -> Plan:
    """Plan all runs of wages and pensions, and refunds of expenses."""
    people = world.people
    earners = np.flatnonzero(people.employer != NOBODY)
    employer = people.employer[earners]
    pension = employer == world.places.pension_office
    pay_day = np.where(pension, _PENSION_DAY, _PAY_DAYS[employer % len(_PAY_DAYS)])
    plans = [_expenses(world, rng, earners[~pension])]
    for day in world.period.workdays().tolist():
        # What falls on days without work is paid on the workday before.
        paid = [world.period.date_of(day).day]
        following = day + 1
        while is_free(world.period.date_of(following)):
            paid.append(world.period.date_of(following).day)
            following += 1
        plans.append(_run(world, rng, earners[np.isin(pay_day, paid)], day))
    return join(plans)


def _run(world: World, rng: np.random.Generator, who: Ints, day: int) -> Plan:
    """Pay these people on one day; each company pays all of its own within minutes."""
    people = world.people
    employer = people.employer[who]
    payers, position = np.unique(employer, return_inverse=True)
    starts = world.period.times(rng, np.full(len(payers), day), OFFICE)
    pension = employer == world.places.pension_office
    # Wages differ a little from month to month.
    varied = people.wage_minor[who] * rng.normal(1.0, 0.05, size=len(who)).clip(0.8, 1.3)
    return Plan.of(
        time_ms=starts[position] + rng.integers(0, 10 * MINUTE_MS, size=len(who)),
        payer=employer,
        payee=people.account[who],
        amount_minor=np.where(pension, people.wage_minor[who], varied.astype(np.int64)),
        channel=Channel.ONLINE,
        remark=np.where(pension, remark("养老金"), remark("工资")),
    )


def _expenses(world: World, rng: np.random.Generator, earners: Ints) -> Plan:
    which, days = visits(rng, np.full(len(earners), 0.04), world.period.days)
    who = earners[which]
    bonus = happens(rng, 0.1, len(who))
    return Plan.of(
        time_ms=world.period.times(rng, days, OFFICE),
        payer=world.people.employer[who],
        payee=world.people.account[who],
        amount_minor=np.where(
            bonus, amounts(rng, 3_000, 0.6, len(who)), amounts(rng, 260, 0.9, len(who))
        ),
        channel=Channel.ONLINE,
        remark=np.where(bonus, remark("奖金"), remark("报销")),
    )
