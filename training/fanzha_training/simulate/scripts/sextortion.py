"""裸聊敲诈, sextortion: "your contacts will see this video in ten minutes".

Who: young men, late at night. The first sum is bearable; paying does not end it. More payments go
to other payees, the gaps between them shrink, the sums grow until the balance and a quick loan are
gone. Shame keeps a third of the victims from ever reporting it.
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.period import LATE_NIGHT
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    time_ms = start_ms
    amount = stage.yuan(300, 500, 800, 1_000, 2_000, 3_000)
    gap_minutes = rng.uniform(30, 90)
    payments = int(rng.integers(1, 4)) if stage.quiet else int(rng.integers(2, 7))
    payee = stage.mule(time_ms)
    call = stage.signal(0.2)
    for step in range(payments):
        if step and stage.chance(0.7):
            payee = stage.mule(time_ms)
        if step >= 2 and stage.chance(0.3):
            stage.borrows(time_ms - stage.minutes(2, 15), amount / YUAN)
        stage.pays(
            time_ms,
            payee,
            amount_minor=amount,
            call_in_progress=call,
            remark=stage.word(0, 0, 0, remark("转账"), remark("还款")),
        )
        growth = rng.uniform(0.6, 1.5) if stage.quiet else rng.uniform(0.9, 2.2)
        amount = max(100, round(amount * growth / (100 * YUAN)) * 100) * YUAN
        time_ms += stage.minutes(0.7 * gap_minutes, 1.1 * gap_minutes)
        gap_minutes = max(2.0, gap_minutes * rng.uniform(0.4, 0.8))


SCRIPT: Final = Script(
    fraud_type=FraudType.SEXTORTION,
    victims={
        CustomerSegment.STUDENT: 1.3,
        CustomerSegment.WORKER: 1.2,
        CustomerSegment.UNEMPLOYED: 1.3,
        CustomerSegment.OTHER: 1.0,
        CustomerSegment.SHOP_KEEPER: 0.7,
        CustomerSegment.CORPORATE_FINANCE: 0.5,
    },
    ages={"18-40": 0.90, "41-65": 0.10},
    hours=LATE_NIGHT,
    free_days=1.2,
    days_before=0,
    play=_play,
)
