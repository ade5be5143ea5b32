"""What each family of features adds: models that never see it, and models that see nothing else.

Families overlap: what one tells, others tell in part. So a family's loss when it is taken away is
small where others stand in for it, and its worth alone says what it would carry by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from fanzha.features.manifest import FEATURES
from fanzha_training.dataset import Dataset
from fanzha_training.evaluate import later_than
from fanzha_training.grow import TrainOptions, grow, margins
from fanzha_training.one_machine import one_machine

FAMILIES: Final = tuple(dict.fromkeys(feature.family for feature in FEATURES))

Tell = Callable[[int, int], None]
"""Told how many models are trained, of how many."""
Mask = npt.NDArray[np.bool_]


def ablate(datasets: Sequence[Dataset], options: TrainOptions, tell: Tell) -> dict[str, Any]:
    """Return the average precision on later days that each family costs, and has alone.

    Args:
        datasets: worlds apart from each other; one tells little of chance. Differences are taken
            within a world.
        options: how every model is trained.
        tell: progress.

    Raises:
        SetupError: a data set cannot be learned from or measured on.

    """
    total = len(datasets) * (1 + 2 * len(FAMILIES))
    done = 0

    def measured(dataset: Dataset, hidden: Mask) -> float:
        nonlocal done
        precision = _precision(hiding(dataset, hidden), options)
        done += 1
        tell(done, total)
        return precision

    everything = [measured(dataset, np.zeros(len(FEATURES), np.bool_)) for dataset in datasets]
    families = {}
    for family in FAMILIES:
        own = of_family(family)
        without = [measured(dataset, own) for dataset in datasets]
        alone = [measured(dataset, ~own) for dataset in datasets]
        lost = [whole - rest for whole, rest in zip(everything, without, strict=True)]
        families[family] = {
            "features": int(own.sum()),
            "lost_without": _summary(lost),
            "alone": _summary(alone),
        }
    return {
        "datasets": len(datasets),
        "transfers": sum(len(dataset) for dataset in datasets),
        "frauds": sum(int((dataset.label == 1).sum()) for dataset in datasets),
        "all": {"features": len(FEATURES), "average_precision": _summary(everything)},
        "families": families,
    }


def of_family(family: str) -> Mask:
    """Say which features belong to a family, bool (features,)."""
    return np.array([feature.family == family for feature in FEATURES])


def hiding(dataset: Dataset, hidden: Mask) -> Dataset:
    """Return the data set with some features unknown everywhere."""
    vectors = dataset.vectors.copy()
    vectors[:, hidden] = np.nan
    return replace(dataset, stored_vectors=vectors)


def _precision(dataset: Dataset, options: TrainOptions) -> float:
    # Not calibrated: a family that tells nothing alone leaves nothing to calibrate.
    with one_machine() as machine:
        grown = grow(dataset, options, lambda _done, _total: None, machine)
    later = later_than(dataset, grown.split.times.cut_ms).data
    return float(average_precision_score(later.label == 1, margins(grown.booster, later.vectors)))


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "mean": round(float(np.mean(values)), 4),
        "least": round(min(values), 4),
        "most": round(max(values), 4),
    }
