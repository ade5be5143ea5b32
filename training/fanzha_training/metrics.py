"""Figures that say how good a model is at the alert budgets that a bank can work off.

Area under the ROC curve and accuracy are no headline: where one transfer in ten thousand is fraud,
to allow everything is 99.99 % accurate.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from fanzha.domain.vocabulary import FraudType, word_of

BUDGETS_PER_1000: Final = (0.5, 1.0, 2.0, 5.0)
"""Alerts for each 1,000 transfers."""

_BINS = 10
_TYPE_BUDGET = 5.0


@dataclass(frozen=True, slots=True)
class Scored:
    """Labelled transfers with a model's margins, one entry each."""

    margin: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]
    """Calibrated to the data's own fraud rate, to be compared with what was observed."""
    label: npt.NDArray[np.int8]
    amount_minor: npt.NDArray[np.int64]
    fraud_type: npt.NDArray[np.int8]


def metrics_of(scored: Scored) -> dict[str, Any]:
    """Return the figures; the transfers must hold fraud and legitimate ones.

    `budgets` says for each budget how many alerts that is, and of them: `recall`, the share of
    frauds alerted; `value_detection_rate`, the share of the fraudulent money alerted;
    `false_per_true`, false alerts for each true one, None without a true one. The alerted are the
    transfers with the highest margins; among equal ones, the earlier.
    """
    fraud = scored.label == 1
    return {
        "transfers": len(fraud),
        "frauds": int(fraud.sum()),
        "fraud_minor": int(scored.amount_minor[fraud].sum()),
        "average_precision": float(average_precision_score(fraud, scored.margin)),
        "roc_auc": float(roc_auc_score(fraud, scored.margin)),
        "budgets": {f"{budget:g}": at_budget(scored, budget) for budget in BUDGETS_PER_1000},
        "calibration": calibration_of(scored),
        f"recall_by_type_at_{_TYPE_BUDGET:g}": _recall_by_type(scored),
    }


def at_budget(scored: Scored, per_1000: float) -> dict[str, Any]:
    """Return the figures at one alert budget."""
    fraud = scored.label == 1
    alerted = _alerted(scored, per_1000)
    hits = int(fraud[alerted].sum())
    value = scored.amount_minor[fraud].sum()
    caught = scored.amount_minor[alerted][fraud[alerted]].sum()
    return {
        "alerts": len(alerted),
        "recall": hits / int(fraud.sum()),
        "value_detection_rate": float(caught / value),
        "false_per_true": (len(alerted) - hits) / hits if hits else None,
    }


def _alerted(scored: Scored, per_1000: float) -> npt.NDArray[np.int64]:
    count = max(1, int(len(scored.label) * per_1000 / 1000))
    return np.argsort(-scored.margin, kind="stable")[:count]


def calibration_of(scored: Scored) -> dict[str, float]:
    """Return mean predicted and observed rate, and the expected calibration error over 10 bins.

    Bins hold equal numbers of expected frauds, not of transfers: nine of ten bins of equally many
    transfers would lie where nothing happens.
    """
    return {
        "mean_predicted": float(scored.probability.mean()),
        "observed_rate": float((scored.label == 1).mean()),
        "expected_calibration_error": float(
            sum(weight * abs(predicted - seen) for weight, predicted, seen in reliability(scored))
        ),
    }


def reliability(scored: Scored) -> list[tuple[float, float, float]]:
    """Return (share of transfers, mean predicted, observed rate) of the bins, from low to high."""
    order = np.argsort(scored.probability, kind="stable")
    predicted = scored.probability[order]
    fraud = (scored.label == 1)[order]
    expected = np.cumsum(predicted)
    bin_of = np.minimum((expected / expected[-1] * _BINS).astype(np.int64), _BINS - 1)
    return [
        (float(chosen.mean()), float(predicted[chosen].mean()), float(fraud[chosen].mean()))
        for chosen in (bin_of == number for number in range(_BINS))
        if chosen.any()
    ]


def _recall_by_type(scored: Scored) -> dict[str, Any]:
    fraud = scored.label == 1
    alerted = np.zeros(len(fraud), np.bool_)
    alerted[_alerted(scored, _TYPE_BUDGET)] = True
    return {
        word_of(FraudType(int(kind))): {
            "frauds": int((fraud & (scored.fraud_type == kind)).sum()),
            "recall": float(alerted[fraud & (scored.fraud_type == kind)].mean()),
        }
        for kind in np.unique(scored.fraud_type[fraud])
    }
