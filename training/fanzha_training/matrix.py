"""Hands training rows to XGBoost batch by batch, whether they lie in memory or in a file.

The rows come in one order and in batches of one size, and XGBoost cuts the features' values into
bins from all of them before it takes any. So the trees are the same bytes however much memory the
machine has, and the same as from one plain matrix in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from fanzha_training.vectors import ROWS_PER_BATCH, AnyVectors, Vectors, batches_of

THREADS: Final = 1
"""More threads would add up histograms in changing order, and so give changing trees."""

ROWS_IN_MEMORY: Final = 1 << 22
"""Up to so many rows their bins stay in memory, some 0.5 KiB a row; with more they wait on disk."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Rows to learn from."""

    vectors: AnyVectors
    label: npt.NDArray[np.int8]
    """1 or 0 for each row."""
    weight: npt.NDArray[np.float32] | None = None
    """How much each row counts; None: all the same."""
    lost: npt.NDArray[np.bool_] | None = None
    """Features that are unknown in all rows, bool (features,); None: none."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.label)

    def read(self) -> Iterator[Vectors]:
        """Yield the vectors in order, some rows at a time."""
        for vectors in batches_of(self.vectors):
            if self.lost is None:
                yield vectors
            else:
                copy = vectors.copy()
                copy[:, self.lost] = np.nan
                yield copy


def rows_of(layers: Sequence[Layer]) -> int:
    """Return the number of rows of all layers."""
    return sum(len(layer) for layer in layers)


def labels_of(layers: Sequence[Layer]) -> npt.NDArray[np.int8]:
    """Return the labels of all layers, one after the other."""
    return np.concatenate([layer.label for layer in layers])


def weights_of(layers: Sequence[Layer]) -> npt.NDArray[np.float32] | None:
    """Return the weights of all layers, None where none of them has any."""
    if all(layer.weight is None for layer in layers):
        return None
    return np.concatenate(
        [
            np.ones(len(layer), np.float32) if layer.weight is None else layer.weight
            for layer in layers
        ]
    )


def batches(layers: Sequence[Layer], rows: int = ROWS_PER_BATCH) -> Iterator[Vectors]:
    """Yield the vectors of all layers, one after the other, so many rows at a time.

    Where one layer ends and the next begins does not show in the batches.
    """
    held: list[Vectors] = []
    count = 0
    for layer in layers:
        for vectors in layer.read():
            held.append(vectors)
            count += len(vectors)
            while count >= rows:
                whole = held[0] if len(held) == 1 else np.concatenate(held)
                yield whole[:rows]
                held = [whole[rows:]] if len(whole) > rows else []
                count -= rows
    if count:
        yield held[0] if len(held) == 1 else np.concatenate(held)


class _Batches(xgb.DataIter):
    """The batches as XGBoost asks for them: several times over."""

    def __init__(self, layers: Sequence[Layer], rows: int, cache: str | None) -> None:
        self._layers = layers
        self._rows = rows
        self._label = labels_of(layers)
        self._weight = weights_of(layers)
        self._left = batches(layers, rows)
        self._start = 0
        super().__init__(cache_prefix=cache, release_data=True)

    def reset(self) -> None:
        """Begin again."""
        self._left = batches(self._layers, self._rows)
        self._start = 0

    def next(self, input_data: Any) -> bool:  # noqa: ANN401 - XGBoost's own callback
        """Hand over the next batch; say whether there was one."""
        vectors = next(self._left, None)
        if vectors is None:
            return False
        here = slice(self._start, self._start + len(vectors))
        self._start = here.stop
        weight = None if self._weight is None else self._weight[here]
        input_data(data=vectors, label=self._label[here], weight=weight)
        return True


def matrix_of(
    layers: Sequence[Layer],
    cache: Path,
    *,
    like: xgb.DMatrix | None = None,
    rows_per_batch: int = ROWS_PER_BATCH,
    rows_in_memory: int = ROWS_IN_MEMORY,
) -> xgb.DMatrix:
    """Return rows as XGBoost learns from them.

    Args:
        layers: at least one row.
        cache: beginning of the names of files that hold the bins of many rows; they must stay as
            long as the matrix is used.
        like: a matrix whose bins are taken over, for rows that tell how good the trees are.
        rows_per_batch: see ROWS_PER_BATCH.
        rows_in_memory: see ROWS_IN_MEMORY.

    """
    many = rows_of(layers) > rows_in_memory
    rows = _Batches(layers, rows_per_batch, str(cache) if many else None)
    kind: Any = xgb.ExtMemQuantileDMatrix if many else xgb.QuantileDMatrix
    matrix: xgb.DMatrix = kind(rows, missing=np.nan, nthread=THREADS, ref=like)
    return matrix
