"""How the kernel's functions are compiled, and what many of them ask."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

import numba

from fanzha.domain.vocabulary import DecisionKind, ExecutionStatus
from fanzha.features.kernel_cache import KERNEL_CACHE

_UNREPORTED = int(ExecutionStatus.UNSPECIFIED)
_POSTED = int(ExecutionStatus.POSTED)
_CONFIRM = int(DecisionKind.CONFIRM)

F = TypeVar("F", bound=Callable[..., object])


def compiled(signature: str | None = None) -> Callable[[F], F]:
    """Return a decorator that compiles a function without the GIL and without fast-math.

    Args:
        signature: explicit types of an entry point, compiled when it is imported and cached. None
            for parts that are only called by compiled functions.

    """

    def decorate(function: F) -> F:
        if signature is None:
            return cast("F", numba.njit(nogil=True, fastmath=False)(function))
        began = time.perf_counter()
        compile_it = numba.njit(signature, nogil=True, fastmath=False, cache=True)
        try:
            entry = compile_it(function)
        except numba.core.errors.NumbaError:
            raise
        except Exception as error:  # noqa: BLE001 - a damaged file fails in any of many ways
            KERNEL_CACHE.discard(function.__name__, error)
            entry = compile_it(function)
        hit = bool(entry.stats.cache_hits)
        KERNEL_CACHE.note(function.__name__, time.perf_counter() - began, hit=hit)
        return cast("F", entry)

    return decorate


@compiled()
def known(value: int) -> float:
    """Return a fact as float64, NaN when it is UNKNOWN."""
    if value == -9223372036854775808:
        return float("nan")
    return float(value)


@compiled()
def counts_as_paid(status: int, decision: int) -> bool:
    """Say whether an attempt counts as money moved.

    Posted; or not reported and decided ALLOW or CONFIRM. Failed, reversed, paused and blocked
    attempts moved nothing.
    """
    return status == _POSTED or (status == _UNREPORTED and decision <= _CONFIRM)


@compiled()
def is_paid(flags: int) -> bool:
    """Say whether an event counts as money moved, by the status known so far."""
    return counts_as_paid((flags >> 24) & 0xFF, (flags >> 16) & 0xFF)


@compiled()
def plus(total: int, amount: int) -> int:
    """Return the sum of two numbers from 0 to 2**63 - 1, 2**63 - 1 where it would be larger."""
    room = 9223372036854775807 - total
    return total + amount if amount <= room else 9223372036854775807


@compiled()
def day_of(time_ms: int, utc_offset_s: int) -> int:
    """Return the local day, in days since 1970-01-01."""
    return (time_ms + utc_offset_s * 1000) // 86_400_000
