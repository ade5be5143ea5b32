"""The scams, one script for each: how its victims are found, led and drained.

`SCRIPTS` lists them by the word of their FraudType; each file says at its head how the scam goes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fanzha.domain.vocabulary import word_of
from fanzha_training.simulate.scripts import (
    cash_or_gold_handover,
    fake_credit_repair,
    fake_customer_service,
    fake_investment,
    fake_loan,
    fake_shopping,
    game_trade,
    impersonated_acquaintance,
    impersonated_authority,
    romance,
    sextortion,
    task_rebate,
    ticket_refund,
)
from fanzha_training.simulate.scripts.stage import Script

SCRIPTS: Final[Mapping[str, Script]] = MappingProxyType(
    {
        word_of(script.fraud_type): script
        for script in (
            task_rebate.SCRIPT,
            fake_investment.SCRIPT,
            fake_shopping.SCRIPT,
            fake_customer_service.SCRIPT,
            fake_loan.SCRIPT,
            fake_credit_repair.SCRIPT,
            impersonated_acquaintance.SCRIPT,
            impersonated_authority.SCRIPT,
            romance.SCRIPT,
            game_trade.SCRIPT,
            ticket_refund.SCRIPT,
            sextortion.SCRIPT,
            cash_or_gold_handover.SCRIPT,
        )
    }
)
