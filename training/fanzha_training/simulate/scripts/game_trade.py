"""网游虚假交易, game trade: "I buy your account; the platform froze the money, pay to release it".

Who: minors mostly, on a parent's telephone, at night or on days without school. A small payment
first, for skins or as a "deposit"; then 解冻 and 保证金 in repeats. When the child's own account is
empty, the parent's pays, from the same device. The parent sees it days later.
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.ages import ADULT
from fanzha_training.simulate.period import EVENING
from fanzha_training.simulate.plan import NOBODY, YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    people = stage.world.people
    guardian = int(people.guardian[stage.victim])
    child = int(people.age[stage.victim]) < ADULT and guardian != NOBODY
    amount = stage.yuan(50, 100, 188, 200, 300, 500)
    time_ms = start_ms
    payee = stage.mule(time_ms)
    payments = int(rng.integers(1, 4)) if stage.quiet else int(rng.integers(2, 7))
    for step in range(payments):
        if step and stage.chance(0.3):
            payee = stage.mule(time_ms)
        parents_account = child and (step >= 1 or stage.chance(0.5))
        payer = int(people.account[guardian]) if parents_account else stage.account
        stage.pays(
            time_ms,
            payee,
            payer=payer,
            amount_minor=amount,
            # 未成年人 are led through a shared screen, as they cannot find the menus.
            screen_shared=stage.signal(0.2 if child else 0.05),
            call_in_progress=stage.signal(0.12),
            remark=stage.word(remark(""), remark(""), remark("充值"), remark("保证金")),
        )
        growth = rng.uniform(0.8, 1.5) if stage.quiet else rng.uniform(1.0, 2.6)
        amount = max(50, round(amount * growth / (50 * YUAN)) * 50) * YUAN
        time_ms += stage.minutes(3, 45)


SCRIPT: Final = Script(
    fraud_type=FraudType.GAME_TRADE,
    victims={
        CustomerSegment.STUDENT: 1.5,
        CustomerSegment.OTHER: 0.7,
        CustomerSegment.UNEMPLOYED: 1.0,
        CustomerSegment.WORKER: 0.6,
    },
    ages={"10-17": 0.65, "18-40": 0.35},
    hours=EVENING,
    free_days=2.5,
    days_before=0,
    play=_play,
)
