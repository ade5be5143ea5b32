"""Which core each worker gets, from what the machine lets the service use."""

from collections.abc import Sequence

import pytest

from fanzha.core_list import cores_in
from fanzha.domain.errors import SetupError
from fanzha.workers.cores import plan_cores
from fanzha.workers.machine import Machine


def machine(
    *cores: int, groups: Sequence[tuple[int, ...]] = (), quota: float | None = None
) -> Machine:
    return Machine(frozenset(cores), tuple(groups), quota)


@pytest.mark.parametrize("turn", range(5))
def test_each_worker_gets_a_core_of_its_own_wherever_it_begins(turn: int) -> None:
    plan = plan_cores("auto", 3, machine(0, 1, 2, 3), turn)

    assert len(set(plan.workers)) == 3
    assert plan.rest == {0, 1, 2, 3} - set(plan.workers)
    assert plan.may_move
    assert plan.warnings == ()


def test_services_that_know_nothing_of_each_other_begin_at_different_cores() -> None:
    begins = {plan_cores("auto", 1, machine(0, 1, 2, 3), turn).workers for turn in range(4)}

    assert begins == {(0,), (1,), (2,), (3,)}


def test_two_workers_do_not_share_a_physical_core_while_there_is_another() -> None:
    threads = machine(0, 1, 2, 3, groups=((0, 2), (1, 3)))

    assert set(plan_cores("auto", 2, threads, 0).workers) == {0, 1}
    assert set(plan_cores("auto", 2, threads, 1).workers) == {0, 1}
    assert set(plan_cores("auto", 4, threads, 1).workers) == {0, 1, 2, 3}


def test_only_cores_that_the_service_may_use_are_chosen() -> None:
    assert set(plan_cores("auto", 2, machine(5, 9), 7).workers) == {5, 9}


def test_redis_shares_when_every_core_has_a_worker() -> None:
    assert plan_cores("auto", 2, machine(0, 1), 0).rest == {0, 1}


def test_one_core_leaves_nothing_to_choose() -> None:
    plan = plan_cores("auto", 2, machine(3), 0)

    assert plan.workers == (None, None)
    assert not plan.rest


def test_a_system_without_affinity_pins_nothing() -> None:
    assert plan_cores("auto", 1, machine(), 0).workers == (None,)


def test_off_leaves_it_to_the_machine() -> None:
    plan = plan_cores("off", 2, machine(0, 1, 2), 1)

    assert plan.workers == (None, None)
    assert plan.worker_cores(0) == "on any core"


def test_named_cores_are_given_in_their_order_and_kept() -> None:
    plan = plan_cores("3,0", 2, machine(0, 1, 2, 3), 1)

    assert plan.workers == (3, 0)
    assert plan.rest == {1, 2}
    assert not plan.may_move


def test_more_workers_than_cores_share_and_are_warned_of() -> None:
    plan = plan_cores("auto", 3, machine(0, 1), 0)

    assert plan.workers == (0, 1, 0)
    assert "3 workers share 2 core(s)" in plan.warnings[0]


def test_a_core_that_may_not_be_used_is_named_with_those_that_may() -> None:
    with pytest.raises(SetupError, match=r"names core 7, but .* may use 0, 1 only"):
        plan_cores("0,7", 2, machine(0, 1), 0)


@pytest.mark.parametrize(
    ("quota", "workers", "is_scarce"),
    [(None, 4, False), (2.0, 2, False), (1.5, 1, False), (1.5, 2, True), (0.5, 1, True)],
)
def test_a_limit_below_one_core_a_worker_is_warned_of(
    quota: float | None, workers: int, *, is_scarce: bool
) -> None:
    plan = plan_cores("auto", workers, machine(0, 1, 2, 3, quota=quota), 0)

    assert None not in plan.workers
    assert bool(plan.warnings) == is_scarce
    assert all("raise the CPU limit" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("text", "cores"),
    [("0", (0,)), ("0,2", (0, 2)), ("4-7\n", (4, 5, 6, 7)), ("3,0-1,3", (3, 0, 1))],
)
def test_lists_of_cores(text: str, cores: tuple[int, ...]) -> None:
    assert cores_in(text) == cores


@pytest.mark.parametrize("text", ["", "all", "1,", "-1", "1-", "1;2", "0x1"])
def test_what_is_no_list_of_cores(text: str) -> None:
    with pytest.raises(ValueError, match="such as 0,2 or 0-3"):
        cores_in(text)
