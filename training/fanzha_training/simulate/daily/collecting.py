"""Honest accounts that look like mules: many first-time payers in, most of it out again.

Leaders of group buying (团购), students who collect class fees, sellers of used goods, and new
businesses in their first weeks.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment, TransferKind
from fanzha_training.simulate.ages import ADULT
from fanzha_training.simulate.chance import amounts, happens, pick, spoken, visits
from fanzha_training.simulate.period import EVENING, HOUR_MS, MINUTE_MS, SHOPPING
from fanzha_training.simulate.places import someone
from fanzha_training.simulate.plan import NOBODY, YUAN, Ints, Plan, join
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class _Collection:
    """One kind of collecting."""

    hosts: float
    """Share of the customers of the segments who do it."""
    segments: tuple[CustomerSegment, ...]
    per_day: float
    """Rounds of each host and day."""
    payers: tuple[int, int]
    """Least and most payers of a round."""
    span_ms: int
    """All pay within this time."""
    median_yuan: float
    same_sum: bool
    """Whether all payers of a round pay the same."""
    passed_on: float
    """Share of rounds after which the money moves on."""
    wait_ms: int
    """It does so at most so long after the last payer."""
    remarks: tuple[str, ...]


_COLLECTIONS: Final = (
    # A leader of group buying orders for the block and pays the wholesaler.
    _Collection(
        hosts=0.012, segments=(CustomerSegment.OTHER, CustomerSegment.WORKER,
        CustomerSegment.UNEMPLOYED), per_day=0.25, payers=(6, 22), span_ms=4 * HOUR_MS,
        median_yuan=75, same_sum=False, passed_on=0.85, wait_ms=2 * HOUR_MS,
        remarks=("", "货款", "AA"),
    ),
    # Class fees, a trip, a dinner: everybody pays the same, the hotel is paid at once.
    _Collection(
        hosts=0.03, segments=(CustomerSegment.STUDENT,), per_day=0.05, payers=(8, 30),
        span_ms=8 * HOUR_MS, median_yuan=160, same_sum=True, passed_on=0.9, wait_ms=HOUR_MS,
        remarks=("", "AA", "培训费"),
    ),
    # Used goods, tickets, game accounts: few strangers a day, larger sums, out to oneself.
    _Collection(
        hosts=0.03, segments=(CustomerSegment.OTHER, CustomerSegment.STUDENT,
        CustomerSegment.UNEMPLOYED, CustomerSegment.WORKER), per_day=0.3, payers=(1, 4),
        span_ms=6 * HOUR_MS, median_yuan=420, same_sum=False, passed_on=0.5, wait_ms=3 * HOUR_MS,
        remarks=("", "二手", "定金", "转账"),
    ),
    # Agents who buy for others (代购) and turn large sums within minutes.
    _Collection(
        hosts=0.006, segments=(CustomerSegment.OTHER, CustomerSegment.SHOP_KEEPER), per_day=0.5,
        payers=(1, 3), span_ms=HOUR_MS, median_yuan=4_000, same_sum=False, passed_on=0.95,
        wait_ms=20 * MINUTE_MS, remarks=("", "货款", "购物", "转账"),
    ),
)  # fmt: skip
_NEW_BUSINESS_DAYS: Final = 75
"""So young is the account of a new business at the start of the period."""


def collecting(world: World, rng: np.random.Generator) -> Plan:
    """Plan all rounds of collecting, and the first weeks of new businesses."""
    plans = [_rounds(world, rng, collection) for collection in _COLLECTIONS]
    return join((*plans, _new_businesses(world, rng)))


def _rounds(world: World, rng: np.random.Generator, collection: _Collection) -> Plan:
    people = world.people
    able = np.flatnonzero(people.of(*collection.segments) & (people.age >= ADULT) & ~people.dormant)
    hosts = able[happens(rng, collection.hosts, len(able))]
    which, days = visits(rng, np.full(len(hosts), collection.per_day), world.period.days)
    return _collect(world, rng, collection, hosts[which], days)


def _collect(
    world: World, rng: np.random.Generator, collection: _Collection, host: Ints, days: Ints
) -> Plan:
    """Let people pay each host on a day, and the hosts pass the money on."""
    people, places = world.people, world.places
    rounds = len(host)
    start_ms = world.period.times(rng, days, SHOPPING)
    payers = rng.integers(collection.payers[0], collection.payers[1] + 1, size=rounds)
    of_round = np.repeat(np.arange(rounds), payers)
    n = len(of_round)
    single = spoken(rng, amounts(rng, collection.median_yuan, 0.9, n))
    shared = spoken(rng, amounts(rng, collection.median_yuan, 0.5, rounds))
    amount = shared[of_round] if collection.same_sum else single
    texts = np.array([remark(text) for text in collection.remarks])
    paid_in = Plan.of(
        time_ms=start_ms[of_round] + rng.integers(0, collection.span_ms, size=n),
        payer=someone(rng, places, people.account, n),
        payee=people.account[host][of_round],
        amount_minor=amount,
        remark=pick(rng, texts, n),
    )
    total = np.bincount(of_round, weights=amount, minlength=rounds)
    goes_on = np.flatnonzero(happens(rng, collection.passed_on, rounds))
    m = len(goes_on)
    own = people.elsewhere[host[goes_on]]
    trade = np.concatenate([places.sellers, places.strangers[: len(places.sellers)]])
    supplier = trade[(people.account[host[goes_on]] * 3) % len(trade)]
    paid_out = Plan.of(
        time_ms=start_ms[goes_on]
        + collection.span_ms
        + rng.integers(MINUTE_MS, collection.wait_ms, size=m),
        payer=people.account[host[goes_on]],
        payee=np.where((own != NOBODY) & happens(rng, 0.4, m), own, supplier),
        amount_minor=np.maximum(
            YUAN, spoken(rng, (total[goes_on] * rng.uniform(0.75, 1.0, size=m)).astype(np.int64))
        ),
        can_cut=True,
        remark=pick(rng, texts, m),
    )
    return join((paid_in, paid_out))


def _new_businesses(world: World, rng: np.random.Generator) -> Plan:
    """Let shops that have just opened be found: ever more payers, none of them seen before."""
    people, places = world.people, world.places
    open_day = world.book["open_day"][people.account]
    young = open_day > world.period.first_day - _NEW_BUSINESS_DAYS
    founders = np.flatnonzero(
        young
        & people.of(CustomerSegment.SHOP_KEEPER, CustomerSegment.OTHER, CustomerSegment.WORKER)
    )
    founders = founders[happens(rng, 0.5, len(founders))]
    which, days = visits(rng, np.full(len(founders), 5.0), world.period.days)
    host = founders[which]
    paid_in = Plan.of(
        time_ms=world.period.times(rng, days, SHOPPING),
        payer=someone(rng, places, people.account, len(host)),
        payee=people.account[host],
        amount_minor=spoken(rng, amounts(rng, 180, 1.3, len(host))),
        remark=np.where(happens(rng, 0.4, len(host)), remark("货款"), remark("")),
    )
    which, days = visits(rng, np.full(len(founders), 0.9), world.period.days)
    host = founders[which]
    trade = places.sellers[(people.account[host] + rng.integers(0, 3, size=len(host))) % len(
        places.sellers)]  # fmt: skip
    cash = happens(rng, 0.15, len(host))
    paid_out = Plan.of(
        time_ms=world.period.times(rng, days, EVENING),
        payer=people.account[host],
        payee=np.where(cash, NOBODY, trade),
        kind=np.where(cash, TransferKind.CASH_WITHDRAWAL, TransferKind.TRANSFER),
        share=rng.uniform(0.3, 0.95, size=len(host)),
        amount_minor=np.where(cash, 20_000 * YUAN, 100_000 * YUAN),
        round_minor=np.where(cash, 100 * YUAN, YUAN),
        remark=np.where(cash, remark(""), remark("货款")),
    )
    return join((paid_in, paid_out))
