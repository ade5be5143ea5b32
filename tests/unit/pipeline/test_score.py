"""What is no number is no score."""

import math
from dataclasses import replace
from datetime import UTC
from typing import Any

import numpy as np
import pytest
from tests.decision_inputs import a_score, a_transfer, an_evidence

from fanzha.domain.decision import HeadScore, Score
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import TransferKind
from fanzha.pipeline.score import score

MULE = HeadScore(1.0, 0.7, 800)
NOT_A_NUMBER = HeadScore(math.nan, math.nan, 0)


class Says:
    def __init__(self, says: Score) -> None:
        self._says = says

    def score(self, vector: np.ndarray) -> Score:
        return self._says


def told(transfer: Transfer) -> Score | None:
    model: Any = Says(replace(a_score(600), payee_mule=MULE, payer_mule=MULE))
    return score(transfer, an_evidence(), model, UTC)[0].score


def test_all_answers_are_told() -> None:
    says = told(a_transfer())

    assert says is not None
    assert (says.payee_mule, says.payer_mule) == (MULE, MULE)


def test_nothing_is_said_of_a_payee_there_is_not() -> None:
    says = told(a_transfer(kind=TransferKind.CASH_WITHDRAWAL, has_payee=False))

    assert says is not None
    assert (says.payee_mule, says.payer_mule) == (None, MULE)


@pytest.mark.parametrize("margin", [math.nan, math.inf, -math.inf])
def test_a_margin_that_is_no_number_is_no_score(margin: float) -> None:
    says = replace(a_score(600), margin=margin)
    model: Any = Says(says)

    assert score(a_transfer(), an_evidence(), model, UTC)[0].score is None


@pytest.mark.parametrize("head", ["payee_mule", "payer_mule"])
def test_a_head_that_is_no_number_leaves_the_others(head: str) -> None:
    both = {"payee_mule": MULE, "payer_mule": MULE} | {head: NOT_A_NUMBER}
    model: Any = Says(replace(a_score(600), **both))

    says = score(a_transfer(), an_evidence(), model, UTC)[0].score

    assert says is not None
    assert getattr(says, head) is None
    assert [says.payee_mule, says.payer_mule].count(MULE) == 1
