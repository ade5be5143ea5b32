"""Learns which type of fraud a fraud is, so that the prompt speaks of the right scam.

It learns from confirmed frauds alone: its probabilities say "if this is fraud, of which type", and
add up to 1 over the types that it knows.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xgboost as xgb

from fanzha.domain.vocabulary import FraudType, word_of
from fanzha_training.grow import TrainOptions
from fanzha_training.matrix import THREADS
from fanzha_training.one_machine import Progress, Told
from fanzha_training.split import Part

_TYPE_FRAUDS_MIN: Final = 8
"""A type with fewer confirmed frauds is not learned."""
_ROUNDS: Final = 40
_DEPTH: Final = 3
_LEARNING_RATE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Typology:
    """A model over types of fraud."""

    booster: xgb.Booster
    fraud_types: tuple[FraudType, ...]
    """In the order of the model's outputs."""
    record: dict[str, Any]


def learn_types(part: Part, options: TrainOptions, progress: Progress) -> Typology | None:
    """Return a model over the types of the frauds in a part; None with fewer than two types.

    Every fraud counts alike, whatever its type: a prompt is right most often when it speaks of the
    commonest type that fits.
    """
    fraud = (part.label == 1) & (part.fraud_type > 0)
    kinds, counts = np.unique(part.fraud_type[fraud], return_counts=True)
    kinds = kinds[counts >= _TYPE_FRAUDS_MIN]
    if len(kinds) < 2:
        return None
    rows = np.flatnonzero(fraud & np.isin(part.fraud_type, kinds))
    # Whole frauds only: without history nothing tells the types apart.
    matrix = xgb.DMatrix(
        np.asarray(part.vectors[rows]),
        label=np.searchsorted(kinds, part.fraud_type[rows]),
        weight=part.weight[rows],
        missing=np.nan,
        nthread=THREADS,
    )
    parameters = {
        "objective": "multi:softprob",
        "num_class": len(kinds),
        "tree_method": "hist",
        "max_depth": _DEPTH,
        "eta": _LEARNING_RATE,
        # Frauds of one type are few, and come in campaigns that resemble each other too much.
        "min_child_weight": 2.0,
        "lambda": 3.0,
        # Stated, because XGBoost would otherwise estimate it.
        "base_score": 0.5,
        "nthread": THREADS,
        "seed": options.seed,
    }
    booster = xgb.train(
        parameters, matrix, num_boost_round=_ROUNDS, callbacks=[Told(progress, _ROUNDS)]
    )
    types = tuple(FraudType(int(kind)) for kind in kinds)
    record = {
        "parameters": parameters,
        "rounds": _ROUNDS,
        "fraud_types": [word_of(kind) for kind in types],
        "frauds": [int((part.fraud_type[rows] == kind).sum()) for kind in types],
    }
    return Typology(booster, types, record)
