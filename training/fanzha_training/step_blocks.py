"""Steps of one kind for many transfers, and all steps in the order in which the fold takes them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

READ, EVENT, EXECUTED, REPORTED = range(4)
"""Order of a table's steps of one subject that have the same time."""

_COLUMNS: Final = 10


def block(
    subject: Ints,
    moment: Ints,
    order: int,
    step: Ints | int,
    row: Ints | int,
    columns: tuple[Ints | int, ...],
) -> Ints:
    """Return steps before they are put in order, int64 (steps, 10).

    Args:
        subject: numbers of the subjects.
        moment: when it happens to the subject: a time, or a sequence.
        order: among steps of one moment.
        step: a `Change`, or a read of `fanzha.features.fold`.
        row: the transfers' rows.
        columns: five, by `fanzha.features.layout`.

    """
    steps = np.empty((len(subject), _COLUMNS), np.int64)
    for position, column in enumerate((subject, moment, order, step, row, *columns)):
        steps[:, position] = column
    return steps


def in_order(blocks: Sequence[Ints]) -> Ints:
    """Return the steps of all blocks for `fanzha.features.fold.fold`, int64 (steps, 8)."""
    steps = np.concatenate(blocks)
    subject, moment, order, _, row = steps[:, :5].T
    place = np.lexsort((row, order, moment, subject))
    # Subject, step, row and five columns; moment and order among equals have done their work.
    return np.ascontiguousarray(steps[:, [0, 3, 4, 5, 6, 7, 8, 9]][place])
