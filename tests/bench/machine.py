"""One core, and what it is."""

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter

Spread = dict[str, float]
"""Median, least and most of one figure over the rounds."""

_STACK = ("numba", "numpy", "onnxruntime", "polars", "pyarrow")


def pin_to_one_core() -> int:
    """Keep this process, and every thread that it starts from now on, on one core; return it."""
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def describe(core: int) -> dict[str, str]:
    """Return what a figure has to be read with."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": names[0] if names else platform.machine(),
        "core": str(core),
        "python": platform.python_version(),
        **{name: version(name) for name in _STACK},
    }


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long the work takes, on the wall."""
    began = perf_counter()
    work()
    return perf_counter() - began


def spread(values: list[float]) -> Spread:
    """Return median, least and most."""
    return {"median": median(values), "least": min(values), "most": max(values)}
