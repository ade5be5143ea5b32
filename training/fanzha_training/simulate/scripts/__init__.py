"""The scams, one script for each: how its victims are found, led and drained.

`SCRIPTS` lists them by the word of their FraudType; each file says at its head how the scam goes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fanzha_training.simulate.scripts import (
    fake_customer_service,
    fake_investment,
    impersonated_authority,
    task_rebate,
)
from fanzha_training.simulate.scripts.stage import Script
from fanzha_training.table import word_of

SCRIPTS: Final[Mapping[str, Script]] = MappingProxyType(
    {
        word_of(script.fraud_type): script
        for script in (
            task_rebate.SCRIPT,
            fake_investment.SCRIPT,
            fake_customer_service.SCRIPT,
            impersonated_authority.SCRIPT,
        )
    }
)
