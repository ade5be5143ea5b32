"""What customer and bank do after a decision: pay or not, report it, and sometimes an outcome.

An ALLOW is paid. At a CONFIRM the customer goes on or gives up. What is held or refused does not
leave, and neither does what this client does not understand (it counts as PAUSE).
"""

import random
import time
from typing import Final

from fanzha.v1 import outcomes_pb2 as wire
from fanzha.v1.scoring_pb2 import Decision, ScoreTransferResponse
from fanzha_loadtest.customers import GO_ON_AFTER_CONFIRM, INSIST_AFTER_CONFIRM

EXECUTION: Final = "/fanzha.v1.OutcomeService/ReportExecution"
OUTCOME: Final = "/fanzha.v1.OutcomeService/RecordOutcome"
WORDS: Final = {
    Decision.DECISION_ALLOW: "allow",
    Decision.DECISION_CONFIRM: "confirm",
    Decision.DECISION_PAUSE: "pause",
    Decision.DECISION_BLOCK: "block",
}
"""Words of the decisions, from mild to severe."""


def word_of(response: ScoreTransferResponse) -> str:
    """Return the word of a decision; "other" for one that this client does not know."""
    return WORDS.get(response.decision, "other")


def leaves(response: ScoreTransferResponse, rng: random.Random, *, is_fraud: bool) -> bool:
    """Return whether the money leaves."""
    if response.decision == Decision.DECISION_ALLOW:
        return True
    if response.decision == Decision.DECISION_CONFIRM:
        return rng.random() < (INSIST_AFTER_CONFIRM if is_fraud else GO_ON_AFTER_CONFIRM)
    return False


def execution_of(response: ScoreTransferResponse, *, left: bool) -> wire.ReportExecutionRequest:
    """Return what the bank reports of the money."""
    report = wire.ReportExecutionRequest(
        decision_id=response.decision_id,
        status=wire.EXECUTION_STATUS_POSTED if left else wire.EXECUTION_STATUS_FAILED,
    )
    report.execute_time.FromMilliseconds(time.time_ns() // 1_000_000)
    return report


def outcome_of(
    response: ScoreTransferResponse, *, left: bool, is_fraud: bool
) -> wire.RecordOutcomeRequest:
    """Return what somebody states about the transfer later."""
    if is_fraud and left:
        kind, source = wire.OUTCOME_TYPE_CONFIRMED_FRAUD, wire.OUTCOME_SOURCE_POLICE
    elif not left:
        kind, source = wire.OUTCOME_TYPE_CUSTOMER_CANCELLED, wire.OUTCOME_SOURCE_CHANNEL
    elif response.decision == Decision.DECISION_CONFIRM:
        kind, source = wire.OUTCOME_TYPE_CUSTOMER_INSISTED, wire.OUTCOME_SOURCE_CHANNEL
    else:
        kind, source = wire.OUTCOME_TYPE_CONFIRMED_LEGITIMATE, wire.OUTCOME_SOURCE_BANK_REVIEW
    outcome = wire.Outcome(
        outcome_id=f"o-{response.decision_id}",
        decision_id=response.decision_id,
        type=kind,
        source=source,
    )
    outcome.report_time.FromMilliseconds(time.time_ns() // 1_000_000)
    return wire.RecordOutcomeRequest(outcome=outcome)
