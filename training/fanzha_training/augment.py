"""Adds training rows whose history is missing, so that a degraded request gets a sensible score.

When a store is away, the service scores what it has: the vector's parts that could not be read are
NaN. Without such rows in training the model would follow whatever branch NaN happens to take.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.features.kernel import END, PAYEE_START, PAYER_START
from fanzha.features.manifest import FEATURES

Mask = npt.NDArray[np.bool_]

_POSITION = np.arange(END)
_PAYER: Final[Mask] = (_POSITION >= PAYER_START) & (_POSITION < PAYEE_START)
_PAYEE: Final[Mask] = _POSITION >= PAYEE_START
_LISTS: Final[Mask] = np.array([feature.family == "lists" for feature in FEATURES])

OUTAGES: Final[tuple[Mask, ...]] = (_PAYER, _PAYEE, _PAYER | _PAYEE | _LISTS)
"""Features lost together: with the payer's history, the payee's, or everything in the store."""


def with_missing_history(
    vectors: npt.NDArray[np.float32], *, share: float, randomness: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the rows, and after them copies of a random share of them for each of OUTAGES.

    Args:
        vectors: float32 (rows, features).
        share: share of the rows that is copied for each outage, 0 to 1.
        randomness: chooses the rows.

    Returns:
        The rows, and for each the row that it was made of, int64.

    """
    rows = np.arange(len(vectors))
    copies = [vectors]
    sources = [rows]
    count = round(share * len(rows))
    for outage in OUTAGES:
        chosen = np.sort(randomness.choice(rows, count, replace=False))
        copy = vectors[chosen]
        copy[:, outage] = np.nan
        copies.append(copy)
        sources.append(chosen)
    return np.concatenate(copies), np.concatenate(sources)
