import numpy as np
import pytest
from tests.training.learnable import a_dataset

from fanzha.domain.vocabulary import FraudType
from fanzha_training.dataset import Dataset
from fanzha_training.scorer import TypeScorer
from fanzha_training.type_metrics import type_metrics

A, B, C = FraudType.TASK_REBATE, FraudType.FAKE_LOAN, FraudType.ROMANCE


def frauds(dataset: Dataset, kinds: list[int]) -> Dataset:
    """Return a fraud of each kind; the first number of its vector is its place."""
    some = dataset.rows(np.arange(len(kinds)))
    some.label[:] = 1
    some.fraud_type[:] = kinds
    some.vectors[:, 0] = np.arange(len(kinds))
    return some


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return a_dataset(tmp_path_factory.mktemp("types") / "dataset.parquet", rows=300)


def test_figures_of_a_case_worked_by_hand(dataset: Dataset) -> None:
    """Twelve frauds of A, of which 9 are taken for A, 3 for B; two of C, which it does not know."""
    data = frauds(dataset, [A] * 12 + [C] * 2)
    says = np.log(np.array([[0.9, 0.1]] * 6 + [[0.6, 0.4]] * 3 + [[0.2, 0.8]] * 5))
    scorer = TypeScorer((A, B), lambda vectors: says[vectors[:, 0].astype(int)])

    found = type_metrics(scorer, data, sure=0.7)

    assert found["frauds"] == 14
    assert found["right"] == pytest.approx(9 / 14)
    assert found["right_among_three"] == pytest.approx(12 / 14)
    assert found["sure"] == pytest.approx(11 / 14)
    assert found["right_when_sure"] == pytest.approx(6 / 11)
    assert found["by_type"] == {
        "task_rebate": {"frauds": 12, "right": 0.75, "taken_for": {"fake_loan": 3}}
    }


def test_without_typed_frauds_nothing_is_said(dataset: Dataset) -> None:
    scorer = TypeScorer((A, B), lambda vectors: np.zeros((len(vectors), 2)))

    assert type_metrics(scorer, frauds(dataset, [0, 0]), sure=0.5) == {"frauds": 0}
