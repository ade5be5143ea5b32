"""The past of states, held against walking back from each of them, one after the other."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from fanzha.features.rebuilt import REBUILT_EVERY
from fanzha_training.building.chains import CONTINUES, NO_CHAIN, Chains, chains_of

Row = tuple[int, int, int]
"""Subject, sequence, the sequence before."""


def chains(rows: list[Row], read: list[tuple[int, int]] | None = None, subjects: int = 0) -> Chains:
    table = np.array(sorted(rows), np.int64).reshape(-1, 3)
    count = subjects or 1 + max((row[0] for row in rows), default=0)
    rebuilt = np.array(read or [], np.int64).reshape(-1, 2)
    return chains_of(table[:, 0], table[:, 1], table[:, 2], count, rebuilt)


def past_of(rows: list[Row], found: Chains, subject: int, seq: int) -> list[int] | None:
    """Return the sequences of the changes that lead to a state, by its chain."""
    number = found.find(np.array([subject]), np.array([seq]))[0]
    if number == NO_CHAIN:
        return None
    ordered = sorted(rows)
    steps = sorted(ordered[row][1] for row in found.row[found.chain == number])
    return [each for each in steps if each <= seq]


def walked(rows: list[Row], subject: int, seq: int) -> list[int] | None:
    """Walk back from a state to the empty one; None: something is missing."""
    mine = sorted(row for row in rows if row[0] == subject)
    past: list[int] = []
    while seq:
        if seq % REBUILT_EVERY == 0:
            return sorted([row[1] for row in mine if row[1] < seq] + past)
        here = [row for row in mine if row[1] == seq]
        if len(here) != 1:
            return None
        past.append(seq)
        seq = seq - 1 if here[0][2] == CONTINUES else here[0][2]
    return sorted(past)


def test_a_plain_life() -> None:
    rows = [(0, 1, 0), (0, 2, CONTINUES), (0, 3, CONTINUES), (1, 1, 0)]
    found = chains(rows)
    assert past_of(rows, found, 0, 2) == [1, 2]
    assert past_of(rows, found, 1, 1) == [1]
    assert not found.broken.any()


def test_the_empty_state_is_always_known() -> None:
    rows = [(0, 7, 0)]
    assert past_of(rows, chains(rows, subjects=2), 0, 0) == []
    assert past_of(rows, chains(rows, subjects=2), 1, 0) == []


def test_redis_started_empty() -> None:
    rows = [(0, 1, 0), (0, 2, -1), (0, 1001, 0), (0, 1002, -1)]
    found = chains(rows)
    assert past_of(rows, found, 0, 2) == [1, 2]
    assert past_of(rows, found, 0, 1002) == [1001, 1002]
    assert not found.broken.any()


def test_a_failover_forgot_the_newest() -> None:
    rows = [(0, 1, 0), (0, 2, -1), (0, 3, -1), (0, 1001, 1), (0, 1002, -1)]
    found = chains(rows)
    assert past_of(rows, found, 0, 3) == [1, 2, 3]
    assert past_of(rows, found, 0, 1001) == [1, 1001]
    assert past_of(rows, found, 0, 1002) == [1, 1001, 1002]


def test_a_rebuilt_state_holds_all_before() -> None:
    base = 5 * REBUILT_EVERY
    rows = [(0, 1, 0), (0, 2, -1), (0, 1001, 0), (0, base + 1, base), (0, base + 2, -1)]
    found = chains(rows, [(0, base)])
    assert past_of(rows, found, 0, base) == [1, 2, 1001]
    assert past_of(rows, found, 0, base + 2) == [1, 2, 1001, base + 1, base + 2]
    assert past_of(rows, found, 0, 1001) == [1001]


def test_a_rebuilt_state_that_only_was_read() -> None:
    base = 5 * REBUILT_EVERY
    rows = [(0, 1, 0), (1, 1, 0)]
    found = chains(rows, [(0, base)])
    assert past_of(rows, found, 0, base) == [1]


def test_what_follows_something_missing_is_in_doubt_and_nothing_else() -> None:
    rows = [(0, 1, 0), (0, 3, -1), (0, 4, -1), (0, 1001, 1), (1, 1, 0)]
    found = chains(rows)
    assert past_of(rows, found, 0, 1) == [1]
    assert past_of(rows, found, 0, 4) is None
    assert past_of(rows, found, 0, 1001) == [1, 1001]
    assert found.broken.tolist() == [True, False]


def test_a_sequence_of_two_changes_is_in_doubt() -> None:
    rows = [(0, 1, 0), (0, 2, -1), (0, 2, 0), (0, 3, -1)]
    found = chains(rows)
    assert past_of(rows, found, 0, 1) == [1]
    assert past_of(rows, found, 0, 2) is None
    assert past_of(rows, found, 0, 3) is None


@pytest.mark.parametrize("seed", range(200))
def test_any_life_with_losses(seed: int) -> None:
    rng = random.Random(seed)
    rows: list[Row] = []
    for subject in range(rng.randint(1, 5)):
        rows += life(rng, subject)
    kept = [row for row in rows if rng.random() > 0.05] if rng.random() < 0.4 else rows
    states = {(row[0], row[1]) for row in rows} | {
        (row[0], row[2]) for row in rows if row[2] and row[2] % REBUILT_EVERY == 0
    }
    read = sorted({x for x in states if x[1] % REBUILT_EVERY == 0})
    found = chains(kept, read, 5)
    wanted: Callable[[int, int], list[int] | None] = lambda x, n: walked(kept, x, n)  # noqa: E731
    for subject, seq in states:
        assert past_of(kept, found, subject, seq) == wanted(subject, seq), (subject, seq)


def life(rng: random.Random, subject: int) -> list[Row]:
    """A subject's changes, with restarts, forgotten tails, empty starts and rebuilds in between."""
    rows: list[Row] = []
    seq, base = 0, 0
    for _ in range(rng.randint(1, 25)):
        if rng.random() < 0.2:
            base += REBUILT_EVERY * rng.randint(1, 3)
            what = rng.random()
            known = [row[1] for row in rows]
            if what < 0.3:
                seq = 0
            elif what < 0.6 and known:
                seq = rng.choice(known)
            elif what < 0.8:
                seq = base
        before = seq
        seq = max(seq, base) + 1
        rows.append((subject, seq, CONTINUES if seq == before + 1 and seq % 2 else before))
    return rows
