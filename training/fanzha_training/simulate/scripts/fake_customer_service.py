"""冒充电商物流客服, fake customer service: "your insurance costs 800 a month unless you cancel it".

Who: people who buy online. The caller has them share the screen, sweep all their cards into one,
take out a loan "to verify the credit line", and send everything to one account, in several payments
within an hour or two, while the call goes on.
"""

from typing import Final

from fanzha.domain.vocabulary import Channel, CustomerSegment, FraudType
from fanzha_training.simulate.period import OFFICE
from fanzha_training.simulate.plan import UNSET, YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    call = stage.signal(0.8)
    screen = stage.signal(0.7)
    remote = stage.signal(0.15)
    if not stage.quiet and stage.chance(0.5):
        stage.gathers(start_ms + stage.minutes(1, 15), 12_000)
    if not stage.quiet and stage.chance(0.35):
        stage.borrows(start_ms + stage.minutes(5, 30), 20_000)
    mule = stage.mule(start_ms)
    channel = Channel.ONLINE if stage.chance(0.1) else Channel.MOBILE
    limit = stage.signal(0.15)
    payments = int(stage.rng.integers(1, 4)) if stage.quiet else int(stage.rng.integers(2, 6))
    time_ms = start_ms + stage.minutes(10, 25)
    for step in range(payments):
        if step and stage.chance(0.15):
            mule = stage.mule(time_ms)
        stage.pays(
            time_ms,
            mule,
            share=stage.rng.uniform(0.08, 0.4) if stage.quiet else stage.rng.uniform(0.3, 0.9),
            # "Verification codes" are typed as amounts: they are not round.
            round_minor=1 if stage.chance(0.4) else 100 * YUAN,
            channel=channel,
            call_in_progress=call,
            screen_shared=screen,
            remote_control=remote,
            # It is raised once the first payment has run into it.
            limit_just_raised=limit if step else UNSET,
            remark=int(stage.rng.choice([0, 0, remark("还款"), remark("转账")])),
        )
        time_ms += stage.minutes(4, 30)


SCRIPT: Final = Script(
    fraud_type=FraudType.FAKE_CUSTOMER_SERVICE,
    victims={
        CustomerSegment.WORKER: 1.5,
        CustomerSegment.STUDENT: 1.2,
        CustomerSegment.CORPORATE_FINANCE: 1.0,
        CustomerSegment.OTHER: 1.0,
        CustomerSegment.SHOP_KEEPER: 0.8,
        CustomerSegment.UNEMPLOYED: 0.8,
        CustomerSegment.RETIRED: 0.6,
    },
    ages={"18-40": 0.66, "41-65": 0.32, "66+": 0.02},
    hours=OFFICE,
    days_before=0,
    play=_play,
)
