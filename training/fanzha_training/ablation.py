"""What each family of features adds: models that never see it, against the one that sees all.

A family that costs nothing when it is taken away is not worth its microseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from fanzha.features.manifest import FEATURES
from fanzha_training.dataset import Dataset
from fanzha_training.evaluate import later_than
from fanzha_training.metrics import Scored, metrics_of
from fanzha_training.train import TrainOptions, margins, train

FAMILIES: Final = tuple(dict.fromkeys(feature.family for feature in FEATURES))
NOTHING: Final = "nothing"
"""Stands for the family left out where none is."""

Tell = Callable[[int, int], None]
"""Told how many models are trained, of how many."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one model on the days after its training."""

    average_precision: float
    value_detection_at_1: float
    recall_at_5: float


def ablate(datasets: Sequence[Dataset], options: TrainOptions, tell: Tell) -> dict[str, Any]:
    """Return for each family what models without it lose, over several data sets.

    Args:
        datasets: worlds apart from each other; one tells little of chance.
        options: how every model is trained.
        tell: progress.

    Raises:
        SetupError: a data set cannot be learned from or measured on.

    """
    left_out = (NOTHING, *FAMILIES)
    found: dict[str, list[Figures]] = {family: [] for family in left_out}
    done = 0
    for dataset in datasets:
        for family in left_out:
            found[family].append(_measured(without(dataset, family), options))
            done += 1
            tell(done, len(datasets) * len(left_out))
    return {
        "datasets": len(datasets),
        "transfers": sum(len(dataset) for dataset in datasets),
        "frauds": sum(int((dataset.label == 1).sum()) for dataset in datasets),
        "features": {family: _count(family) for family in left_out},
        "without": {family: _summary(figures) for family, figures in found.items()},
    }


def without(dataset: Dataset, family: str) -> Dataset:
    """Return the data set with all features of a family unknown."""
    columns = [place for place, feature in enumerate(FEATURES) if feature.family == family]
    vectors = dataset.vectors.copy()
    vectors[:, columns] = np.nan
    return replace(dataset, vectors=vectors)


def _measured(dataset: Dataset, options: TrainOptions) -> Figures:
    trained = train(dataset, options, lambda _done, _total: None)
    later = later_than(dataset, trained.record["times"]["cut_ms"]).data
    margin = margins(trained.booster, later.vectors)
    scored = Scored(
        margin=margin,
        probability=trained.calibration.probability_in_data(margin),
        label=later.label,
        amount_minor=later.amount_minor,
        fraud_type=later.fraud_type,
    )
    figures = metrics_of(scored)
    return Figures(
        average_precision=figures["average_precision"],
        value_detection_at_1=figures["budgets"]["1"]["value_detection_rate"],
        recall_at_5=figures["budgets"]["5"]["recall"],
    )


def _count(family: str) -> int:
    if family == NOTHING:
        return len(FEATURES)
    return sum(feature.family == family for feature in FEATURES)


def _summary(figures: list[Figures]) -> dict[str, dict[str, float]]:
    """Return mean, least and most of each figure."""
    summary = {}
    for name in Figures.__dataclass_fields__:
        values = [float(getattr(figure, name)) for figure in figures]
        summary[name] = {
            "mean": round(float(np.mean(values)), 4),
            "least": round(min(values), 4),
            "most": round(max(values), 4),
        }
    return summary
