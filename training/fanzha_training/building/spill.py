"""Parts of vectors that wait on disk until all parts of a row are there."""

from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fanzha_training.building.step_blocks import Ints

Vectors = npt.NDArray[np.float32]

_COPIED_ROWS = 1 << 16


class Spill:
    """One slice of the vectors, as the parts give it: part after part in one file.

    Within a part the slices are in order of rows, so that which row each is of need not be kept:
    its subject tells the part.
    """

    def __init__(self, folder: Path, number: int, place: slice) -> None:
        """Open the file.

        Args:
            folder: where the file is; it is removed with it.
            number: of this slice.
            place: where the slice lies in a vector.

        """
        self._file = (folder / str(number)).open("w+b")
        self._place = place
        self._next: list[int] = []
        """Where in the file the next row of each part lies."""
        self._end = 0

    def add(self, mine: npt.NDArray[np.bool_], vectors: Vectors) -> None:
        """Take the next part's rows.

        Args:
            mine: which of the vectors have this slice from a subject of the part.
            vectors: of the rows that the part touched, in order of rows.

        """
        self._next.append(self._end)
        chosen = np.flatnonzero(mine)
        # Not all at once: the copy would double what the part takes.
        for start in range(0, len(chosen), _COPIED_ROWS):
            some: Any = vectors[chosen[start : start + _COPIED_ROWS], self._place]
            self._end += self._file.write(np.ascontiguousarray(some).data)
        self._file.flush()

    def fill(self, vectors: Vectors, parts: Ints) -> None:
        """Write the slice into the vectors of the next rows; call it in order of rows.

        Args:
            vectors: of those rows.
            parts: which part has each row's subject, -1 for none.

        """
        order = np.argsort(parts, kind="stable")
        starts = np.searchsorted(parts[order], np.arange(len(self._next) + 1))
        for part, (start, end) in enumerate(pairwise(starts.tolist())):
            if start == end:
                continue
            values = np.empty((end - start, self._place.stop - self._place.start), np.float32)
            self._file.seek(self._next[part])
            self._next[part] += self._file.readinto(values.data)
            vectors[order[start:end], self._place] = values

    def close(self) -> None:
        """Close the file."""
        # What could not be written was told when it was to be written.
        with suppress(OSError):
            self._file.close()
