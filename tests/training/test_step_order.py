"""Steps are put in the order that a plain sort by four keys gives."""

from typing import Any

import numpy as np
import pytest

from fanzha_training.building.step_blocks import Block, Part, block, in_order
from fanzha_training.building.step_order import places_in_order


def random_blocks(seed: int, size: int, subjects: int) -> list[Block]:
    rng = np.random.default_rng(seed)
    blocks = []
    for kind in range(5):
        count = int(rng.integers(0, size))
        number = rng.integers(-(2**62), 2**62, subjects)[rng.integers(0, subjects, count)]
        moment = rng.integers(0, 20, count)
        if kind < 3:
            moment.sort()
        columns: tuple[Any, ...] = (rng.integers(0, 9, count), 7, 0, rng.integers(0, 9, count), 1)
        blocks.append(
            block(number, moment, kind % 4, 10 + kind, rng.integers(0, 30, count), columns)
        )
    return blocks


def slow_order(blocks: list[Block]) -> list[tuple[int, ...]]:
    steps = []
    for every in blocks:
        columns = [every.full(column) for column in every.columns]
        for i in range(len(every.subject)):
            key = (every.subject[i], every.moment[i], every.order, every.full(every.row)[i])
            values = [int(column[i]) for column in columns]
            steps.append((key, (int(key[0]), int(every.full(every.step)[i]), int(key[3]), *values)))
    return [values for _, values in sorted(steps, key=lambda step: step[0])]


@pytest.mark.parametrize("seed", range(6))
def test_steps_are_in_the_order_of_a_plain_sort(seed: int) -> None:
    blocks = random_blocks(seed, 400, 6)

    assert [tuple(step) for step in in_order(blocks).tolist()] == slow_order(blocks)


def test_parts_hold_all_steps_once() -> None:
    blocks = random_blocks(7, 300, 40)

    parts = [in_order(blocks, Part(index, 3)) for index in range(3)]

    whole = in_order(blocks).tolist()
    assert sorted(step for part in parts for step in part.tolist()) == sorted(whole)
    assert all(len(part) for part in parts)


def test_more_subjects_than_the_table_of_hashes_begins_with() -> None:
    rng = np.random.default_rng(1)
    subject = rng.integers(-(2**63), 2**63 - 1, 200_000)
    none = np.zeros(len(subject), np.int64)

    places = places_in_order(subject, none, none, np.arange(len(subject)))

    assert (np.argsort(places) == np.argsort(subject, kind="stable")).all()
