"""What simulated customers do after a decision, and what the bank then reports about it.

In the world's tables only a bank's old, rare warnings stand in between. Here people answer to every
decision: most honest payers go on after a prompt, victims are warned off in part, and what was held
is mostly given up.
"""

import zlib
from dataclasses import dataclass
from typing import Final

from fanzha.v1.outcomes_pb2 import ExecutionStatus, OutcomeSource, OutcomeType
from fanzha.v1.scoring_pb2 import Decision, ScoreTransferResponse
from fanzha_loadtest.requests import Row

GO_ON_AFTER_CONFIRM: Final = 0.92
"""Share of honest payers who read the prompt, answer and pay."""
INSIST_AFTER_CONFIRM: Final = 0.60
"""Share of victims who pay in spite of the prompt: the scammer has told them what to answer."""
WAIT_AFTER_PAUSE: Final = 0.35
"""Share of honest payers who wait until the review releases the money; the others give it up."""
INSIST_AFTER_PAUSE: Final = 0.15
"""Share of victims who refuse the advice and have the money released after the hold."""

_STATUSES: Final = {
    "posted": ExecutionStatus.EXECUTION_STATUS_POSTED,
    "failed": ExecutionStatus.EXECUTION_STATUS_FAILED,
    "reversed": ExecutionStatus.EXECUTION_STATUS_REVERSED,
}
_STAFFED: Final = frozenset({"counter", "smart_teller"})
_GIVING_UP_MS: Final = 90_000
"""So long a customer looks at a prompt before giving up."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What follows one decision."""

    status: "ExecutionStatus.ValueType"
    """What the bank reports of the money; UNSPECIFIED: nothing."""
    time_ms: int
    """When, milliseconds since 1970 UTC."""
    outcome: "OutcomeType.ValueType"
    """What the channel or the review records at that time; UNSPECIFIED: nothing."""
    source: "OutcomeSource.ValueType"

    @property
    def money_left(self) -> bool:
        """Whether the payee got the money, for however long."""
        return self.status in {
            ExecutionStatus.EXECUTION_STATUS_POSTED,
            ExecutionStatus.EXECUTION_STATUS_REVERSED,
        }


def aftermath(row: Row, response: ScoreTransferResponse, seed: int) -> Aftermath:
    """Return what follows a decision about a row of the table; the same for the same seed."""
    decision = response.decision
    if decision == Decision.DECISION_ALLOW:
        return _as_in_the_table(row, row["execution_time_ms"])
    if decision == Decision.DECISION_CONFIRM:
        return _after_confirm(row, seed)
    if decision == Decision.DECISION_BLOCK:
        return Aftermath(
            ExecutionStatus.EXECUTION_STATUS_UNSPECIFIED,
            row["time_ms"],
            OutcomeType.OUTCOME_TYPE_UNSPECIFIED,
            OutcomeSource.OUTCOME_SOURCE_UNSPECIFIED,
        )
    # PAUSE, and what a client does not know.
    return _after_pause(row, response.hold_until_time.ToMilliseconds() or row["time_ms"], seed)


def _after_confirm(row: Row, seed: int) -> Aftermath:
    go_on = INSIST_AFTER_CONFIRM if row["is_fraud"] else GO_ON_AFTER_CONFIRM
    if _draw(row, seed) >= go_on:
        return _given_up(row)
    insisted = OutcomeType.OUTCOME_TYPE_CUSTOMER_INSISTED
    by_itself = OutcomeSource.OUTCOME_SOURCE_CHANNEL
    return _as_in_the_table(row, row["execution_time_ms"], insisted, by_itself)


def _after_pause(row: Row, released_ms: int, seed: int) -> Aftermath:
    go_on = INSIST_AFTER_PAUSE if row["is_fraud"] else WAIT_AFTER_PAUSE
    if _draw(row, seed) >= go_on:
        return _given_up(row)
    found = OutcomeType.OUTCOME_TYPE_CONFIRMED_LEGITIMATE
    if row["is_fraud"]:
        found = OutcomeType.OUTCOME_TYPE_VICTIM_REFUSED_ADVICE
    elif row["is_mule_flow"]:
        found = OutcomeType.OUTCOME_TYPE_UNKNOWN
    return _as_in_the_table(row, released_ms, found, OutcomeSource.OUTCOME_SOURCE_BANK_REVIEW)


def _as_in_the_table(
    row: Row,
    time_ms: int,
    outcome: "OutcomeType.ValueType" = OutcomeType.OUTCOME_TYPE_UNSPECIFIED,
    source: "OutcomeSource.ValueType" = OutcomeSource.OUTCOME_SOURCE_UNSPECIFIED,
) -> Aftermath:
    return Aftermath(_STATUSES[row["execution"]], time_ms, outcome, source)


def _given_up(row: Row) -> Aftermath:
    staffed = row["channel"] in _STAFFED
    return Aftermath(
        ExecutionStatus.EXECUTION_STATUS_FAILED,
        row["time_ms"] + _GIVING_UP_MS,
        OutcomeType.OUTCOME_TYPE_STOPPED_BY_TELLER
        if staffed and row["is_fraud"]
        else OutcomeType.OUTCOME_TYPE_CUSTOMER_CANCELLED,
        OutcomeSource.OUTCOME_SOURCE_TELLER if staffed else OutcomeSource.OUTCOME_SOURCE_CHANNEL,
    )


def _draw(row: Row, seed: int) -> float:
    """Return a number in [0, 1) that depends on the attempt and the seed alone, not on threads."""
    return zlib.crc32(f"{seed}:{row['request_id']}".encode()) / 2**32
