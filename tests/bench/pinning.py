"""What pinning a worker gains, and what a limit of processor time costs it.

One worker with an embedded Redis; the client and Redis have the other cores. Each way is measured
in every round, so that what else the machine does falls on all of them alike. A limit is made as a
container's is, by a control group, of version 1 or 2, where this process may make one.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from tests.bench.machine import spread

from fanzha_loadtest.driver import Driver
from fanzha_loadtest.http2 import Call
from fanzha_loadtest.overload import bodies_from
from fanzha_loadtest.service import Service

ROOT = Path(__file__).parents[2]
ROUNDS = 3
_METHOD = "/fanzha.v1.ScoringService/ScoreTransfer"
_CALLERS = 32
_WARM_S = 2.0
_RATE_MAX = 6_000
_LIMITS = (0.5, 1.0, 1.5)
"""Cores' time that a worker, without its Redis, may take."""
_PERIOD_US = 100_000
_GROUPS = Path("/sys/fs/cgroup")


def measure(seconds: float) -> dict[str, Any]:
    """Measure a worker in closed loops, in turn: pinned, free, and both under limits.

    Args:
        seconds: of all loads together.

    Returns:
        `pinned_per_s`, `free_per_s`, `pinned_limit_0.5_per_s`, … (answers a second), `…_p99_ms` and
        `…_cpu_us` (the worker's processor time for one), each a Spread over the rounds;
        `pinned_ratio`, pinned ÷ free of the same round; `skipped`: what could not be measured here,
        and why.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return {"skipped": {"pinning": "one core: client and worker would share it"}}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="fz-") as folder, _group(skipped) as group:
        place = Path(folder)
        service = Service(place / "data", ROOT / "models", place / "log", clock="system")
        with service:
            os.sched_setaffinity(0, set(cores[1:]))
            if group is not None:
                group.take(service.pid)
            try:
                rows = _rounds(service, cores, group, seconds)
            finally:
                os.sched_setaffinity(0, set(cores))
    figures: dict[str, Any] = {name: spread(values) for name, values in rows.items()}
    ratios = [a / b for a, b in zip(rows["pinned_per_s"], rows["free_per_s"], strict=True)]
    return figures | {"pinned_ratio": spread(ratios), "skipped": skipped}


def _rounds(
    service: Service, cores: list[int], group: "Group | None", seconds: float
) -> dict[str, list[float]]:
    limits = _LIMITS if group is not None else ()
    ways = [
        (f"{name}{_named(limit)}", places, limit)
        for limit in (None, *limits)
        for name, places in (("pinned", {cores[0]}), ("free", set(cores)))
    ]
    one_s = seconds / (ROUNDS * len(ways))
    rows: dict[str, list[float]] = {}
    source = bodies_from(time.time_ns())
    _load(service, source, _WARM_S)
    for _ in range(ROUNDS):
        for name, places, limit in ways:
            service.pin(places)
            if group is not None:
                group.limit(limit)
            for figure, value in _load(service, source, one_s).items():
                rows.setdefault(f"{name}_{figure}", []).append(value)
    return rows


def _named(limit: float | None) -> str:
    return "" if limit is None else f"_limit_{limit:g}"


def _load(service: Service, source: Iterator[bytes], seconds: float) -> dict[str, float]:
    bodies = iter([next(source) for _ in range(int(_RATE_MAX * seconds))])
    with Driver([service.address], Call(_METHOD)) as driver:
        before_s = _cpu_seconds(service)
        load = driver.closed(bodies, _CALLERS, seconds)
        used_s = _cpu_seconds(service) - before_s
    return {
        "per_s": load.goodput_s,
        "p99_ms": load.latency_ms(0.99),
        "cpu_us": 1_000_000 * used_s / max(1, load.answered),
    }


def _cpu_seconds(service: Service) -> float:
    times = psutil.Process(service.pid).cpu_times()
    return float(times.user + times.system)


class Group:
    """A control group that the worker is in, with a limit that changes."""

    def __init__(self, folder: Path, limit: str, period: str = "") -> None:
        self.folder = folder
        self._limit = folder / limit
        self._period = period

    def take(self, pid: int) -> None:
        """Put a process with all its threads into the group."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def limit(self, cores: float | None) -> None:
        """Limit the time; None: no limit."""
        if self._period:
            quota = -1 if cores is None else int(cores * _PERIOD_US)
            self._limit.write_text(str(quota))
        else:
            quota_or_max = "max" if cores is None else str(int(cores * _PERIOD_US))
            self._limit.write_text(f"{quota_or_max} {_PERIOD_US}")


@contextmanager
def _group(skipped: dict[str, str]) -> Iterator[Group | None]:
    """Yield a new group, None where none can be made."""
    version_1 = (_GROUPS / "cpu" / "cpu.cfs_quota_us").exists()
    parent = _GROUPS / "cpu" if version_1 else _GROUPS
    folder = parent / f"fanzha-bench-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        skipped["limits"] = f"no control group can be made here: {error.strerror}"
        yield None
        return
    limit = "cpu.cfs_quota_us" if version_1 else "cpu.max"
    if not (folder / limit).exists():
        skipped["limits"] = "control groups here limit no processor time"
        folder.rmdir()
        yield None
        return
    try:
        yield Group(folder, limit, "cpu.cfs_period_us" if version_1 else "")
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            (parent / "cgroup.procs").write_text(pid)
        folder.rmdir()
