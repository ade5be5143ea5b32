"""冒充领导熟人, impersonated acquaintance: "it is me; pay this partner at once, I am in a meeting".

Who: finance staff above all, also subordinates and relatives. The boss's picture in a chat, at the
end of a workday: the company's account pays a payee it never paid, a large round sum, remark 货款
or 保证金; a second one follows when the first went through. Privately it is "lend me something, I
will explain later".
"""

from typing import Final

from fanzha.domain.vocabulary import Channel, CustomerSegment, FraudType
from fanzha_training.simulate.period import CLOSING
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    segment = int(stage.world.people.segment[stage.victim])
    if segment == CustomerSegment.CORPORATE_FINANCE:
        _company_pays(stage, start_ms)
    else:
        _friend_pays(stage, start_ms)


def _company_pays(stage: Stage, start_ms: int) -> None:
    """Pay from the employer's account, from the computer in its office."""
    rng = stage.rng
    employer = int(stage.world.people.employer[stage.victim])
    payer = employer if employer >= 0 else stage.account
    payee = stage.ring.company(start_ms) if stage.chance(0.5) else stage.mule(start_ms)
    words = [remark(text) for text in ("货款", "保证金", "往来款", "工程款", "")]
    amount = int(rng.lognormal(10.2 if stage.quiet else 11.2, 0.7))
    time_ms = start_ms
    for _ in range(1 if stage.chance(0.55) else 2):
        stage.pays(
            time_ms,
            payee,
            payer=payer,
            amount_minor=max(1, amount // 1000) * 1000 * YUAN,
            channel=Channel.COUNTER if stage.chance(0.1) else Channel.ONLINE,
            limit_just_raised=stage.signal(0.1),
            remark=stage.word(*words),
        )
        amount = int(amount * rng.uniform(0.6, 2.0))
        time_ms += stage.minutes(8, 70)


def _friend_pays(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    payee = stage.mule(start_ms)
    amount = int(rng.lognormal(8.3, 0.9))
    time_ms = start_ms
    for _ in range(1 if stage.chance(0.6) else 2):
        stage.pays(
            time_ms,
            payee,
            amount_minor=max(1, amount // 500) * 500 * YUAN,
            call_in_progress=stage.signal(0.06),
            remark=stage.word(0, 0, remark("借款"), remark("转账")),
        )
        amount = int(amount * rng.uniform(0.8, 2.0))
        time_ms += stage.minutes(10, 120)


SCRIPT: Final = Script(
    fraud_type=FraudType.IMPERSONATED_ACQUAINTANCE,
    victims={
        CustomerSegment.CORPORATE_FINANCE: 30.0,
        CustomerSegment.WORKER: 0.8,
        CustomerSegment.SHOP_KEEPER: 0.8,
        CustomerSegment.OTHER: 0.5,
        CustomerSegment.STUDENT: 0.4,
        CustomerSegment.RETIRED: 0.6,
    },
    ages={"18-40": 0.60, "41-65": 0.36, "66+": 0.04},
    hours=CLOSING,
    free_days=0.15,
    days_before=0,
    play=_play,
)
