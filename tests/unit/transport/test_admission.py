"""Room for calls follows the wait that they cause; a clock of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fanzha.transport.admission import Admission, Limits
from fanzha.transport.patience import Patience

LIMITS = Limits(threads=4, calls_max=100, target_s=0.015, wait_max_s=0.05)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> Admission:
    return Admission(LIMITS, clock)


def waits(admission: Admission, seconds: float, times: int = 1) -> None:
    for _ in range(times):
        assert admission.is_in_time(seconds)


def test_there_is_room_up_to_the_limit_and_no_further(admission: Admission) -> None:
    for _ in range(100):
        assert admission.has_room(stalled=0)
        admission.enter()
    assert not admission.has_room(stalled=0)
    assert admission.refused == 1
    admission.leave()
    assert admission.has_room(stalled=0)


def test_who_waits_for_its_own_client_takes_no_room(admission: Admission) -> None:
    for _ in range(100):
        admission.enter()
    assert admission.has_room(stalled=1)


def test_long_waits_cut_the_limit_below_what_is_in(admission: Admission) -> None:
    for _ in range(60):
        admission.enter()
    waits(admission, 0.02)
    assert admission.limit == 51


def test_one_crowd_cuts_once(admission: Admission, clock: Clock) -> None:
    for _ in range(60):
        admission.enter()
    waits(admission, 0.02, times=20)
    assert admission.limit == 51
    clock.now_s += 0.2
    waits(admission, 0.02)
    assert admission.limit == 43


def test_threads_are_never_left_without_work(admission: Admission, clock: Clock) -> None:
    admission.enter()
    for _ in range(50):
        clock.now_s += 1
        waits(admission, 0.03)
    assert admission.limit == LIMITS.threads


def test_short_waits_open_it_again(admission: Admission, clock: Clock) -> None:
    for _ in range(60):
        admission.enter()
    waits(admission, 0.02)
    waits(admission, 0.001, times=20_000)
    assert admission.limit == LIMITS.calls_max


def test_a_turn_that_comes_too_late_is_refused(admission: Admission) -> None:
    assert not admission.is_in_time(0.05)
    assert admission.refused == 1


class Call:
    def __init__(self, told: Callable[[object], object]) -> None:
        self._told = told

    def cancel(self) -> None:
        self._told(self)


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def begin(
    held: ExitStack, patience: Patience, clock: Clock, ended: list[object], limit_s: float
) -> list[Call]:
    """Five calls, a millisecond apart, whose messages do not come."""
    calls = [Call(ended.append) for _ in range(5)]
    for call in calls:
        held.enter_context(patience.waiting(call, limit_s))
        clock.now_s += 0.001
    return calls


def test_a_call_that_owes_its_message_for_too_long_is_ended(clock: Clock, held: ExitStack) -> None:
    ended: list[object] = []
    patience = Patience(10, clock)
    calls = begin(held, patience, clock, ended, 2.0)
    clock.now_s += 1.9
    patience.look()
    assert (ended, patience.stalled) == ([], 5)
    clock.now_s += 0.2
    patience.look()
    assert (ended, patience.stalled) == (calls, 0)
    patience.close()


def test_of_too_many_that_stall_the_oldest_are_ended(clock: Clock, held: ExitStack) -> None:
    ended: list[object] = []
    patience = Patience(2, clock)
    calls = begin(held, patience, clock, ended, 60.0)
    clock.now_s += 1
    patience.look()
    assert ended == calls[:3]
    assert patience.stalled == 2
    patience.close()


def test_a_message_that_came_ends_the_wait(clock: Clock) -> None:
    ended: list[object] = []
    patience = Patience(0, clock)
    with patience.waiting(Call(ended.append), 1.0):
        pass
    clock.now_s += 5
    patience.look()
    assert (ended, patience.stalled) == ([], 0)
    patience.close()
