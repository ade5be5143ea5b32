"""Measures models on days that are later than everything they learned from."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import SetupError
from fanzha_training.dataset import DAY_MS, Dataset
from fanzha_training.metrics import Scored, metrics_of, weight_at
from fanzha_training.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Later:
    """Labelled transfers from a training cut on, as far as their labels are mature."""

    data: Dataset
    from_ms: int
    until_ms: int
    """Exclusive. Later transfers are labelled only if they are fraud, so they are left out."""

    def window(self) -> dict[str, str]:
        """Return the time range, ISO 8601 in UTC; the end is exclusive."""
        return {"from": iso_time(self.from_ms), "until": iso_time(self.until_ms)}


def iso_time(time_ms: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def later_than(dataset: Dataset, cut_ms: int) -> Later:
    """Return the transfers that models with this training cut can be measured on.

    Raises:
        SetupError: none are left, or all of them are fraud, or none is.

    """
    mature = dataset.meta.as_of_ms - round(dataset.meta.label_delay_days * DAY_MS) + 1
    until = min(mature, int(dataset.time_ms[-1]) + 1)
    chosen = (dataset.time_ms >= cut_ms) & (dataset.time_ms < until) & (dataset.label >= 0)
    label = dataset.label[chosen]
    if len(label) == 0 or label.min() == label.max():
        kinds = {0: "no transfer", 1: "only one kind of transfer"}[min(len(label), 1)]
        raise SetupError(
            f"the data set holds {kinds} between the training cut {iso_time(cut_ms)} and "
            f"{iso_time(until)}, until when its labels are mature; build it from later days, or "
            "train with a larger --test-share"
        )
    return Later(dataset.rows(chosen), cut_ms, until)


def scored_by(scorer: Scorer, data: Dataset, base_rate: float | None = None) -> Scored:
    """Return the transfers with the model's margins and probabilities.

    Args:
        scorer: the model.
        data: labelled transfers of both kinds.
        base_rate: true share of fraud, above 0 and below 1, that figures and probabilities are
            stated for; None: the data's own.

    """
    margin: npt.NDArray[np.float64] = scorer.margins(data.vectors)
    frauds = int((data.label == 1).sum())
    return Scored(
        margin=margin,
        probability=scorer.calibration.probability_at(margin, base_rate),
        label=data.label,
        amount_minor=data.amount_minor,
        fraud_type=data.fraud_type,
        legitimate_weight=weight_at(frauds, len(data) - frauds, base_rate),
    )


def evaluate(scorer: Scorer, later: Later, base_rate: float | None = None) -> dict[str, Any]:
    """Return a model's figures with the time range that they were measured on.

    `base_rate` is the share of fraud that they are stated for, None for the data's own.
    """
    return figures_of(scorer.label, later, scored_by(scorer, later.data, base_rate), base_rate)


def figures_of(label: str, later: Later, scored: Scored, base_rate: float | None) -> dict[str, Any]:
    """Return the figures of transfers that a model has scored already; see `evaluate`."""
    return {
        "model": label,
        "window": later.window(),
        "base_rate": base_rate,
        **metrics_of(scored),
    }
