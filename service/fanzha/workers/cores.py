"""Chooses the core of each worker.

All threads of a worker share Python's lock: on several cores they fight for it, on one they take
turns. On a quiet machine a worker that is free to use two cores answers two thirds of what it does
on one (docs/adr/0028-many-workers.md).
"""

from dataclasses import dataclass
from typing import Final

from fanzha.core_list import cores_in
from fanzha.domain.errors import SetupError
from fanzha.workers.machine import Machine

AUTO: Final = "auto"
OFF: Final = "off"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where workers, and what serves them, run."""

    workers: tuple[int | None, ...]
    """Core of each worker; None: it is left to the machine."""
    rest: frozenset[int]
    """Cores for the embedded Redis: those without a worker, where there are any; empty: any."""
    may_move: bool = False
    """Whether a worker moves to another core when others need its own."""
    warnings: tuple[str, ...] = ()

    def worker_cores(self, number: int) -> str:
        """Say in words where a worker runs, numbers from 0."""
        core = self.workers[number]
        if core is None:
            return "on any core"
        return f"on core {core}" + (", and moves if others need it" if self.may_move else "")


def plan_cores(pin: str, workers: int, machine: Machine, turn: int) -> Plan:
    """Choose a core for each worker.

    Args:
        pin: `auto`; `off`; or a list of cores, the first for the first worker.
        workers: how many there are.
        machine: what may be used of it.
        turn: any number; with `auto`, at which physical core to begin. Left to chance, as services
            on one machine know nothing of each other and all would begin with the first.

    Raises:
        SetupError: a core is named that this process may not use.
    """
    warnings = _scarce(workers, machine)
    if pin == OFF or len(machine.cores) < 2:
        return Plan((None,) * workers, frozenset(), warnings=warnings)
    if pin == AUTO:
        order = _in_order(machine, turn)
    else:
        order = cores_in(pin)
        if foreign := sorted(set(order) - machine.cores):
            raise SetupError(
                f"FANZHA_PIN names core {', '.join(map(str, foreign))}, but this process may use "
                f"{', '.join(map(str, sorted(machine.cores)))} only; name some of these, or auto"
            )
    if workers > len(order):
        shared = (
            f"{workers} workers share {len(order)} core(s): more workers than cores answer no "
            "more, and each needs its memory; lower FANZHA_WORKERS"
        )
        warnings = (*warnings, shared)
    chosen = tuple(order[number % len(order)] for number in range(workers))
    rest = machine.cores - set(chosen) or machine.cores
    return Plan(chosen, rest, may_move=pin == AUTO, warnings=warnings)


def _scarce(workers: int, machine: Machine) -> tuple[str, ...]:
    """Say where the control group stops workers that have a core each."""
    if machine.quota is None or machine.quota >= workers:
        return ()
    return (
        f"the control group may take the time of {machine.quota:g} core(s), less than one for each "
        f"of {workers} worker(s): all of them are stopped for a part of every tenth of a second, "
        "which shows in the slowest answers; raise the CPU limit"
        + (", or lower FANZHA_WORKERS" if workers > 1 else ""),
    )


def _in_order(machine: Machine, turn: int) -> tuple[int, ...]:
    """Return the cores: first one of each physical core, from a turn on, then their others."""
    groups = machine.groups or tuple((core,) for core in sorted(machine.cores))
    begin = turn % len(groups)
    groups = groups[begin:] + groups[:begin]
    longest = max(map(len, groups))
    return tuple(group[place] for place in range(longest) for group in groups if place < len(group))
