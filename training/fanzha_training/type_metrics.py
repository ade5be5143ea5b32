"""How well a model tells of which type a fraud is."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fanzha.domain.vocabulary import FraudType, word_of
from fanzha_training.dataset import Dataset
from fanzha_training.scorer import TypeScorer

_FRAUDS_MIN = 10
"""Of fewer frauds of a type nothing is said."""


def type_metrics(scorer: TypeScorer, data: Dataset, sure: float) -> dict[str, Any]:
    """Return how often the likeliest type is the reported one, on the frauds of a data set.

    `right` is the share of frauds whose likeliest type is the reported one, `right_among_three`
    those with it among the three likeliest. `sure` is the share of which the model is sure enough
    that the prompt speaks of the type, `right_when_sure` how often it is right then; None where
    there is none. `by_type` says the same of types with at least 10 frauds, and what they are
    taken for. A type that the model does not know counts as wrong.

    Args:
        scorer: the typology.
        data: labelled transfers that it did not learn from.
        sure: probability from which the prompt speaks of a type.

    """
    typed = (data.label == 1) & (data.fraud_type > 0)
    reported = data.fraud_type[typed]
    if not len(reported):
        return {"frauds": 0}
    likely = scorer.probabilities(data.vectors[typed])
    kinds = np.array(scorer.fraud_types, np.int8)
    order = np.argsort(-likely, axis=1, kind="stable")
    ranked = kinds[order]
    right = ranked[:, 0] == reported
    among = (ranked[:, :3] == reported[:, np.newaxis]).any(axis=1)
    is_sure = likely.max(axis=1) >= sure
    return {
        "frauds": len(reported),
        "right": float(right.mean()),
        "right_among_three": float(among.mean()),
        "sure_from": sure,
        "sure": float(is_sure.mean()),
        "right_when_sure": float(right[is_sure].mean()) if is_sure.any() else None,
        "by_type": _by_type(reported, ranked[:, 0]),
    }


def _by_type(
    reported: npt.NDArray[np.int8], taken_for: npt.NDArray[np.int8]
) -> dict[str, dict[str, Any]]:
    found = {}
    for kind in np.unique(reported):
        rows = reported == kind
        if rows.sum() < _FRAUDS_MIN:
            continue
        others, counts = np.unique(taken_for[rows & (taken_for != kind)], return_counts=True)
        found[word_of(FraudType(int(kind)))] = {
            "frauds": int(rows.sum()),
            "right": float((taken_for[rows] == kind).mean()),
            "taken_for": {
                word_of(FraudType(int(other))): int(count)
                for other, count in zip(others, counts, strict=True)
            },
        }
    return found
