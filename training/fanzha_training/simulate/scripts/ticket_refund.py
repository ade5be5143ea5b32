"""机票退改签, ticket refund: "your flight is cancelled; confirm your card and we pay you 300 yuan".

Who: travellers, and families of students (补贴, "your grant is ready"). A small payment "to verify
the card", then, on the call and with the screen shared, most of the balance in one or two sums that
are typed as "verification codes" and therefore uneven.
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.period import WAKING
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    call = stage.signal(0.7)
    screen = stage.signal(0.5)
    payee = stage.mule(start_ms)
    if stage.chance(0.75):
        stage.pays(
            start_ms,
            payee,
            amount_minor=int(rng.choice([1, 9, 10, 20, 50, 99, 100])) * YUAN,
            call_in_progress=call,
            remark=stage.word(0, 0, remark("退款")),
        )
    time_ms = start_ms + stage.minutes(3, 25)
    for _ in range(int(rng.integers(1, 4))):
        if stage.chance(0.2):
            payee = stage.mule(time_ms)
        stage.pays(
            time_ms,
            payee,
            share=rng.uniform(0.05, 0.4) if stage.quiet else rng.uniform(0.3, 0.95),
            round_minor=1 if stage.chance(0.6) else 100 * YUAN,
            call_in_progress=call,
            screen_shared=screen,
            remark=stage.word(0, 0, 0, remark("退款"), remark("转账")),
        )
        time_ms += stage.minutes(3, 30)


SCRIPT: Final = Script(
    fraud_type=FraudType.TICKET_REFUND,
    victims={
        CustomerSegment.WORKER: 1.2,
        CustomerSegment.STUDENT: 1.2,
        CustomerSegment.CORPORATE_FINANCE: 1.2,
        CustomerSegment.SHOP_KEEPER: 1.0,
        CustomerSegment.OTHER: 0.8,
        CustomerSegment.RETIRED: 0.8,
    },
    ages={"18-40": 0.62, "41-65": 0.34, "66+": 0.04},
    hours=WAKING,
    free_days=1.2,
    days_before=0,
    play=_play,
)
