"""Vectors that stay in the file of their data set and are read some rows at a time.

A data set that is bigger than memory is worked on by its labels, times and amounts; its vectors,
the bulk of it, are read where they are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.domain.errors import SetupError
from fanzha.features.manifest import FEATURES

Vectors = npt.NDArray[np.float32]
"""float32 of shape (rows, features)."""

VECTOR_COLUMN: Final = "vector"
ROWS_PER_BATCH: Final = 1 << 18
"""Rows that are read, or handed to XGBoost, at once: some 120 MiB. It is a constant, never a
matter of memory, so that a model does not depend on the machine that it was trained on."""

_UNREADABLE = (OSError, pa.ArrowException)


@dataclass(frozen=True, slots=True, eq=False)
class StoredVectors:
    """Vectors of some rows of a data set's file.

    It takes masks, positions and slices of rows as an array does, without reading anything;
    `numpy.asarray` reads it all. It can be sent to another process that sees the same file.
    """

    path: Path
    rows: npt.NDArray[np.int64]
    """Places of the rows in the file, in the order of the vectors."""
    stamp: tuple[int, int]
    """Size and time of change of the file, so that another file in its place is noticed."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __getitem__(self, chosen: npt.NDArray[Any] | slice) -> "StoredVectors":
        """Return the rows that a mask, positions or a slice names, still unread."""
        return StoredVectors(self.path, self.rows[chosen], self.stamp)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Vectors:  # noqa: ANN401, FBT001
        """Read everything into memory."""
        del dtype, copy
        vectors = np.empty((len(self), len(FEATURES)), np.float32)
        start = 0
        for batch in self.batches():
            vectors[start : start + len(batch)] = batch
            start += len(batch)
        return vectors

    def batches(self, rows: int = ROWS_PER_BATCH) -> Iterator[Vectors]:
        """Yield the vectors in order, so many rows at a time.

        Raises:
            SetupError: the file is gone, damaged, or was replaced since the data set was loaded.

        """
        try:
            if stamp_of(self.path) != self.stamp:
                raise SetupError(f"{self.path} was changed while it was read; start again")
            with pq.ParquetFile(self.path) as file:
                groups = _Groups(file)
                for start in range(0, len(self), rows):
                    yield groups.read(self.rows[start : start + rows])
        except _UNREADABLE as error:
            raise SetupError(
                f"{self.path} cannot be read any more: {error}; restore it and start again"
            ) from error


AnyVectors = Vectors | StoredVectors


class _Groups:
    """A file's row groups; the last one read is kept, for batches end within groups."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - pyarrow carries no annotations
        self._file = file
        counts = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._kept = -1
        self._vectors = np.empty((0, len(FEATURES)), np.float32)

    def read(self, rows: npt.NDArray[np.int64]) -> Vectors:
        """Return the vectors at some places of the file."""
        vectors = np.empty((len(rows), len(FEATURES)), np.float32)
        group = np.searchsorted(self._starts, rows, side="right") - 1
        for each in np.unique(group).tolist():
            mine = np.flatnonzero(group == each)
            vectors[mine] = self._group(each)[rows[mine] - self._starts[each]]
        return vectors

    def _group(self, number: int) -> Vectors:
        if number != self._kept:
            self._vectors = np.empty((0, len(FEATURES)), np.float32)
            column = self._file.read_row_group(number, columns=[VECTOR_COLUMN]).column(0)
            self._vectors = array_of(column)
            self._kept = number
        return self._vectors


def array_of(column: Any) -> Vectors:  # noqa: ANN401 - pyarrow carries no annotations
    """Return a column of vectors, a chunked array of Arrow, as one array."""
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate([np.empty(0, np.float32), *flat]).reshape(-1, len(FEATURES))


def stamp_of(path: Path) -> tuple[int, int]:
    """Return a file's size and time of change."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def stored_vectors(path: Path, count: int) -> StoredVectors:
    """Return all vectors of a data set's file that has so many rows."""
    # Absolute: it may be read by a process that was started elsewhere.
    return StoredVectors(path.absolute(), np.arange(count), stamp_of(path))


def batches_of(vectors: AnyVectors, rows: int = ROWS_PER_BATCH) -> Iterator[Vectors]:
    """Yield vectors in order, so many rows at a time."""
    if isinstance(vectors, StoredVectors):
        yield from vectors.batches(rows)
        return
    for start in range(0, len(vectors), rows):
        yield vectors[start : start + rows]


def joined_vectors(first: AnyVectors, second: AnyVectors) -> AnyVectors:
    """Return the rows of one, then those of the other, of the same data set."""
    if isinstance(first, StoredVectors) and isinstance(second, StoredVectors):
        rows = np.concatenate([first.rows, second.rows])
        return StoredVectors(first.path, rows, first.stamp)
    return np.concatenate([np.asarray(first), np.asarray(second)])
