"""虚假网络投资理财, fake investment: "our teacher's signals never miss; start with a little".

Who: people with savings. Over days and weeks the sums grow, to a few companies and persons that
stay the same for a while. A small withdrawal works, and is believed. Money comes in from other
banks first, and fixed deposits are broken early. It ends with a "fee to unfreeze the profit".
"""

from typing import Final

from fanzha.domain.vocabulary import Channel, CustomerSegment, FraudType
from fanzha_training.simulate.period import EVENING
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage

_DAY_MINUTES: Final = 24 * 60


def _play(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    time_ms = start_ms
    payee = _payee(stage, time_ms)
    amount = int(rng.integers(5, 30) if stage.quiet else rng.integers(10, 80)) * 100 * YUAN
    payments = int(rng.integers(4, 9))
    words = [remark(text) for text in ("", "", "理财", "充值", "货款", "往来款")]
    for step in range(payments):
        if step and stage.chance(0.3):
            payee = _payee(stage, time_ms)
        if amount > 10_000 * YUAN and stage.chance(0.6):
            source_ms = time_ms - stage.minutes(20, 600)
            if not (stage.chance(0.4) and stage.breaks_deposit(source_ms)):
                stage.gathers(source_ms, amount / YUAN)
        stage.pays(
            time_ms,
            payee,
            amount_minor=amount if stage.chance(0.8) else amount + int(rng.integers(1, 10_000)),
            channel=Channel.ONLINE if stage.chance(0.15) else Channel.MOBILE,
            call_in_progress=stage.signal(0.05),
            limit_just_raised=stage.signal(0.12),
            remark=int(rng.choice(words)),
        )
        if step == 1 and stage.chance(0.5):
            # The profit can be withdrawn, once.
            back_ms = time_ms + stage.minutes(60, 1500)
            stage.is_paid(back_ms, payee, int(amount * rng.uniform(0.3, 0.8)), remark("提现"))
        growth = rng.uniform(0.9, 1.4) if stage.quiet else rng.uniform(1.2, 2.4)
        amount = round(amount * growth / (100 * YUAN)) * 100 * YUAN
        time_ms += stage.minutes(0.6 * _DAY_MINUTES, 4 * _DAY_MINUTES)
    if stage.chance(0.35):
        fee = round(amount * rng.uniform(0.1, 0.3) / (100 * YUAN) + 1) * 100 * YUAN
        stage.pays(time_ms, stage.mule(time_ms), amount_minor=fee, remark=remark("保证金"))


def _payee(stage: Stage, time_ms: int) -> int:
    if stage.chance(0.45):
        return stage.ring.company(time_ms)
    return stage.mule(time_ms)


SCRIPT: Final = Script(
    fraud_type=FraudType.FAKE_INVESTMENT,
    victims={
        CustomerSegment.WORKER: 1.3,
        CustomerSegment.CORPORATE_FINANCE: 1.5,
        CustomerSegment.SHOP_KEEPER: 1.5,
        CustomerSegment.RETIRED: 1.2,
        CustomerSegment.OTHER: 0.6,
        CustomerSegment.STUDENT: 0.3,
        CustomerSegment.UNEMPLOYED: 0.3,
    },
    ages={"18-40": 0.42, "41-65": 0.50, "66+": 0.08},
    hours=EVENING,
    days_before=7,
    play=_play,
)
