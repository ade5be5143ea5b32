"""What this machine lets the service use: its cores, and the time that they may take."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fanzha.core_list import cores_in

_CPUS: Final = Path("/sys/devices/system/cpu")
_CGROUP: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a service may use of it."""

    cores: frozenset[int]
    """Processor cores that this process may run on, as the system numbers them."""
    groups: tuple[tuple[int, ...], ...] = ()
    """The same cores; those that share one physical core (hyper-threads) stand together."""
    quota: float | None = None
    """How many cores' time the control group may take; None: no limit."""


def this_machine() -> Machine:
    """Look at the machine that this process runs on."""
    if not hasattr(os, "sched_getaffinity"):
        # Systems without affinity, such as macOS: nothing can be pinned there.
        return Machine(frozenset())
    cores = frozenset(os.sched_getaffinity(0))
    return Machine(cores, groups_of(cores, _CPUS), quota_of(_OWN_CGROUP, _CGROUP))


def groups_of(cores: Iterable[int], folder: Path) -> tuple[tuple[int, ...], ...]:
    """Return cores by the physical core that they are a part of.

    Args:
        cores: those that are looked at.
        folder: what the system says about each, `/sys/devices/system/cpu`.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for core in sorted(cores):
        try:
            said = (folder / f"cpu{core}/topology/thread_siblings_list").read_text("ascii")
            siblings = tuple(sorted(cores_in(said)))
        except (OSError, ValueError):
            siblings = (core,)
        groups.setdefault(siblings, []).append(core)
    return tuple(tuple(group) for group in groups.values())


def quota_of(own: Path, root: Path) -> float | None:
    """Return how many cores' time the control group may take, by the tightest limit above it.

    Args:
        own: which groups the process is in, `/proc/self/cgroup`.
        root: where control groups are mounted; of version 2, or with a folder `cpu` of version 1.
    """
    try:
        lines = own.read_text("utf-8").splitlines()
    except OSError:
        return None
    limits: list[float] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            limits += (limit for folder in _above(root, path) for limit in _limit_v2(folder))
        elif "cpu" in controllers.split(","):
            limits += (
                limit for folder in _above(root / "cpu", path) for limit in _limit_v1(folder)
            )
    return min(limits, default=None)


def _above(root: Path, path: str) -> Iterator[Path]:
    """Yield the folders of a group and of those above it; a container does not see all."""
    folder = root / path.lstrip("/")
    while folder != root:
        yield folder
        folder = folder.parent
    yield root


def _limit_v2(folder: Path) -> Iterator[float]:
    words = _words(folder / "cpu.max")
    if len(words) == 2 and words[0] != "max":
        yield int(words[0]) / int(words[1])


def _limit_v1(folder: Path) -> Iterator[float]:
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    if quota and period and int(quota[0]) > 0:
        yield int(quota[0]) / int(period[0])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text("ascii").split()
    except OSError:
        return []
