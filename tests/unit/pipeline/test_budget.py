"""How long one answer may take."""

import pytest

from fanzha.domain.errors import DeadlinePassedError
from fanzha.pipeline.budget import Budget, Budgets

BUDGETS = Budgets(0.050, lambda: 100.0)


def test_an_answer_has_the_whole_budget_and_reading_a_share_of_it() -> None:
    assert BUDGETS.begin(None) == Budget(100.025, 100.05)


def test_an_earlier_deadline_of_the_client_counts() -> None:
    assert BUDGETS.begin(0.02) == Budget(100.01, 100.02)


def test_a_later_deadline_of_the_client_does_not() -> None:
    assert BUDGETS.begin(10.0) == BUDGETS.begin(None)


@pytest.mark.parametrize("left_s", [0.0, -0.001])
def test_nothing_is_begun_for_a_client_that_waits_no_longer(left_s: float) -> None:
    with pytest.raises(DeadlinePassedError):
        BUDGETS.begin(left_s)
