import numpy as np
import pytest

from fanzha_training.metrics import Scored, at_budget, calibration_of, metrics_of, reliability


def scored(label: list[int], margin: list[float], amount: list[int] | None = None) -> Scored:
    rows = len(label)
    return Scored(
        margin=np.array(margin, np.float64),
        probability=1 / (1 + np.exp(-np.array(margin, np.float64))),
        label=np.array(label, np.int8),
        amount_minor=np.array(amount or [100] * rows),
        fraud_type=np.array(label, np.int8),
    )


class TestBudgets:
    """Recall, value detection rate and false positives at a number of alerts per 1,000."""

    def test_alerts_are_the_highest_margins_within_the_budget(self) -> None:
        label = [0] * 996 + [1, 1, 0, 1]
        amount = [50] * 996 + [700, 200, 50, 100]
        margin = [-5.0] * 996 + [3.0, 1.0, 2.0, 0.0]

        at = at_budget(scored(label, margin, amount), 3)

        assert at["alerts"] == 3
        assert at["recall"] == pytest.approx(2 / 3)
        assert at["value_detection_rate"] == pytest.approx(0.9)
        assert at["false_per_true"] == pytest.approx(0.5)

    def test_no_true_alert_has_no_ratio(self) -> None:
        at = at_budget(scored([1] + [0] * 999, [-9.0] + [0.0] * 999), 1)

        assert at["recall"] == 0
        assert at["false_per_true"] is None

    def test_equal_margins_do_not_flatter(self) -> None:
        at = at_budget(scored([0] * 999 + [1], [0.0] * 1000), 1)

        assert at["recall"] == 0

    def test_a_perfect_ranking_has_full_precision(self) -> None:
        figures = metrics_of(scored([0] * 998 + [1, 1], [-5.0] * 998 + [5.0, 6.0]))

        assert figures["average_precision"] == pytest.approx(1.0)
        assert figures["budgets"]["5"]["recall"] == 1
        assert figures["recall_by_type_at_5"]["task_rebate"] == {"frauds": 2, "recall": 1}


class TestCalibration:
    """Mean predicted against observed, and the expected calibration error."""

    def test_a_calibrated_model_has_hardly_any_error(self) -> None:
        rng = np.random.default_rng(1)
        margin = rng.normal(-4, 2, 200_000)
        label = rng.random(200_000) < 1 / (1 + np.exp(-margin))

        found = calibration_of(scored(label.astype(int).tolist(), margin.tolist()))

        assert found["mean_predicted"] == pytest.approx(found["observed_rate"], rel=0.03)
        assert found["expected_calibration_error"] < 0.002

    def test_a_model_that_is_too_sure_has_error(self) -> None:
        rng = np.random.default_rng(1)
        margin = rng.normal(-4, 2, 50_000)
        label = rng.random(50_000) < 1 / (1 + np.exp(-margin + 2))

        found = calibration_of(scored(label.astype(int).tolist(), margin.tolist()))

        assert found["expected_calibration_error"] > 0.02

    def test_bins_cover_all_transfers_once(self) -> None:
        rng = np.random.default_rng(2)
        margin = rng.normal(-4, 2, 5000)

        bins = reliability(scored((margin > 0).astype(int).tolist(), margin.tolist()))

        assert sum(share for share, _, _ in bins) == pytest.approx(1)
        assert [predicted for _, predicted, _ in bins] == sorted(x for _, x, _ in bins)
