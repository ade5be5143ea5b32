"""What plots show: precision and recall, catch by number of alerts, reliability, scores."""

from typing import Any, Final

import numpy as np
from sklearn.metrics import roc_auc_score

from fanzha.domain.points import POINTS_MAX
from fanzha_training.evaluation.bootstrap import as_json
from fanzha_training.evaluation.cases import Ints
from fanzha_training.evaluation.figures import RECALLS, Estimates, Plan, at_budgets
from fanzha_training.evaluation.measure import Draw, draw_of
from fanzha_training.evaluation.sample import Floats, Sample
from fanzha_training.metrics import equal_fraud_bins

ALERT_RATES: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0)
"""Alerts for each 1,000 transfers that the curve of catches is drawn at."""

_SCORE_BIN = 25


def precision_recall(estimates: Estimates) -> list[dict[str, Any]]:
    """Return the precision at each recall, with its interval."""
    told = estimates.told("precision")
    return [
        {"recall": float(recall), "precision": told.at(place)}
        for place, recall in enumerate(RECALLS)
    ]


def by_alerts(sample: Sample, plan: Plan) -> list[dict[str, Any]]:
    """Return what is caught at each alert rate, of all transfers."""
    draw = draw_of(sample, np.ones(sample.accounts))
    found = at_budgets(sample, draw, ALERT_RATES, plan.overall, plan.stop_rate)
    return [
        {"alerts_per_1000": rate}
        | {name: as_json(values[place, 0]) for name, values in found.items()}
        for place, rate in enumerate(ALERT_RATES)
    ]


def bin_cuts(sample: Sample) -> Ints:
    """Return the prefixes between which the bins of the reliability plot lie, from 0 to all."""
    draw = draw_of(sample, np.ones(sample.accounts))
    weight = _weight(sample, draw)
    rising = equal_fraud_bins(sample.probability[::-1], weight[::-1])
    edges = np.flatnonzero(np.diff(rising[::-1])) + 1
    # Equal probabilities share a bin.
    ends = sample.tie_ends[np.searchsorted(sample.tie_ends, edges)]
    return np.unique(np.concatenate([[0], ends, [len(sample)]])).astype(np.int64)


def _weight(sample: Sample, draw: Draw) -> Floats:
    return np.where(sample.fraud, 1.0, draw.weight)


def calibration(sample: Sample, plan: Plan, estimates: Estimates) -> dict[str, Any]:
    """Return mean predicted and observed rate, errors, and the bins with their intervals."""
    weight = _weight(sample, draw_of(sample, np.ones(sample.accounts)))
    starts = plan.cuts[:-1]
    shares = np.add.reduceat(weight, starts)
    predicted = np.add.reduceat(weight * sample.probability, starts) / shares
    shares /= weight.sum()
    frauds = np.add.reduceat(sample.fraud.astype(np.int64), starts)
    told = estimates.told("observed")
    gaps = np.abs(predicted - told.value)
    errors = np.square(sample.probability - sample.fraud)
    return {
        "mean_predicted": float(np.average(sample.probability, weights=weight)),
        "observed_rate": float(np.average(sample.fraud, weights=weight)),
        "expected_calibration_error": float(shares @ gaps),
        "brier_score": float(np.average(errors, weights=weight)),
        "bins": [
            {
                "share": float(shares[place]),
                "frauds": int(frauds[place]),
                "mean_predicted": float(predicted[place]),
                "observed_rate": told.at(place),
            }
            for place in reversed(range(len(starts)))
        ],
    }


def score_distribution(sample: Sample) -> list[dict[str, Any]]:
    """Return the share of frauds and of legitimate transfers in each step of 25 points."""
    steps = np.arange(0, POINTS_MAX + _SCORE_BIN, _SCORE_BIN)
    place = sample.points // _SCORE_BIN
    counts = {
        kind: np.bincount(place[sample.fraud == is_fraud], minlength=len(steps))
        for kind, is_fraud in (("frauds", True), ("legitimate", False))
    }
    return [
        {
            "points_from": int(step),
            **{kind: float(count[number] / count.sum()) for kind, count in counts.items()},
        }
        for number, step in enumerate(steps)
    ]


def roc_auc(sample: Sample) -> float:
    """Return the area under the ROC curve, for the appendix."""
    return float(roc_auc_score(sample.fraud, sample.margin))
