"""Trains a gradient-boosted tree model on one thread, so that the same data give the same bytes."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from fanzha.domain.errors import SetupError
from fanzha_training.augment import with_missing_history
from fanzha_training.calibrate import Calibration, calibrate
from fanzha_training.dataset import Dataset
from fanzha_training.split import Part, Shares, Split, split_by_time

THREADS: Final = 1
"""More threads would add up histograms in changing order, and so give changing trees."""

Progress = Callable[[int, int], None]
"""Told how many trees are grown, of at most how many."""

_SAMPLE_ROWS = 128
_TUNING_FRAUDS_MIN = 5
"""With fewer, chance would decide where growing stops; then as many trees grow as allowed."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train."""

    command: str
    seed: int = 7
    delay_days: float | None = None
    """Label delay in days; None: the one that the data set was labelled with."""
    base_rate: float | None = None
    """True share of fraud among all transfers; None: that of the calibration days."""
    shares: Shares = field(default_factory=Shares)
    augment_share: float = 0.1
    """Share of the training rows that is repeated without history, for each kind of outage."""
    trees_max: int = 400
    patience: int = 30
    """Growing stops after so many trees that made the tuning days no better."""
    depth: int = 6
    learning_rate: float = 0.05
    min_child_weight: float = 1.0
    subsample: float = 1.0
    """Share of the rows, drawn anew by the seed for each tree."""
    colsample: float = 1.0
    """Share of the features, drawn anew by the seed for each tree."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model, in memory."""

    booster: xgb.Booster
    calibration: Calibration
    sample: npt.NDArray[np.float32]
    """Vectors of the calibration days that the export is proved with, float32 (rows, features)."""
    record: dict[str, Any]
    """Everything needed to train it again; goes to `training.json`."""


@dataclass(frozen=True, slots=True)
class Grown:
    """Trees, and what they were grown from."""

    booster: xgb.Booster
    split: Split
    trees: int
    tree_count_tuned: bool
    parameters: dict[str, Any]
    delay_days: float
    randomness: np.random.Generator


def grow(dataset: Dataset, options: TrainOptions, progress: Progress) -> Grown:
    """Grow trees on the earlier days of a data set.

    The number of trees is found by early stopping on the last days of the training time; then the
    model is grown again with that number on all of it. So there is no tree beyond the best one in
    the booster, and the newest training days are not lost.

    Raises:
        SetupError: an option is out of range, or the data set cannot be learned from.

    """
    _check(options)
    delay_days = options.delay_days
    if delay_days is None:
        delay_days = dataset.meta.label_delay_days
    split = split_by_time(dataset, delay_days, options.shares)
    parameters = parameters_of(options, split.fit)
    randomness = np.random.default_rng(options.seed)

    fit = _matrix(split.fit, options.augment_share, randomness)
    trees, tuned = _best_tree_count(parameters, fit, split, options, progress)
    everything = Part(
        np.concatenate([split.fit.vectors, split.tune.vectors]),
        np.concatenate([split.fit.label, split.tune.label]),
    )
    matrix = _matrix(everything, options.augment_share, randomness)
    booster = grow_trees(parameters, matrix, trees, progress)
    return Grown(booster, split, trees, tuned, parameters, delay_days, randomness)


def grow_trees(
    parameters: dict[str, Any], matrix: xgb.DMatrix, trees: int, progress: Progress
) -> xgb.Booster:
    """Grow a number of trees, with parameters of `parameters_of`."""
    return xgb.train(parameters, matrix, num_boost_round=trees, callbacks=[_Told(progress, trees)])


def train(dataset: Dataset, options: TrainOptions, progress: Progress) -> Trained:
    """Train on the earlier days of a data set and calibrate on later ones.

    Raises:
        SetupError: an option is out of range, the data set cannot be learned from, or nothing was
            learned that holds later.

    """
    grown = grow(dataset, options, progress)
    booster, split = grown.booster, grown.split
    calibration = calibrate(
        margins(booster, split.calibration.vectors), split.calibration.label, options.base_rate
    )
    record = {
        "command": options.command,
        "seed": options.seed,
        "threads": THREADS,
        "parameters": grown.parameters,
        "trees": grown.trees,
        "tree_count_tuned": grown.tree_count_tuned,
        "augment_share": options.augment_share,
        "delay_days": grown.delay_days,
        "times": asdict(split.times),
        "calibration": asdict(calibration),
        "rows": _counts(split),
        "frauds_unknown_in_time": split.frauds_unknown_in_time,
        "data": asdict(dataset.meta) | {"fingerprint": dataset.fingerprint(), "rows": len(dataset)},
    }
    return Trained(booster, calibration, _sample(split.calibration, grown.randomness), record)


def margins(booster: xgb.Booster, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return XGBoost's raw margins of vectors float32 (rows, features), as float64 (rows,)."""
    matrix = xgb.DMatrix(vectors, missing=np.nan, nthread=THREADS)
    booster.set_param({"nthread": THREADS})
    predicted: npt.NDArray[np.float32] = booster.predict(matrix, output_margin=True)
    return predicted.astype(np.float64)


class _Told(xgb.callback.TrainingCallback):
    def __init__(self, progress: Progress, total: int) -> None:
        super().__init__()
        self._progress = progress
        self._total = total

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401
        """Tell how many trees there are; never stop."""
        del model, evals_log
        self._progress(epoch + 1, self._total)
        return False


def _check(options: TrainOptions) -> None:
    ranges = (
        ("--trees", options.trees_max, 1, 10_000),
        ("--depth", options.depth, 1, 12),
        ("--learning-rate", options.learning_rate, 0.001, 1),
        ("the share of rows for each tree", options.subsample, 0.01, 1),
        ("the share of features for each tree", options.colsample, 0.01, 1),
        ("--augment-share", options.augment_share, 0, 1),
        ("--seed", options.seed, 0, 2**31 - 1),
        ("--delay-days", options.delay_days or 0, 0, 365),
    )
    wrong = [
        f"{name} is {value:g}, it must be {low:g} to {high:g}"
        for name, value, low, high in ranges
        if not low <= value <= high
    ]
    if wrong:
        raise SetupError("; ".join(wrong))


def parameters_of(options: TrainOptions, part: Part) -> dict[str, Any]:
    """Return XGBoost's parameters for trees that begin at a part's share of fraud."""
    return {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": options.depth,
        "eta": options.learning_rate,
        "min_child_weight": options.min_child_weight,
        "subsample": options.subsample,
        "colsample_bytree": options.colsample,
        # Stated, because XGBoost would otherwise estimate it.
        "base_score": part.frauds / len(part.label),
        "eval_metric": "logloss",
        "nthread": THREADS,
        "seed": options.seed,
    }


def _best_tree_count(
    parameters: dict[str, Any],
    fit: xgb.DMatrix,
    split: Split,
    options: TrainOptions,
    progress: Progress,
) -> tuple[int, bool]:
    """Return how many trees to grow, and whether the tuning days could say it."""
    if split.tune.frauds < _TUNING_FRAUDS_MIN:
        return options.trees_max, False
    tune = _matrix(split.tune, 0, np.random.default_rng(0))
    stop = xgb.callback.EarlyStopping(rounds=options.patience, metric_name="logloss")
    booster = xgb.train(
        parameters,
        fit,
        num_boost_round=options.trees_max,
        evals=[(tune, "tune")],
        callbacks=[stop, _Told(progress, options.trees_max)],
        verbose_eval=False,
    )
    return booster.best_iteration + 1, True


def _matrix(part: Part, augment_share: float, randomness: np.random.Generator) -> xgb.DMatrix:
    vectors, label = with_missing_history(
        part.vectors, part.label, share=augment_share, randomness=randomness
    )
    return xgb.DMatrix(vectors, label=label, missing=np.nan, nthread=THREADS)


def _counts(split: Split) -> dict[str, dict[str, int]]:
    parts = {"fit": split.fit, "tune": split.tune, "calibration": split.calibration}
    return {
        name: {"transfers": len(part.label), "frauds": part.frauds} for name, part in parts.items()
    }


def _sample(part: Part, randomness: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return some vectors of the part, a quarter of them fraud if there is so much."""
    fraud, rest = np.flatnonzero(part.label == 1), np.flatnonzero(part.label == 0)
    some = randomness.permutation(fraud)[: _SAMPLE_ROWS // 4]
    others = randomness.permutation(rest)[: _SAMPLE_ROWS - len(some)]
    chosen: npt.NDArray[np.float32] = part.vectors[np.sort(np.concatenate([some, others]))]
    return chosen
