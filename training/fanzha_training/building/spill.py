"""Parts of vectors that wait on disk until all parts of a row are there."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fanzha_training.building.step_blocks import Ints

Vectors = npt.NDArray[np.float32]


class Spill:
    """One slice of the vectors, as the parts give it: a file for each part, in order of rows."""

    def __init__(self, folder: Path, number: int, place: slice) -> None:
        """Prepare.

        Args:
            folder: where the files are; they are removed with it.
            number: of this slice.
            place: where the slice lies in a vector.

        """
        self._folder, self._number, self._place = folder, number, place
        self._files: list[BinaryIO] = []
        self._rows: list[npt.NDArray[np.int32]] = []
        self._next: list[int] = []

    def add(self, rows: Ints, mine: npt.NDArray[np.bool_], vectors: Vectors) -> None:
        """Take a part's rows.

        Args:
            rows: rows that the part touched, sorted.
            mine: which of them have this slice from a subject of the part.
            vectors: of those rows.

        """
        if not mine.any():
            return
        file = (self._folder / f"{self._number}-{len(self._files)}").open("w+b")
        chosen = np.flatnonzero(mine)
        # Not all at once: the copy would double what the part takes.
        for start in range(0, len(chosen), 1 << 16):
            some: Any = vectors[chosen[start : start + (1 << 16)], self._place]
            file.write(np.ascontiguousarray(some).data)
        file.seek(0)
        self._files.append(file)
        self._rows.append(rows[mine].astype(np.int32))
        self._next.append(0)

    def fill(self, vectors: Vectors, rows: slice) -> None:
        """Write the slice into the vectors of the next rows; call it in order of rows."""
        width = self._place.stop - self._place.start
        for which, (file, known) in enumerate(zip(self._files, self._rows, strict=True)):
            start = self._next[which]
            end = int(np.searchsorted(known, rows.stop))
            values = np.fromfile(file, np.float32, (end - start) * width)
            vectors[known[start:end] - rows.start, self._place] = values.reshape(-1, width)
            self._next[which] = end

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()
