import pytest
from tests.unit.loadtest.rows import NOON_MS, a_row

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import scoring_pb2 as scoring
from fanzha_loadtest.customers import (
    GO_ON_AFTER_CONFIRM,
    INSIST_AFTER_CONFIRM,
    INSIST_AFTER_PAUSE,
    aftermath,
)

HOLD_MS = 24 * 3_600_000


def an_answer(decision: scoring.Decision.ValueType) -> scoring.ScoreTransferResponse:
    answer = scoring.ScoreTransferResponse(decision_id="0" * 26, decision=decision)
    if decision == scoring.DECISION_PAUSE:
        answer.hold_until_time.FromMilliseconds(NOON_MS + HOLD_MS)
    return answer


@pytest.mark.parametrize(
    ("execution", "status"),
    [
        ("posted", outcomes.EXECUTION_STATUS_POSTED),
        ("failed", outcomes.EXECUTION_STATUS_FAILED),
        ("reversed", outcomes.EXECUTION_STATUS_REVERSED),
    ],
)
def test_what_is_allowed_goes_as_the_table_says(
    execution: str, status: outcomes.ExecutionStatus.ValueType
) -> None:
    after = aftermath(a_row(execution=execution), an_answer(scoring.DECISION_ALLOW), seed=1)

    assert (after.status, after.time_ms) == (status, NOON_MS + 3_000)
    assert after.outcome == outcomes.OUTCOME_TYPE_UNSPECIFIED


def test_of_what_is_blocked_no_money_is_reported() -> None:
    after = aftermath(a_row(), an_answer(scoring.DECISION_BLOCK), seed=1)

    assert after.status == outcomes.EXECUTION_STATUS_UNSPECIFIED
    assert not after.money_left


@pytest.mark.parametrize(
    ("is_fraud", "decision", "share"),
    [
        (False, scoring.DECISION_CONFIRM, GO_ON_AFTER_CONFIRM),
        (True, scoring.DECISION_CONFIRM, INSIST_AFTER_CONFIRM),
        (True, scoring.DECISION_PAUSE, INSIST_AFTER_PAUSE),
    ],
)
def test_a_stated_share_goes_on_after_a_prompt(
    *, is_fraud: bool, decision: scoring.Decision.ValueType, share: float
) -> None:
    rows = [a_row(request_id=f"r-{number}", is_fraud=is_fraud) for number in range(2_000)]

    left = sum(aftermath(row, an_answer(decision), seed=1).money_left for row in rows)

    assert left / len(rows) == pytest.approx(share, abs=0.04)


def test_money_that_was_held_leaves_when_the_hold_ends() -> None:
    rows = [a_row(request_id=f"r-{number}") for number in range(100)]

    released = [
        after
        for row in rows
        if (after := aftermath(row, an_answer(scoring.DECISION_PAUSE), seed=1)).money_left
    ]

    assert {after.time_ms for after in released} == {NOON_MS + HOLD_MS}
    assert {after.outcome for after in released} == {outcomes.OUTCOME_TYPE_CONFIRMED_LEGITIMATE}


def test_the_same_seed_gives_the_same_behaviour() -> None:
    rows = [a_row(request_id=f"r-{number}", is_fraud=True) for number in range(50)]
    confirm = an_answer(scoring.DECISION_CONFIRM)

    first = [aftermath(row, confirm, seed=1) for row in rows]

    assert [aftermath(row, confirm, seed=1) for row in rows] == first
    assert [aftermath(row, confirm, seed=2) for row in rows] != first
