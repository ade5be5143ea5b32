"""虚假贷款, fake loan: "your loan is approved; pay the surety and it is yours".

Who: people who need money quickly. No money ever comes; the borrower pays, in steps, out of a low
balance: a membership fee, a surety, "to show turnover" (刷流水), "a wrong card number, pay to
unfreeze". Sums are a tenth or so of the loan that was promised. Family lends the last step.
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.period import WAKING
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    promised = int(rng.choice([20_000, 30_000, 50_000, 80_000, 100_000])) * YUAN
    time_ms = start_ms
    payee = stage.mule(time_ms)
    call = stage.signal(0.15)
    words = [remark(text) for text in ("", "", "保证金", "还款", "服务费", "转账")]
    share = rng.uniform(0.01, 0.04) if stage.quiet else rng.uniform(0.02, 0.10)
    for step in range(int(rng.integers(1, 5))):
        if step and stage.chance(0.45):
            payee = stage.mule(time_ms)
        amount = max(100 * YUAN, round(promised * share / (100 * YUAN)) * 100 * YUAN)
        if step >= 1 and stage.chance(0.5):
            stage.gathers(time_ms - stage.minutes(3, 60), amount / YUAN)
        stage.pays(
            time_ms,
            payee,
            # A "verification code" at the end makes some sums uneven.
            amount_minor=amount + (int(rng.integers(1, 9_999)) if stage.chance(0.15) else 0),
            call_in_progress=call,
            screen_shared=stage.signal(0.06),
            remark=stage.word(*words),
        )
        share *= rng.uniform(0.8, 1.4) if stage.quiet else rng.uniform(1.0, 2.2)
        time_ms += stage.minutes(20, 400)


SCRIPT: Final = Script(
    fraud_type=FraudType.FAKE_LOAN,
    victims={
        CustomerSegment.UNEMPLOYED: 2.5,
        CustomerSegment.WORKER: 1.2,
        CustomerSegment.SHOP_KEEPER: 1.5,
        CustomerSegment.OTHER: 1.3,
        CustomerSegment.STUDENT: 0.6,
        CustomerSegment.CORPORATE_FINANCE: 0.4,
        CustomerSegment.RETIRED: 0.1,
    },
    ages={"18-40": 0.68, "41-65": 0.31, "66+": 0.01},
    hours=WAKING,
    days_before=0,
    play=_play,
)
