"""Measures models on days that are later than everything they learned from."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import SetupError
from fanzha_training.dataset import DAY_MS, Dataset
from fanzha_training.metrics import Scored, metrics_of
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


def scored_by(scorer: Scorer, data: Dataset) -> Scored:
    """Return the transfers with the model's margins and probabilities."""
    margin: npt.NDArray[np.float64] = scorer.margins(data.vectors)
    return Scored(
        margin=margin,
        probability=scorer.calibration.probability_in_data(margin),
        label=data.label,
        amount_minor=data.amount_minor,
        fraud_type=data.fraud_type,
    )


def evaluate(scorer: Scorer, later: Later) -> dict[str, Any]:
    """Return a model's figures with the time range that they were measured on."""
    return {
        "model": scorer.label,
        "window": later.window(),
        **metrics_of(scored_by(scorer, later.data)),
    }
