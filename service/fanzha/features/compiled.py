"""Compiles the kernel once for a source, a compiler and a processor, and keeps the result.

Numba looks only at the file of the function itself to see whether a cached result is still good;
the kernel is spread over several. So the cache's folder is named by a hash of them all.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def _source_hash() -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{numba.__version__} {os.uname().machine}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _cache_folder() -> Path:
    """Return a writable folder: FANZHA_KERNEL_CACHE, the user's cache, or a temporary one."""
    try:
        wish = os.environ.get("FANZHA_KERNEL_CACHE") or Path.home() / ".cache" / "fanzha"
        folder = Path(wish) / f"kernel-{_source_hash()}"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # a user without a home raises RuntimeError
        return Path(tempfile.mkdtemp(prefix="fanzha-kernel-"))


numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]


def compiled(signature: str | None = None) -> Callable[[F], F]:
    """Return a decorator that compiles a function without the GIL and without fast-math.

    Args:
        signature: explicit types of an entry point, compiled when it is imported and cached. None
            for parts that are only called by compiled functions.

    """

    def decorate(function: F) -> F:
        if signature is None:
            return cast("F", numba.njit(nogil=True, fastmath=False)(function))
        entry = numba.njit(signature, nogil=True, fastmath=False, cache=True)(function)
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
    return status == 1 or (status == 0 and decision <= 2)


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
