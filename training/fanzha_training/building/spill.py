"""Parts of vectors that wait on disk until all parts of a row are there.

Each part of the subjects writes one file for each slice of the vectors that its subjects give,
whichever process computes it. Within a file the slices are in order of rows, so that which row each
is of need not be kept: its subject tells the part.
"""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import SetupError
from fanzha_training.building.step_blocks import Ints

Vectors = npt.NDArray[np.float32]

_COPIED_ROWS = 1 << 16


def spill(
    folder: Path,
    slice_number: int,
    part: int,
    place: slice,
    mine: npt.NDArray[np.bool_],
    vectors: Vectors,
) -> None:
    """Write what one part gives to one slice of the vectors, or nothing of it.

    Args:
        folder: where all parts' files are.
        slice_number: which slice.
        part: index of the part.
        place: where the slice lies in a vector.
        mine: mask of the vectors that have this slice from a subject of the part.
        vectors: of the rows that the part touched, in order of rows.

    """
    chosen = np.flatnonzero(mine)
    if not len(chosen):
        return
    file = _file(folder, slice_number, part)
    # A process that was given up may still write the same part.
    draft = file.with_suffix(f".{os.getpid()}")
    with draft.open("wb") as written:
        # Not all at once: the copy would double what the part takes.
        for start in range(0, len(chosen), _COPIED_ROWS):
            some: Any = vectors[chosen[start : start + _COPIED_ROWS], place]
            written.write(np.ascontiguousarray(some).data)
    draft.replace(file)


def _file(folder: Path, slice_number: int, part: int) -> Path:
    return folder / f"{slice_number}-{part}"


class Spilled:
    """One slice of the vectors, as all parts gave it."""

    def __init__(self, folder: Path, slice_number: int, place: slice, parts: int) -> None:
        """Begin with the first row.

        Args:
            folder: where the parts' files are.
            slice_number: which slice.
            place: where the slice lies in a vector.
            parts: how many there are.

        """
        self._files = [_file(folder, slice_number, part) for part in range(parts)]
        self._place = place
        self._next = [0] * parts
        """Where in each part's file the next row lies."""

    def fill(self, vectors: Vectors, parts: Ints) -> None:
        """Write the slice into the vectors of the next rows; call it in order of rows.

        Args:
            vectors: of those rows.
            parts: which part has each row's subject, -1 for none.

        Raises:
            SetupError: a part's file is shorter than its rows.

        """
        order = np.argsort(parts, kind="stable")
        starts = np.searchsorted(parts[order], np.arange(len(self._files) + 1))
        for part, (start, end) in enumerate(pairwise(starts.tolist())):
            if start == end:
                continue
            values = np.empty((end - start, self._place.stop - self._place.start), np.float32)
            # Opened each time: there may be more parts than files that may be open at once.
            with self._files[part].open("rb") as file:
                file.seek(self._next[part])
                read = file.readinto(values.data)
            if read != values.nbytes:
                raise SetupError(
                    f"{self._files[part]} is cut off: it was changed while the data set was built; "
                    "build it again"
                )
            self._next[part] += read
            vectors[order[start:end], self._place] = values
