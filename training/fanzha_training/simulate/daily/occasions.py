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


@dataclass(frozen=True, slots=True)
class _Occasion:
    """One kind of occasion; see `_plan`."""

    per_month: float
    """Occasions per customer and 30 days."""
    payments: tuple[int, int]
    """Least and most payments."""
    spread_ms: int
    """Payments follow each other within this time."""
    to_company: float
    """Share paid to a company that one has never paid; the others go to a new person."""
    balance_share: tuple[float, float] | None
    """Least and most of the balance that goes; None for sums around `median_yuan`."""
    median_yuan: float
    counter: float
    """Share of occasions settled at the counter."""
    limit_raised: float
    on_the_phone: float
    remarks: tuple[str, ...]


_OCCASIONS: Final = (
    # A house: earnest money, then the deposit, sometimes while the agent is on the line.
    _Occasion(0.02, (1, 3), 3 * DAY_MS, 0.5, (0.3, 0.95), 0, 0.3, 0.4, 0.08,
              ("购房款", "首付款", "定金", "")),
    # A car, or somebody's used one.
    _Occasion(0.015, (1, 2), DAY_MS, 0.6, (0.25, 0.9), 0, 0.2, 0.35, 0.05,
              ("购车款", "定金", "")),
    # A first payment to a landlord: deposit and rent within the hour.
    _Occasion(0.02, (2, 2), HOUR_MS, 0.1, None, 2_600, 0.02, 0.05, 0.05,
              ("押金", "房租", "")),
    # A course or a dormitory.
    _Occasion(0.02, (1, 2), HOUR_MS, 0.5, None, 6_000, 0.05, 0.1, 0.03,
              ("学费", "培训费", "住宿费")),
    # A wedding or a renovation: many new payees within hours, round sums.
    _Occasion(0.015, (3, 6), 10 * HOUR_MS, 0.3, None, 3_000, 0.03, 0.1, 0.05,
              ("礼金", "彩礼", "装修款", "定金", "转账", "")),
    # Money lent to a colleague in need, in parts.
    _Occasion(0.012, (1, 3), 8 * HOUR_MS, 0.0, (0.2, 0.8), 0, 0.03, 0.08, 0.06,
              ("借款", "转账", "")),
)  # fmt: skip
_HELPED_PER_MONTH: Final = 0.05


def occasions(world: World, rng: np.random.Generator) -> Plan:
    """Plan all occasions."""
    plans = [_plan(world, rng, occasion) for occasion in _OCCASIONS]
    return join((*plans, _helped_parents(world, rng)))


def _who(world: World, rng: np.random.Generator, per_month: float, among: Ints) -> Ints:
    return pick(rng, among, int(rng.poisson(per_month * len(among) * world.period.days / 30)))


def _plan(world: World, rng: np.random.Generator, occasion: _Occasion) -> Plan:
    people = world.people
    able = np.flatnonzero(~people.of(CustomerSegment.UNEMPLOYED))
    who = _who(world, rng, occasion.per_month, able)
    count = len(who)
    counter = happens(rng, occasion.counter, count)
    days = rng.integers(0, world.period.days, size=count)
    first_ms = np.where(
        counter, world.period.times(rng, days, COUNTER), world.period.times(rng, days, WAKING)
    )
    limit = np.where(happens(rng, occasion.limit_raised, count), 1, UNSET)
    phone = np.where(happens(rng, occasion.on_the_phone, count), 1, UNSET)
    times = rng.integers(occasion.payments[0], occasion.payments[1] + 1, size=count)
    texts = np.array([remark(text) for text in occasion.remarks])
    plans = [_inflow(world, rng, who, first_ms)]
    for step in range(occasion.payments[1]):
        chosen = times > step
        n = int(chosen.sum())
        gap_ms = rng.integers(1, occasion.spread_ms, size=n) if step else np.zeros(n, np.int64)
        company = happens(rng, occasion.to_company, n)
        drawn = spoken(rng, amounts(rng, max(occasion.median_yuan, 1), 0.7, n))
        plans.append(
            Plan.of(
                time_ms=first_ms[chosen] + gap_ms,
                payer=people.account[who[chosen]],
                payee=np.where(
                    company,
                    pick(rng, world.places.sellers, n),
                    someone(rng, world.places, people.account, n),
                ),
                amount_minor=0 if occasion.balance_share else drawn,
                share=rng.uniform(*occasion.balance_share, size=n) if occasion.balance_share else 0,
                round_minor=pick(rng, np.array([1, 100 * YUAN, 1000 * YUAN]), n),
                channel=np.where(counter[chosen] & (step == 0), Channel.COUNTER, Channel.MOBILE),
                limit_just_raised=limit[chosen],
                call_in_progress=phone[chosen],
                remark=pick(rng, texts, n),
            )
        )
    return join(plans)


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
