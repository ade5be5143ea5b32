"""Steps of one kind for many transfers, and all steps in the order in which the fold takes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.features.compiled import compiled
from fanzha.features.fold import STEP_COLUMNS
from fanzha_training.building.step_order import places_in_order

Ints = npt.NDArray[np.int64]

READ = EVENT = 0
EXECUTED, REPORTED = 1, 2
"""Order of a table's steps of one subject that have the same time. Transfers of one time come one
after the other, each read before its own event, as a service is asked about them."""

_READ_ONLY = "Array(int64, 1, 'C', readonly=True)"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of all subjects: those whose number leaves the remainder `index`."""

    index: int
    count: int

    def holds(self, subject: Ints) -> npt.NDArray[np.bool_]:
        """Say which subjects belong to the part; number 0, no subject, belongs to none."""
        mask: npt.NDArray[np.bool_] = subject != 0
        if self.count > 1:
            mask &= _remainder(subject, self.count) == self.index
        return mask


def parts_of(subject: Ints, count: int) -> Ints:
    """Return the index of each subject's part, -1 for number 0."""
    return np.where(subject == 0, -1, _remainder(subject, count).astype(np.int64))


def _remainder(subject: Ints, count: int) -> npt.NDArray[np.uint64]:
    rest: npt.NDArray[np.uint64] = subject.view(np.uint64) % np.uint64(count)
    return rest


@dataclass(frozen=True, slots=True)
class Block:
    """Steps of one kind before they are put in order: one array for each value that differs."""

    subject: Ints
    moment: Ints
    order: int
    step: Ints | int
    row: Ints | int
    columns: tuple[Ints | int, ...]

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | Ints) -> "Block":
        """Return the steps that a mask or their sorted places name."""
        if len(self.subject) == (chosen.sum() if chosen.dtype == np.bool_ else len(chosen)):
            return self

        def pick(values: Ints | int) -> Ints | int:
            return values if isinstance(values, int) else values[chosen]

        return Block(
            self.subject[chosen],
            self.moment[chosen],
            self.order,
            pick(self.step),
            pick(self.row),
            tuple(pick(column) for column in self.columns),
        )

    def full(self, values: Ints | int) -> Ints:
        """Return one value for each step, int64 (steps,)."""
        if isinstance(values, int):
            return np.full(len(self.subject), values, np.int64)
        return np.ascontiguousarray(values, np.int64)


def block(
    subject: Ints,
    moment: Ints,
    order: int,
    step: Ints | int,
    row: Ints | int,
    columns: tuple[Ints | int, ...],
) -> Block:
    """Return steps before they are put in order.

    Args:
        subject: numbers of the subjects.
        moment: when it happens to the subject: a time, or a sequence.
        order: among steps of one moment.
        step: a `Change`, or a read of `fanzha.features.fold`.
        row: the transfers' rows.
        columns: five, by `fanzha.features.layout`.

    """
    return Block(subject, moment, order, step, row, columns)


@compiled(f"void(int64[:, ::1], {_READ_ONLY}, UniTuple({_READ_ONLY}, {STEP_COLUMNS}), int64[::1])")
def _put(steps: Ints, places: Ints, columns: tuple[Ints, ...], strides: Ints) -> None:
    """Write a block's steps to their places in int64 (steps, 8).

    Args:
        steps: of all blocks.
        places: of this block's steps.
        columns: their values, or one value for all of them.
        strides: of each column: 0 for one value for all, else 1.

    """
    for i in range(places.shape[0]):
        step = steps[places[i]]
        for column in range(STEP_COLUMNS):
            step[column] = columns[column][i * strides[column]]


def in_order(blocks: Sequence[Block], part: Part | None = None) -> Ints:
    """Return the steps of all blocks for `fanzha.features.fold.fold`, int64 (steps, 8).

    Args:
        blocks: steps of one kind each; fast where each is sorted by its moments.
        part: only steps of its subjects; None for all.

    """
    if part is not None:
        blocks = [every[part.holds(every.subject)] for every in blocks]
    places = places_in_order(
        np.concatenate([every.subject for every in blocks]),
        np.concatenate([every.moment for every in blocks]),
        np.concatenate([every.full(every.order) for every in blocks]),
        np.concatenate([every.full(every.row) for every in blocks]),
    )
    steps = np.empty((len(places), STEP_COLUMNS), np.int64)
    start = 0
    for every in blocks:
        here = places[start : start + len(every.subject)]
        start += len(here)
        # Moment and order among equals have done their work.
        values = (every.subject, every.step, every.row, *every.columns)
        columns = tuple(
            np.array([each], np.int64)
            if isinstance(each, int)
            else np.ascontiguousarray(each, np.int64)
            for each in values
        )
        strides = np.array([not isinstance(each, int) for each in values], np.int64)
        _put(steps, here, columns, strides)
    return steps
