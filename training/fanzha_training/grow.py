"""Grows gradient-boosted trees on one thread, so that the same data give the same bytes."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from fanzha.domain.errors import SetupError
from fanzha.features.manifest import FEATURES
from fanzha_training.augment import with_missing_history
from fanzha_training.dataset import Dataset
from fanzha_training.matrix import THREADS, Layer
from fanzha_training.one_machine import METRIC, Machines, Progress
from fanzha_training.split import Part, Shares, Split, joined, split_by_time
from fanzha_training.vectors import AnyVectors, batches_of

_TUNING_FRAUDS_MIN = 5
"""With fewer, chance would decide where growing stops; then as many trees grow as allowed."""

_STEP_MAX = 5.0
"""Limit of a leaf's value before the learning rate, where steps without limit miss the goal.

Where fraud is rare, a leaf of fraud alone gets the value 1 ÷ (share of fraud): Newton's step is
straight where the loss is bent. In few rows XGBoost's `min_child_weight` keeps such leaves away; in
millions it does not, and trees that lead far beyond certainty are worse than none."""


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
class Grown:
    """Trees, and what they were grown from."""

    booster: xgb.Booster
    split: Split
    trees: int
    tree_count_tuned: bool
    parameters: dict[str, Any]
    delay_days: float


def grow(dataset: Dataset, options: TrainOptions, progress: Progress, machines: Machines) -> Grown:
    """Grow trees on the earlier days of a data set.

    The number of trees is found by early stopping on the last days of the training time; then the
    model is grown again with that number on all of it. So there is no tree beyond the best one in
    the booster, and the newest training days are not lost.

    Raises:
        SetupError: an option is out of range, or the data set cannot be learned from.

    """
    _check(options)
    if len(dataset.features_without_values) == len(FEATURES):
        raise SetupError(
            "every feature has one value in all rows of the data set, so that there is nothing to "
            "learn from; build it from more transfers"
        )
    delay_days = options.delay_days
    if delay_days is None:
        delay_days = dataset.meta.label_delay_days
    split = split_by_time(dataset, delay_days, options.shares)
    parameters = parameters_of(options, split.fit)
    randomness = np.random.default_rng(options.seed)

    trees, tuned, parameters = _best_tree_count(
        parameters, split, options, progress, machines, randomness
    )
    everything = layer_of(joined(split.fit, split.tune))
    layers = with_missing_history(everything, share=options.augment_share, randomness=randomness)
    booster = machines.grow(parameters, machines.matrix(layers), trees, progress)
    return Grown(booster, split, trees, tuned, parameters, delay_days)


def layer_of(part: Part) -> Layer:
    """Return the rows of a part to learn from."""
    return Layer(part.vectors, part.label, part.weight)


def margins(booster: xgb.Booster, vectors: AnyVectors) -> npt.NDArray[np.float64]:
    """Return XGBoost's raw margins of vectors float32 (rows, features), as float64.

    Of shape (rows,), or (rows, classes) for a booster over classes.
    """
    booster.set_param({"nthread": THREADS})
    found = []
    for batch in batches_of(vectors):
        matrix = xgb.DMatrix(batch, missing=np.nan, nthread=THREADS)
        found.append(booster.predict(matrix, output_margin=True))
    return np.concatenate(found).astype(np.float64) if found else np.empty(0)


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
        "eval_metric": METRIC,
        "nthread": THREADS,
        "seed": options.seed,
    }


def _best_tree_count(
    parameters: dict[str, Any],
    split: Split,
    options: TrainOptions,
    progress: Progress,
    machines: Machines,
    randomness: np.random.Generator,
) -> tuple[int, bool, dict[str, Any]]:
    """Return how many trees to grow, whether the tuning days could say it, and with what.

    Parameters stay as they are, unless the tuning days fare no better with any number of trees than
    with none, but do with steps that are limited.
    """
    fit = with_missing_history(
        layer_of(split.fit),
        share=options.augment_share,
        randomness=randomness,
    )
    if split.tune.frauds < _TUNING_FRAUDS_MIN:
        return options.trees_max, False, parameters
    rows = machines.matrix(fit)
    tune = machines.matrix([layer_of(split.tune)], like=rows)

    def best(tried: dict[str, Any]) -> tuple[int, float]:
        return machines.best_tree_count(
            tried, rows, tune, options.trees_max, options.patience, progress
        )

    count, loss = best(parameters)
    none = _loss_without_trees(split.tune, parameters["base_score"])
    if loss >= none:
        limited = parameters | {"max_delta_step": _STEP_MAX}
        limited_count, limited_loss = best(limited)
        if limited_loss < none:
            return limited_count, True, limited
    return count, True, parameters


def _loss_without_trees(part: Part, share: float) -> float:
    """Return the METRIC of rows that all get one probability."""
    loss = np.where(part.label == 1, -math.log(share), -math.log1p(-share))
    return float(np.average(loss, weights=part.weight))
