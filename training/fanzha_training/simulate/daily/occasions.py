"""Occasions: honest payments that look like fraud, large, sudden and to people never paid before.

A house, a car, a first rent, tuition, a wedding, an old parent helped with a new telephone. A model
that cannot tell these from scams annoys exactly the customers who most need their money to arrive.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel, CustomerSegment
from fanzha_training.simulate.chance import amounts, happens, pick, spoken
from fanzha_training.simulate.period import COUNTER, DAY_MS, HOUR_MS, WAKING
from fanzha_training.simulate.places import someone
from fanzha_training.simulate.plan import NOBODY, UNSET, YUAN, Ints, Plan, join
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class _Occasion:
    """One kind of occasion."""

    per_month: float
    """Occasions per customer and 30 days."""
    payments: tuple[int, int]
    """Least and most payments."""
    spread_ms: int
    """All payments lie within this time."""
    payees: int
    """At most so many different ones."""
    to_company: float
    """Share of payees that are companies; the others are persons. None was paid before."""
    median_yuan: float = 0
    """Payments are around this; or else they are a share of the balance:"""
    balance_share: tuple[float, float] = (0, 0)
    """Least and most of the balance that one payment takes."""
    counter: float
    """Share of occasions that begin at the counter."""
    limit_raised: float
    on_the_phone: float
    """Share of occasions with a call in progress: an agent, a relative, the other party."""
    remarks: tuple[str, ...]


_OCCASIONS: Final = {
    # Earnest money, then the deposit.
    "a house": _Occasion(
        per_month=0.02, payments=(1, 3), spread_ms=3 * DAY_MS, payees=1, to_company=0.5,
        balance_share=(0.3, 0.95), counter=0.3, limit_raised=0.4, on_the_phone=0.08,
        remarks=("购房款", "首付款", "定金", ""),
    ),
    "a car": _Occasion(
        per_month=0.015, payments=(1, 2), spread_ms=DAY_MS, payees=1, to_company=0.6,
        balance_share=(0.25, 0.9), counter=0.2, limit_raised=0.35, on_the_phone=0.05,
        remarks=("购车款", "定金", ""),
    ),
    # Deposit and rent, within the hour.
    "a new landlord": _Occasion(
        per_month=0.02, payments=(2, 2), spread_ms=HOUR_MS, payees=1, to_company=0.1,
        median_yuan=2_600, counter=0.02, limit_raised=0.05, on_the_phone=0.05,
        remarks=("押金", "房租", ""),
    ),
    "a course": _Occasion(
        per_month=0.02, payments=(1, 2), spread_ms=HOUR_MS, payees=2, to_company=0.5,
        median_yuan=6_000, counter=0.05, limit_raised=0.1, on_the_phone=0.03,
        remarks=("学费", "培训费", "住宿费"),
    ),
    # Many new payees within hours, round sums.
    "a wedding or a renovation": _Occasion(
        per_month=0.015, payments=(3, 6), spread_ms=10 * HOUR_MS, payees=6, to_company=0.3,
        median_yuan=3_000, counter=0.03, limit_raised=0.1, on_the_phone=0.05,
        remarks=("礼金", "彩礼", "装修款", "定金", "转账", ""),
    ),
    # Money lent in parts.
    "a colleague in need": _Occasion(
        per_month=0.012, payments=(1, 3), spread_ms=8 * HOUR_MS, payees=1, to_company=0,
        balance_share=(0.2, 0.8), counter=0.03, limit_raised=0.08, on_the_phone=0.06,
        remarks=("借款", "转账", ""),
    ),
}  # fmt: skip
_HELPED_PER_MONTH: Final = 0.05


def occasions(world: World, rng: np.random.Generator) -> Plan:
    """Plan all occasions."""
    plans = [_plan(world, rng, occasion) for occasion in _OCCASIONS.values()]
    return join((*plans, _helped_parents(world, rng)))


def _who(world: World, rng: np.random.Generator, per_month: float, among: Ints) -> Ints:
    return pick(rng, among, int(rng.poisson(per_month * len(among) * world.period.days / 30)))


def _plan(world: World, rng: np.random.Generator, occasion: _Occasion) -> Plan:
    """Plan all occasions of one kind: who, when, and each one's payments."""
    people = world.people
    able = np.flatnonzero(~people.of(CustomerSegment.UNEMPLOYED))
    who = _who(world, rng, occasion.per_month, able)
    count = len(who)
    counter = happens(rng, occasion.counter, count)
    days = rng.integers(0, world.period.days, size=count)
    first_ms = np.where(
        counter, world.period.times(rng, days, COUNTER), world.period.times(rng, days, WAKING)
    )
    # Payments as rows: number of the occasion, and how many payments of it came before.
    times = rng.integers(occasion.payments[0], occasion.payments[1] + 1, size=count)
    which = np.repeat(np.arange(count), times)
    step = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
    n = len(which)
    limit = np.where(happens(rng, occasion.limit_raised, count), 1, UNSET)
    phone = np.where(happens(rng, occasion.on_the_phone, count), 1, UNSET)
    texts = np.array([remark(text) for text in occasion.remarks])
    payments = Plan.of(
        time_ms=first_ms[which] + np.where(step, rng.integers(1, occasion.spread_ms, size=n), 0),
        payer=people.account[who[which]],
        payee=_new_payees(world, rng, occasion, count)[which, step % occasion.payees],
        amount_minor=spoken(rng, amounts(rng, occasion.median_yuan, 0.7, n))
        if occasion.median_yuan
        else 0,
        share=rng.uniform(*occasion.balance_share, size=n),
        round_minor=pick(rng, np.array([1, 100 * YUAN, 1000 * YUAN]), n),
        channel=np.where(counter[which] & (step == 0), Channel.COUNTER, Channel.MOBILE),
        limit_just_raised=limit[which],
        call_in_progress=phone[which],
        remark=pick(rng, texts, n),
    )
    return join((_inflow(world, rng, who, first_ms), payments))


def _new_payees(world: World, rng: np.random.Generator, occasion: _Occasion, count: int) -> Ints:
    """Return the payees of each occasion, shape (count, occasion.payees)."""
    n = count * occasion.payees
    payees = np.where(
        happens(rng, occasion.to_company, n),
        pick(rng, world.places.sellers, n),
        someone(rng, world.places, world.people.account, n),
    )
    return payees.reshape(count, occasion.payees)


def _inflow(world: World, rng: np.random.Generator, who: Ints, first_ms: Ints) -> Plan:
    """Gather money from one's own account elsewhere before a large payment."""
    own = world.people.elsewhere[who]
    chosen = (own != NOBODY) & happens(rng, 0.5, len(who))
    n = int(chosen.sum())
    return Plan.of(
        time_ms=first_ms[chosen] - rng.integers(HOUR_MS // 6, DAY_MS, size=n),
        payer=own[chosen],
        payee=world.people.account[who[chosen]],
        amount_minor=spoken(rng, amounts(rng, 25_000, 0.9, n)),
    )


def _helped_parents(world: World, rng: np.random.Generator) -> Plan:
    """Let a child set up a parent's telephone and have savings sent to the family.

    On a call, the screen shared, a new device: everything like impersonated police, but honest.
    """
    people = world.people
    retired = np.flatnonzero(people.of(CustomerSegment.RETIRED))
    who = _who(world, rng, _HELPED_PER_MONTH, retired)
    count = len(who)
    days = rng.integers(0, world.period.days, size=count)
    new_device = happens(rng, 0.6, count)
    return Plan.of(
        time_ms=world.period.times(rng, days, WAKING),
        payer=people.account[who],
        payee=np.where(
            happens(rng, 0.7, count),
            people.family[who, rng.integers(0, people.family.shape[1], size=count)],
            someone(rng, world.places, people.account, count),
        ),
        share=rng.uniform(0.2, 0.95, size=count),
        round_minor=100 * YUAN,
        call_in_progress=np.where(happens(rng, 0.5, count), 1, UNSET),
        screen_shared=np.where(happens(rng, 0.3, count), 1, UNSET),
        new_device=np.where(new_device, 1, UNSET),
        new_e_channel=np.where(new_device & happens(rng, 0.5, count), 1, UNSET),
        limit_just_raised=np.where(happens(rng, 0.3, count), 1, UNSET),
        remark=np.where(happens(rng, 0.5, count), remark("转账"), remark("")),
    )
