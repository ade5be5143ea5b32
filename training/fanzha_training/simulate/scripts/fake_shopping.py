"""虚假购物服务, fake shopping: "pay me directly, it is cheaper than on the platform".

Who: young people who buy online. One payment, small to medium, to a new person, off the platform:
a used phone, a concert ticket, a pet, a rented flat that does not exist. Some are then told to top
up: customs duty, a surety, "the parcel is held". Most episodes are over after one payment, and look
like any first purchase from a stranger.
"""

from typing import Final

from fanzha.domain.vocabulary import CustomerSegment, FraudType
from fanzha_training.simulate.period import EVENING
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.scripts.stage import Script, Stage


def _play(stage: Stage, start_ms: int) -> None:
    rng = stage.rng
    seller = stage.mule(start_ms)
    price = int(rng.lognormal(6.6, 0.9))
    round_price = max(1, price // 10) * 10 * YUAN
    goods = [remark(text) for text in ("", "", "货款", "定金", "购物", "二手", "押金")]
    stage.pays(start_ms, seller, amount_minor=round_price, remark=stage.word(*goods))
    time_ms = start_ms
    # 关税, 保证金, 运费: each promised to be the last.
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.55, 0.22, 0.14, 0.09]))):
        time_ms += stage.minutes(15, 600)
        surcharge = round_price * rng.uniform(0.3, 1.6)
        stage.pays(
            time_ms,
            seller if stage.chance(0.6) else stage.mule(time_ms),
            amount_minor=max(50, round(surcharge / (50 * YUAN)) * 50) * YUAN,
            remark=stage.word(remark(""), remark("保证金"), remark("税款"), remark("押金")),
        )


SCRIPT: Final = Script(
    fraud_type=FraudType.FAKE_SHOPPING,
    victims={
        CustomerSegment.STUDENT: 1.6,
        CustomerSegment.WORKER: 1.2,
        CustomerSegment.OTHER: 1.0,
        CustomerSegment.UNEMPLOYED: 1.0,
        CustomerSegment.CORPORATE_FINANCE: 0.8,
        CustomerSegment.SHOP_KEEPER: 0.8,
        CustomerSegment.RETIRED: 0.5,
    },
    ages={"18-40": 0.80, "41-65": 0.18, "66+": 0.02},
    hours=EVENING,
    free_days=1.3,
    days_before=0,
    play=_play,
)
