"""Puts steps of many subjects in order: by subject, then moment, order among equals, and row.

A plain sort by four keys takes longer than the features themselves. Blocks come sorted by time, so
that merging them is cheap; subjects only have to be told apart, which a table of hashes does.
"""

import numpy as np
import numpy.typing as npt

from fanzha.features.compiled import compiled

Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]

_ORDERS = 4
"""Steps of one moment have an order among equals of 0 to 3."""
_READ = "Array(int64, 1, 'C', readonly=True)"


@compiled()
def _slot(slots: Places, distinct: Ints, name: int) -> int:
    """Return the slot of a value, or the empty one where it belongs."""
    last: int = slots.shape[0] - 1
    # Numbers of subjects are hashes already, but for those of tests; so mix a little.
    slot: int = (name ^ (name >> 32)) & last
    while slots[slot] >= 0 and distinct[slots[slot]] != name:
        slot = (slot + 1) & last
    return slot


@compiled(f"Tuple((int32[::1], int64[::1]))({_READ})")
def _numbered(names: Ints) -> tuple[Places, Ints]:
    """Return a number for each value, from 0 in the order of coming, and the distinct values."""
    slots = np.full(1 << 16, -1, np.int32)
    distinct = np.empty(1 << 15, np.int64)
    numbers = np.empty(names.shape[0], np.int32)
    count = 0
    for i in range(names.shape[0]):
        slot = _slot(slots, distinct, names[i])
        if slots[slot] < 0:
            if count == distinct.shape[0]:
                distinct = np.concatenate((distinct, np.empty_like(distinct)))
                slots = np.full(2 * slots.shape[0], -1, np.int32)
                for number in range(count):
                    slots[_slot(slots, distinct, distinct[number])] = number
                slot = _slot(slots, distinct, names[i])
            slots[slot] = count
            distinct[count] = names[i]
            count += 1
        numbers[i] = slots[slot]
    return numbers, distinct[:count].copy()


@compiled(f"void(int64[::1], {_READ}, {_READ})")
def _order_ties(by_moment: Ints, keys: Ints, rows: Ints) -> None:
    """Put places that are in order of their keys in the order of rows where keys are equal."""
    start = 0
    while start < by_moment.shape[0]:
        end = start + 1
        tidy = True
        while end < by_moment.shape[0] and keys[by_moment[end]] == keys[by_moment[start]]:
            tidy &= rows[by_moment[end - 1]] <= rows[by_moment[end]]
            end += 1
        if not tidy:
            equal = by_moment[start:end].copy()
            by_moment[start:end] = equal[np.argsort(rows[equal], kind="mergesort")]
        start = end


@compiled("int64[::1](int32[::1], int64[::1], int64[::1])")
def _places(numbers: Places, by_moment: Ints, rank: Ints) -> Ints:
    """Return where each step goes, int64 (steps,).

    Args:
        numbers: each step's subject.
        by_moment: steps in order of moment, order among equals and row.
        rank: the place of each subject among all.

    """
    ends = np.zeros(rank.shape[0] + 1, np.int64)
    for i in range(numbers.shape[0]):
        ends[rank[numbers[i]] + 1] += 1
    for i in range(rank.shape[0]):
        ends[i + 1] += ends[i]
    places = np.empty(numbers.shape[0], np.int64)
    for step in by_moment:
        subject = rank[numbers[step]]
        places[step] = ends[subject]
        ends[subject] += 1
    return places


def places_in_order(subject: Ints, moment: Ints, order: Ints, row: Ints) -> Ints:
    """Return where each step goes, int64 (steps,).

    Args:
        subject: number of each step's subject.
        moment: its time or sequence; fast where it consists of few sorted runs.
        order: among equals, 0 to 3.
        row: of the step's transfer.

    """
    numbers, subjects = _numbered(subject)
    rank = np.empty(len(subjects), np.int64)
    rank[np.argsort(subjects)] = np.arange(len(subjects))
    keys = moment * _ORDERS + order
    by_moment = np.argsort(keys, kind="stable")
    _order_ties(by_moment, keys, row)
    return _places(numbers, by_moment, rank)
