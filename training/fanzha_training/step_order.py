"""Puts steps of many accounts in order: by account, then time, then order among equals, then row.

A plain sort by four keys takes longer than the features themselves. Blocks come sorted by time, so
that merging them is cheap; accounts only have to be told apart, which a table of hashes does.
"""

import numpy as np
import numpy.typing as npt

from fanzha.features.compiled import compiled

Ints = npt.NDArray[np.int64]

_ORDERS = 4
"""Steps of one time have an order among equals of 0 to 3."""
_READ = "Array(int64, 1, 'C', readonly=True)"


@compiled(f"Tuple((int64[::1], int64[::1]))({_READ})")
def _numbered(names: Ints) -> tuple[Ints, Ints]:
    """Return a number for each value, from 0 in the order of coming, and the distinct values."""
    size = 16
    while size < 2 * names.shape[0]:
        size *= 2
    slots = np.full(size, -1, np.int64)
    distinct = np.empty(names.shape[0], np.int64)
    numbers = np.empty(names.shape[0], np.int64)
    count = 0
    for i in range(names.shape[0]):
        name = names[i]
        # Account numbers are hashes already, but for those of tests; so mix a little.
        slot = (name ^ (name >> 32)) & (size - 1)
        while slots[slot] >= 0 and distinct[slots[slot]] != name:
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot] = count
            distinct[count] = name
            count += 1
        numbers[i] = slots[slot]
    return numbers, distinct[:count].copy()


@compiled(f"int64[::1]({_READ}, {_READ}, {_READ}, {_READ}, int64)")
def _arranged(numbers: Ints, keys: Ints, rows: Ints, by_time: Ints, count: int) -> Ints:
    """Return the places of the steps in order, int64 (steps,).

    Args:
        numbers: each step's account, numbered from 0 in the order of accounts.
        keys: each step's time and order among equals.
        rows: each step's row.
        by_time: places of the steps in order of their keys.
        count: number of accounts.

    """
    ends = np.zeros(count + 1, np.int64)
    for i in range(numbers.shape[0]):
        ends[numbers[i] + 1] += 1
    for i in range(count):
        ends[i + 1] += ends[i]
    order = np.empty(numbers.shape[0], np.int64)
    for place in by_time:
        number = numbers[place]
        order[ends[number]] = place
        ends[number] += 1
    start = 0
    while start < order.shape[0]:
        end = start + 1
        tidy = True
        while (
            end < order.shape[0]
            and keys[order[end]] == keys[order[start]]
            and numbers[order[end]] == numbers[order[start]]
        ):
            tidy &= rows[order[end - 1]] <= rows[order[end]]
            end += 1
        if not tidy:
            equal = order[start:end].copy()
            order[start:end] = equal[np.argsort(rows[equal], kind="mergesort")]
        start = end
    return order


def step_order(account: Ints, time: Ints, rank: Ints, row: Ints) -> Ints:
    """Return the places of steps in order, int64 (steps,).

    Args:
        account: account of each step.
        time: milliseconds since 1970 UTC; fast where it consists of few sorted runs.
        rank: order among steps of one account and time, 0 to 3.
        row: row of the step's transfer.

    """
    numbers, accounts = _numbered(account)
    sorted_by = np.argsort(accounts)
    place = np.empty_like(sorted_by)
    place[sorted_by] = np.arange(len(accounts))
    keys = time * _ORDERS + rank
    by_time = np.argsort(keys, kind="stable")
    return _arranged(place[numbers], keys, np.ascontiguousarray(row), by_time, len(accounts))
