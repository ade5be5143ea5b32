"""The circuit breaker, on a clock of the test's own."""

import pytest

from fanzha.adapters.redis_breaker import PAUSE_MAX_S, PAUSE_MIN_S, Breaker


class World:
    """A clock that stands still, jitter that is chosen, and a count of openings."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.jitter = 1.0
        self.openings = 0

    def opened(self) -> None:
        self.openings += 1

    def breaker(self) -> Breaker:
        return Breaker(self.opened, lambda: self.now_s, lambda _low, _high: self.jitter)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def breaker(world: World) -> Breaker:
    return world.breaker()


def test_one_failure_opens_and_a_good_probe_closes(world: World, breaker: Breaker) -> None:
    assert breaker.is_closed
    breaker.failed(breaker.generation, "refused")
    assert not breaker.is_closed
    assert breaker.cause == "refused"
    assert breaker.probe_due_s == world.now_s + PAUSE_MIN_S
    breaker.probe_succeeded()
    assert breaker.is_closed


def test_many_calls_that_fail_together_open_it_once(world: World, breaker: Breaker) -> None:
    began = [breaker.generation] * 32
    for generation in began:
        breaker.failed(generation, "late")
    assert (breaker.opened, world.openings) == (1, 1)
    breaker.probe_succeeded()
    breaker.failed(began[0], "a call from before the server came back")
    assert breaker.is_closed


def test_probes_come_less_and_less_often_up_to_a_bound(world: World, breaker: Breaker) -> None:
    breaker.failed(breaker.generation, "refused")
    pauses = [breaker.probe_due_s - world.now_s]
    for _ in range(12):
        breaker.probe_failed("still refused")
        pauses.append(breaker.probe_due_s - world.now_s)
    assert pauses == sorted(pauses)
    assert pauses[1] > pauses[0]
    assert pauses[-1] == pauses[-2] == PAUSE_MAX_S
    assert breaker.cause == "still refused"


def test_jitter_moves_a_probe(world: World, breaker: Breaker) -> None:
    world.jitter = 0.5
    breaker.failed(breaker.generation, "refused")
    assert breaker.probe_due_s == world.now_s + PAUSE_MIN_S / 2


def test_a_relapse_goes_on_with_the_pause_that_was_reached(world: World, breaker: Breaker) -> None:
    breaker.failed(breaker.generation, "slow")
    for _ in range(4):
        breaker.probe_failed("slow")
    reached = breaker.probe_due_s - world.now_s
    breaker.probe_succeeded()
    world.now_s += 0.1
    breaker.failed(breaker.generation, "slow")
    assert breaker.probe_due_s - world.now_s > reached
    breaker.probe_succeeded()
    world.now_s += 60
    breaker.failed(breaker.generation, "slow")
    assert breaker.probe_due_s - world.now_s == pytest.approx(PAUSE_MIN_S)


def test_connections_that_open_late_open_it_only_in_a_row(breaker: Breaker) -> None:
    for _ in range(4):
        breaker.late(breaker.generation, "late")
    assert breaker.is_closed
    breaker.lates = 0
    for _ in range(4):
        breaker.late(breaker.generation, "late")
    assert breaker.is_closed
    breaker.late(breaker.generation, "late")
    assert not breaker.is_closed


def test_calls_without_time_are_a_ground_to_look_and_none_to_open(breaker: Breaker) -> None:
    assert [breaker.short() for _ in range(4)] == [False] * 4
    breaker.shorts = 0
    assert [breaker.short() for _ in range(5)] == [False] * 4 + [True]
    assert [breaker.short() for _ in range(5)] == [False] * 4 + [True]
    assert breaker.is_closed
