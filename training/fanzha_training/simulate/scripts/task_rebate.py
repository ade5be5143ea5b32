"""刷单返利, task rebates: "like some posts, get your commission at once".

Who: students, people without work, low incomes. A small task is paid back at once with commission.
Then tasks must be paid in advance, in round sums that grow two to ten times each, always to another
person's account, within hours: "连单", "卡单", "one more to unlock the payout".
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.period import WAKING
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    time_ms = _bait(stage, start_ms)
    amount = stage.yuan(300, 500, 800, 1000, 1500, 2000, 3000)
    if stage.quiet:
        amount = int(stage.rng.integers(60, 400)) * YUAN
    words = [remark(text) for text in ("", "", "", "充值", "充值", "任务", "转账", "货款")]
    call = stage.signal(0.08)
    for step in range(int(stage.rng.integers(3, 6))):
        time_ms += stage.minutes(60, 300) if stage.quiet else stage.minutes(15, 90)
        if step >= 1 and stage.chance(0.5):
            stage.gathers(time_ms - stage.minutes(2, 12), 6_000)
        stage.pays(
            time_ms,
            stage.mule(time_ms),
            amount_minor=amount,
            call_in_progress=call,
            remark=int(stage.rng.choice(words)),
        )
        amount = _escalated(stage, amount)


def _bait(stage: Stage, start_ms: int) -> int:
    """Let the first small task pay off; return when it has."""
    platform = stage.mule(start_ms)
    stake = stage.yuan(50, 100, 100, 200, 300)
    if stage.chance(0.6):
        stage.pays(start_ms, platform, amount_minor=stake)
    paid_ms = start_ms + stage.minutes(5, 30)
    if stage.chance(0.5 if stage.quiet else 0.85):
        commission = stage.rng.uniform(1.1, 1.4)
        stage.is_paid(paid_ms, platform, int(stake * commission), remark("返现"))
    return paid_ms


def _escalated(stage: Stage, amount_minor: int) -> int:
    """Return the next task's price: two to ten times more, mostly two to four; a round sum."""
    if stage.quiet:
        return int(amount_minor * stage.rng.uniform(0.9, 1.8))
    factor = 2 + 8 * stage.rng.beta(1, 5)
    return round(amount_minor * factor / (100 * YUAN)) * 100 * YUAN


SCRIPT: Final = Script(
    fraud_type=FraudType.TASK_REBATE,
    victims={
        CustomerSegment.STUDENT: 3.0,
        CustomerSegment.UNEMPLOYED: 3.5,
        CustomerSegment.OTHER: 1.5,
        CustomerSegment.WORKER: 1.0,
        CustomerSegment.SHOP_KEEPER: 0.7,
        CustomerSegment.RETIRED: 0.3,
    },
    ages={"18-40": 0.72, "41-65": 0.26, "66+": 0.02},
    hours=WAKING,
    days_before=0,
    play=_play,
)
