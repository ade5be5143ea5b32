"""When a pinned worker moves to another core, and when it stays."""

import random

from fanzha.workers.together import Chooser, busy_seconds

STAT = """cpu  300 0 60 9000 30 6 3 9 0 0
cpu0 100 20 30 4000 10 4 6 5 7 1
cpu1 200 0 30 5000 20 2 1 4 0 0
intr 1 2 3
"""


class Coin(random.Random):
    """Shows what a test says."""

    def __init__(self, *shown: float) -> None:
        super().__init__(0)
        self._shown = list(shown)

    def random(self) -> float:
        return self._shown.pop(0) if self._shown else 0.9


def chooser(*shown: float) -> Chooser:
    return Chooser(0, frozenset({0, 1, 2}), Coin(*shown))


def looks(chooser: Chooser, busy: dict[int, float], own: float, count: int) -> list[int | None]:
    return [chooser.look(busy, own) for _ in range(count)]


def test_a_busy_worker_alone_on_its_core_stays() -> None:
    assert looks(chooser(), {0: 1.0, 1: 0.0, 2: 0.0}, 0.98, 20) == [None] * 20


def test_a_worker_whose_core_is_needed_moves_to_the_idlest_after_three_looks() -> None:
    assert looks(chooser(), {0: 1.0, 1: 0.3, 2: 0.1}, 0.5, 3) == [None, None, 2]


def test_a_burst_of_others_passes() -> None:
    one = chooser()

    assert looks(one, {0: 1.0, 1: 0.0, 2: 0.0}, 0.5, 2) == [None, None]
    assert looks(one, {0: 0.5, 1: 0.0, 2: 0.0}, 0.5, 1) == [None]
    assert looks(one, {0: 1.0, 1: 0.0, 2: 0.0}, 0.5, 2) == [None, None]


def test_a_worker_stays_where_no_other_core_is_much_freer() -> None:
    assert looks(chooser(), {0: 1.0, 1: 0.5, 2: 0.6}, 0.5, 20) == [None] * 20


def test_two_workers_on_one_core_do_not_move_in_step() -> None:
    busy = {0: 1.0, 1: 0.0, 2: 0.0}

    assert looks(chooser(0.2, 0.7), busy, 0.5, 4) == [None, None, None, 1]


def test_after_a_move_a_worker_rests() -> None:
    one = chooser()
    looks(one, {0: 1.0, 1: 0.0, 2: 0.2}, 0.5, 3)

    moved = looks(one, {0: 0.0, 1: 1.0, 2: 0.2}, 0.5, 12)

    assert one.core == 0
    assert moved[:9] == [None] * 9
    assert moved[9] == 0


def test_cores_that_the_system_says_nothing_of_are_not_chosen() -> None:
    assert looks(chooser(), {0: 1.0}, 0.2, 9) == [None] * 9
    assert looks(chooser(), {1: 0.0, 2: 0.0}, 0.2, 9) == [None] * 9


def test_time_for_disks_and_other_guests_is_no_work() -> None:
    assert busy_seconds(STAT, 100) == {0: 1.60, 1: 2.33}
