"""虚假征信, fake credit repair: "clear your student loan, or your credit is ruined".

Who: students and young borrowers. On a call, the screen shared, the victim borrows from one lender
after the other, "to empty the credit lines", and sends each loan on within minutes to an "official
account". New loan in, all of it out, again and again, for an hour or two. Quiet ones borrow once.
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.period import OFFICE
from fanzha_training.simulate.plan import UNSET
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    call = stage.signal(0.7)
    screen = stage.signal(0.55)
    limit = stage.signal(0.15)
    time_ms = start_ms
    payee = stage.mule(time_ms)
    lenders = 1 if stage.quiet and stage.chance(0.6) else int(stage.rng.integers(1, 5))
    for loan in range(lenders):
        if loan and stage.chance(0.35):
            payee = stage.mule(time_ms)
        key = stage.borrows(time_ms, 9_000)
        time_ms += stage.minutes(10, 240) if stage.quiet else stage.minutes(2, 15)
        parts = 2 if stage.chance(0.25) else 1
        for _ in range(parts):
            stage.pays(
                time_ms,
                payee,
                share=stage.rng.uniform(0.5, 0.95) if stage.quiet else 0.99 / parts,
                share_of=key,
                round_minor=stage.round_to(),
                call_in_progress=call,
                screen_shared=screen,
                # It is raised once a loan did not fit through.
                limit_just_raised=limit if loan else UNSET,
                remark=stage.word(0, 0, remark("还款"), remark("转账"), remark("备用金")),
            )
            time_ms += stage.minutes(1, 6)
        time_ms += stage.minutes(5, 40)


SCRIPT: Final = Script(
    fraud_type=FraudType.FAKE_CREDIT_REPAIR,
    victims={
        CustomerSegment.STUDENT: 1.8,
        CustomerSegment.WORKER: 1.3,
        CustomerSegment.UNEMPLOYED: 1.2,
        CustomerSegment.OTHER: 1.0,
        CustomerSegment.CORPORATE_FINANCE: 0.8,
        CustomerSegment.SHOP_KEEPER: 0.6,
    },
    ages={"18-40": 0.85, "41-65": 0.15},
    hours=OFFICE,
    days_before=0,
    play=_play,
)
