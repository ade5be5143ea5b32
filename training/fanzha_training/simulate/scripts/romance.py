"""婚恋交友, romance: weeks of tenderness, then "I have a way to invest" or "my mother is ill".

Who: single and divorced people. Over weeks the victim pays few payees again and again, ever more:
gifts and fares first, then an emergency or an "investment for our house". Late in the story
deposits are broken and loans taken. Payments lie days apart and look like help within a family.
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.period import EVENING
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage

_DAY_MINUTES: Final = 24 * 60


def _play(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    time_ms = start_ms
    lover = stage.mule(time_ms)
    amount = int(rng.choice([200, 300, 520, 520, 800, 1_314])) * YUAN
    payments = int(rng.integers(3, 9))
    words = [remark(text) for text in ("", "", "", "红包", "借款", "生活费", "转账")]
    for step in range(payments):
        if step and stage.chance(0.15):
            lover = stage.mule(time_ms)
        late = step >= payments - 2 and amount > 8_000 * YUAN
        if late and stage.chance(0.5):
            source_ms = time_ms - stage.minutes(30, _DAY_MINUTES)
            if not (stage.chance(0.5) and stage.breaks_deposit(source_ms)):
                stage.borrows(source_ms, amount / YUAN)
        stage.pays(
            time_ms,
            lover,
            amount_minor=amount,
            call_in_progress=stage.signal(0.04),
            remark=stage.word(*words),
        )
        growth = rng.uniform(0.8, 1.6) if stage.quiet else rng.uniform(1.1, 2.6)
        amount = max(100 * YUAN, round(amount * growth / (100 * YUAN)) * 100 * YUAN)
        time_ms += stage.minutes(0.8 * _DAY_MINUTES, 6 * _DAY_MINUTES)


SCRIPT: Final = Script(
    fraud_type=FraudType.ROMANCE,
    victims={
        CustomerSegment.WORKER: 1.2,
        CustomerSegment.OTHER: 1.2,
        CustomerSegment.SHOP_KEEPER: 1.2,
        CustomerSegment.RETIRED: 0.8,
        CustomerSegment.CORPORATE_FINANCE: 1.0,
        CustomerSegment.UNEMPLOYED: 0.8,
        CustomerSegment.STUDENT: 0.3,
    },
    ages={"18-40": 0.50, "41-65": 0.42, "66+": 0.08},
    hours=EVENING,
    free_days=1.2,
    days_before=20,
    play=_play,
)
