"""Shopping: corner shops by QR code, online shops, food orders by day and by night."""

from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel
from fanzha_training.simulate.calendar import shopping_weights
from fanzha_training.simulate.chance import amounts, happens, pick, pick_own, visits
from fanzha_training.simulate.daily.again import paid_again
from fanzha_training.simulate.period import NIGHT, SHOPPING
from fanzha_training.simulate.plan import Floats, Plan, join
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World

_CORNER_PER_DAY: Final = 0.9
_ONLINE_PER_DAY: Final = 0.8
_FOOD_PER_DAY: Final = 0.35
_NIGHT_FOOD_PER_DAY: Final = 0.1
_TOP_UP_PER_DAY: Final = 0.03
_MONEY_BACK_PER_DAY: Final = 0.08


def shopping(world: World, rng: np.random.Generator) -> Plan:
    """Plan what people buy day by day."""
    return join(
        (
            _corner_shops(world, rng),
            _online(world, rng),
            _food(world, rng),
            _top_ups(world, rng),
            _money_back(world, rng),
        )
    )


def _weights(world: World) -> Floats:
    return shopping_weights(world.period.dates())


def _corner_shops(world: World, rng: np.random.Generator) -> Plan:
    """Pay shop keepers and chains: mostly the usual ones, but a third anywhere.

    For a shop keeper this is an honest fan-in: many payers, many of them new.
    """
    people = world.people
    who, days = visits(rng, people.spending * _CORNER_PER_DAY, world.period.days, _weights(world))
    usual = pick_own(rng, people.shops, who)
    anywhere = pick(rng, np.unique(people.shops), len(who))
    shop = np.where(happens(rng, 0.33, len(who)), anywhere, usual)
    own_shop = shop == people.account[who]
    bought = Plan.of(
        time_ms=world.period.times(rng, days, SHOPPING),
        payer=people.account[who],
        payee=np.where(own_shop, world.places.corner_shops[0], shop),
        amount_minor=amounts(rng, 22, 0.8, len(who), 10),
    )
    return join((bought, paid_again(rng, bought, 0.04, 2, (0.3, 2.5))))


def _online(world: World, rng: np.random.Generator) -> Plan:
    people = world.people
    who, days = visits(rng, people.spending * _ONLINE_PER_DAY, world.period.days, _weights(world))
    shops = np.concatenate([world.places.online_shops, np.repeat(
        world.places.payment_institutions, len(world.places.online_shops) // 2)])  # fmt: skip
    return Plan.of(
        time_ms=world.period.times(rng, days, SHOPPING),
        payer=people.account[who],
        payee=pick(rng, shops, len(who)),
        amount_minor=amounts(rng, 60, 1.0, len(who)),
        remark=np.where(happens(rng, 0.3, len(who)), remark("购物"), remark("")),
    )


def _food(world: World, rng: np.random.Generator) -> Plan:
    """Order food, some of it deep in the night: a night hour alone means nothing."""
    people = world.people
    plans = []
    for rate, profile in ((_FOOD_PER_DAY, SHOPPING), (_NIGHT_FOOD_PER_DAY, NIGHT)):
        who, days = visits(rng, people.spending * rate, world.period.days, _weights(world))
        plans.append(
            Plan.of(
                time_ms=world.period.times(rng, days, profile),
                payer=people.account[who],
                payee=pick(rng, world.places.payment_institutions[:2], len(who)),
                amount_minor=amounts(rng, 28, 0.4, len(who), 10),
                remark=np.where(happens(rng, 0.5, len(who)), remark("外卖"), remark("")),
            )
        )
    return join(plans)


def _top_ups(world: World, rng: np.random.Generator) -> Plan:
    """Top up telephones, games and wallets: round sums and the remark 充值, honestly meant."""
    people = world.people
    who, days = visits(rng, people.spending * _TOP_UP_PER_DAY, world.period.days)
    sums = np.array([30, 50, 100, 100, 200, 300, 500, 648, 1000, 2000]) * 100
    return Plan.of(
        time_ms=world.period.times(rng, days, SHOPPING),
        payer=people.account[who],
        payee=pick(rng, world.places.payment_institutions, len(who)),
        amount_minor=pick(rng, sums, len(who)),
        remark=np.where(happens(rng, 0.7, len(who)), remark("充值"), remark("")),
    )


def _money_back(world: World, rng: np.random.Generator) -> Plan:
    """Pay customers back: refunds of shops, cashback, money drawn from wallets."""
    people = world.people
    who, days = visits(rng, people.spending * _MONEY_BACK_PER_DAY, world.period.days)
    texts = np.array([remark(text) for text in ("退款", "返现", "提现", "提现", "")])
    return Plan.of(
        time_ms=world.period.times(rng, days, SHOPPING),
        payer=pick(rng, world.places.payment_institutions, len(who)),
        payee=people.account[who],
        amount_minor=amounts(rng, 45, 1.2, len(who)),
        channel=Channel.ONLINE,
        remark=pick(rng, texts, len(who)),
    )
