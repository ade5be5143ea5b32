"""冒充公检法, impersonated police: "your account is part of a case; move it to the safe account".

Who: the old above all, but also the young. A long call that must be kept secret; mobile banking is
opened or moved to a new telephone, the limit raised, savings from other banks gathered; then the
whole balance goes to one account, sometimes at the counter, with an answer learnt by heart.
"""

from typing import Final

from fanzha.domain.vocabulary import Channel, CustomerSegment, FraudType
from fanzha_training.simulate.period import HOUR_MS, OFFICE
from fanzha_training.simulate.plan import UNSET, YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    counter = stage.chance(0.15)
    mule = stage.mule(start_ms)
    signals = {} if counter else _signals(stage)
    payments = int(stage.rng.integers(1, 4))
    time_ms = start_ms
    for _ in range(payments):
        if stage.chance(0.3 if stage.quiet else 0.7):
            source_ms = time_ms - stage.minutes(10, 90)
            if not (stage.chance(0.3) and stage.breaks_deposit(source_ms)):
                stage.gathers(source_ms, 40_000)
        stage.pays(
            time_ms,
            mule,
            share=stage.rng.uniform(0.25, 0.7) if stage.quiet else stage.rng.uniform(0.8, 1.0),
            round_minor=1 if stage.chance(0.2) else 100 * YUAN,
            channel=Channel.COUNTER if counter else Channel.MOBILE,
            remark=int(stage.rng.choice([0, 0, remark("转账"), remark("保证金"), remark("借款")])),
            **signals,
        )
        # A second visit to the counter is for another day.
        time_ms += 24 * HOUR_MS if counter else stage.minutes(20, 300)


def _signals(stage: Stage) -> dict[str, int]:
    """Return what the channel sees: much, if the victim's telephone was taken over."""
    signals = {
        "call_in_progress": stage.signal(0.75),
        "screen_shared": stage.signal(0.25),
        "new_device": stage.signal(0.5),
        "new_e_channel": stage.signal(0.4),
        "limit_just_raised": stage.signal(0.55),
    }
    if signals["new_device"] != UNSET:
        signals["device"] = int(stage.world.book.new_devices(1)[0])
    return signals


SCRIPT: Final = Script(
    fraud_type=FraudType.IMPERSONATED_AUTHORITY,
    victims={
        CustomerSegment.RETIRED: 4.0,
        CustomerSegment.STUDENT: 1.2,
        CustomerSegment.WORKER: 0.8,
        CustomerSegment.OTHER: 0.8,
        CustomerSegment.CORPORATE_FINANCE: 0.8,
        CustomerSegment.SHOP_KEEPER: 0.5,
        CustomerSegment.UNEMPLOYED: 0.5,
    },
    ages={"18-40": 0.45, "41-65": 0.30, "66+": 0.25},
    hours=OFFICE,
    days_before=1,
    play=_play,
)
