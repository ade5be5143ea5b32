"""线下取现/黄金, cash or gold handed over: "our courier comes to your door, tell the bank nothing".

Who: anybody whom another script has won, the older more often. Money is gathered first: a deposit
broken, a transfer from another bank. Then it leaves as cash, at the counter after pre-booking or at
a machine in several draws, often twice in two days; or as gold bars. No account of a mule is ever
seen; a courier or a hired car takes the parcel.
"""

from typing import Final

from fanzha.domain.vocabulary import Channel, CustomerSegment, FraudType, TransferKind
from fanzha_training.simulate.period import COUNTER, DAY_MS
from fanzha_training.simulate.plan import NOBODY, YUAN
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    inflow_ms = start_ms - stage.minutes(20, 1_200)
    if not (stage.chance(0.5) and stage.breaks_deposit(inflow_ms)) and stage.chance(0.8):
        stage.gathers(inflow_ms, 8_000 if stage.quiet else 30_000)
    if stage.chance(0.3):
        _gold(stage, start_ms)
        return
    machine = stage.chance(0.35)
    visits = 1 if stage.quiet else int(stage.rng.integers(1, 3))
    for visit in range(visits):
        time_ms = start_ms + visit * DAY_MS + stage.minutes(-60, 60)
        if machine:
            _draws(stage, time_ms)
        else:
            _withdraws(stage, time_ms)


def _withdraws(stage: Stage, time_ms: int) -> None:
    """Draw at the counter, an earpiece in; sums stay below 50,000, above which banks ask more."""
    stage.pays(
        time_ms,
        NOBODY,
        kind=TransferKind.CASH_WITHDRAWAL,
        channel=Channel.COUNTER,
        share=stage.rng.uniform(0.2, 0.6) if stage.quiet else stage.rng.uniform(0.6, 1.0),
        amount_minor=stage.yuan(49_000, 49_900, 48_000, 100_000, 200_000),
        round_minor=100 * YUAN,
        call_in_progress=stage.signal(0.1),
    )


def _draws(stage: Stage, time_ms: int) -> None:
    """Draw at a machine, a few thousand at a time, up to what it gives in a day."""
    draw = stage.yuan(2_000, 2_000, 2_500, 3_000, 5_000)
    for _ in range(int(stage.rng.integers(2, 6))):
        stage.pays(
            time_ms,
            NOBODY,
            kind=TransferKind.CASH_WITHDRAWAL,
            channel=Channel.ATM,
            amount_minor=draw,
            call_in_progress=stage.signal(0.05),
        )
        time_ms += stage.minutes(1, 4)


def _gold(stage: Stage, time_ms: int) -> None:
    shop = int(stage.rng.choice(stage.world.places.gold_shops))
    for _ in range(1 if stage.chance(0.6) else 2):
        stage.pays(
            time_ms,
            shop,
            kind=TransferKind.GOLD_PURCHASE,
            channel=Channel.MOBILE if stage.chance(0.7) else Channel.COUNTER,
            share=stage.rng.uniform(0.2, 0.6) if stage.quiet else stage.rng.uniform(0.5, 0.98),
            call_in_progress=stage.signal(0.25),
            limit_just_raised=stage.signal(0.3),
        )
        time_ms += DAY_MS if stage.chance(0.5) else stage.minutes(10, 90)


SCRIPT: Final = Script(
    fraud_type=FraudType.CASH_OR_GOLD_HANDOVER,
    victims={
        CustomerSegment.RETIRED: 2.0,
        CustomerSegment.WORKER: 1.0,
        CustomerSegment.SHOP_KEEPER: 1.2,
        CustomerSegment.OTHER: 1.0,
        CustomerSegment.CORPORATE_FINANCE: 0.8,
        CustomerSegment.STUDENT: 0.5,
    },
    ages={"18-40": 0.35, "41-65": 0.40, "66+": 0.25},
    hours=COUNTER,
    days_before=1,
    play=_play,
)
