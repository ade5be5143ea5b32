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

BUDGETS_PER_1000: Final = (0.2, 0.5, 1.0, 5.0)
"""Alerts for each 1,000 transfers."""

_BINS = 10
_LEAST = 1e-300
"""In place of no expected fraud at all, so that one can divide."""
_TYPE_BUDGET = 5.0


@dataclass(frozen=True, slots=True)
class Scored:
    """Labelled transfers with a model's margins, one entry each."""

    margin: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]
    """Calibrated to the fraud rate that figures are stated for, to be compared with it."""
    label: npt.NDArray[np.int8]
    amount_minor: npt.NDArray[np.int64]
    fraud_type: npt.NDArray[np.int8]
    legitimate_weight: float = 1.0
    """How many legitimate transfers each one of the data stands for; see `weight_at`."""

    @property
    def weight(self) -> npt.NDArray[np.float64]:
        """How many transfers each one stands for: 1 for fraud."""
        return np.where(self.label == 1, 1.0, self.legitimate_weight)


def weight_at(frauds: float, legitimate: float, base_rate: float | None) -> float:
    """Return how many legitimate transfers each one must stand for, so that fraud has its share.

    weight = frauds ÷ legitimate × (1 − base rate) ÷ base rate: the odds in the data over the true
    odds (King & Zeng, 2001, "Logistic regression in rare events data").

    Args:
        frauds: number of frauds in the data.
        legitimate: number of the others, above 0.
        base_rate: true share of fraud among all transfers; None: the data hold it, the weight is 1.

    """
    return 1.0 if base_rate is None else frauds / legitimate * (1 - base_rate) / base_rate


def metrics_of(scored: Scored) -> dict[str, Any]:
    """Return the figures; the transfers must hold fraud and legitimate ones.

    All figures but `transfers`, `frauds` and `fraud_minor` count each transfer with its weight.
    `budgets` says for each budget how many `alerts` that is, and of them: `recall`, the share of
    frauds alerted; `value_detection_rate`, the share of the fraudulent money alerted;
    `false_per_true`, false alerts for each true one, None without a true one. The alerted are the
    transfers with the highest margins, as many as the budget has room for; those with equal margins
    are alerted together or not at all, as by a threshold.
    """
    fraud = scored.label == 1
    return {
        "transfers": len(fraud),
        "frauds": int(fraud.sum()),
        "fraud_minor": int(scored.amount_minor[fraud].sum()),
        "average_precision": float(
            average_precision_score(fraud, scored.margin, sample_weight=scored.weight)
        ),
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
    false = (len(alerted) - hits) * scored.legitimate_weight
    value = scored.amount_minor[fraud].sum()
    caught = scored.amount_minor[alerted][fraud[alerted]].sum()
    return {
        "alerts": round(hits + false),
        "recall": hits / int(fraud.sum()),
        "value_detection_rate": float(caught / value),
        "false_per_true": false / hits if hits else None,
    }


def _alerted(scored: Scored, per_1000: float) -> npt.NDArray[np.int64]:
    order = np.argsort(-scored.margin, kind="stable")
    used = np.cumsum(scored.weight[order])
    ends = tie_ends(scored.margin[order])
    fitting = ends[used[ends - 1] <= room_of(per_1000, used[-1])]
    return order[: fitting[-1]] if len(fitting) else order[:0]


def tie_ends(margin: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the lengths of all prefixes of sorted margins that a threshold can choose."""
    return np.append(np.flatnonzero(np.diff(margin)) + 1, len(margin))


def room_of(per_1000: float, transfers: float) -> float:
    """Return how many alerts a budget allows; sums of weights may round past it by a trifle."""
    return per_1000 / 1000 * transfers * (1 + 1e-9)


def calibration_of(scored: Scored) -> dict[str, float]:
    """Return mean predicted and observed rate, and the expected calibration error over 10 bins.

    Bins hold equal numbers of expected frauds, not of transfers: nine of ten bins of equally many
    transfers would lie where nothing happens.
    """
    weight = scored.weight
    return {
        "mean_predicted": float(np.average(scored.probability, weights=weight)),
        "observed_rate": float(np.average(scored.label == 1, weights=weight)),
        "expected_calibration_error": float(
            sum(share * abs(predicted - seen) for share, predicted, seen in reliability(scored))
        ),
    }


def reliability(scored: Scored) -> list[tuple[float, float, float]]:
    """Return (share of transfers, mean predicted, observed rate) of the bins, from low to high."""
    order = np.argsort(scored.probability, kind="stable")
    weight = scored.weight[order]
    predicted = scored.probability[order]
    fraud = (scored.label == 1)[order]
    bin_of = equal_fraud_bins(predicted, weight)
    return [
        (
            float(weight[chosen].sum() / weight.sum()),
            float(np.average(predicted[chosen], weights=weight[chosen])),
            float(np.average(fraud[chosen], weights=weight[chosen])),
        )
        for chosen in (bin_of == number for number in range(_BINS))
        if chosen.any()
    ]


def equal_fraud_bins(
    predicted: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return a bin, 0 to 9, for each of the sorted probabilities; each bin expects as many frauds.

    Args:
        predicted: probabilities, from low to high.
        weight: how many transfers each stands for.

    """
    expected = np.cumsum(predicted * weight)
    whole = max(float(expected[-1]), _LEAST)
    bins: npt.NDArray[np.int64] = (expected / whole * _BINS).astype(np.int64)
    return np.minimum(bins, _BINS - 1)


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
