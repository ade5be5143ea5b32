"""Adds training rows whose history is missing, so that a degraded request gets a sensible score.

When a store is away, the service scores what it has: the vector's parts that could not be read are
NaN. Without such rows in training the model would follow whatever branch NaN happens to take.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.features.kernel import END, PAYEE_START, PAYER_START
from fanzha.features.manifest import FEATURES
from fanzha_training.matrix import Layer

Mask = npt.NDArray[np.bool_]

_POSITION = np.arange(END)
_PAYER: Final[Mask] = (_POSITION >= PAYER_START) & (_POSITION < PAYEE_START)
_PAYEE: Final[Mask] = _POSITION >= PAYEE_START
_LISTS: Final[Mask] = np.array([feature.family == "lists" for feature in FEATURES])

OUTAGES: Final[tuple[Mask, ...]] = (_PAYER, _PAYEE, _PAYER | _PAYEE | _LISTS)
"""Features lost together: with the payer's history, the payee's, or everything in the store."""


def with_missing_history(
    rows: Layer, *, share: float, randomness: np.random.Generator
) -> list[Layer]:
    """Return the rows, and after them a random share of them again for each of OUTAGES.

    Args:
        rows: to learn from.
        share: share of the rows that is repeated for each outage, 0 to 1.
        randomness: chooses the rows.

    """
    layers = [rows]
    count = round(share * len(rows))
    for outage in OUTAGES if count else ():
        chosen = np.sort(randomness.choice(len(rows), count, replace=False))
        weight = None if rows.weight is None else rows.weight[chosen]
        layers.append(Layer(rows.vectors[chosen], rows.label[chosen], weight, outage))
    return layers
