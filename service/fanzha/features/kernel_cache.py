"""Where the compiled kernel is kept, so that no start of a service compiles it.

Numba looks only at the file of the function itself to see whether a cached result is still good;
the kernels of features and of explanations are spread over several. So the cache's folder is named
by a hash of them all. And it
compiles for the processor that it runs on; an image is built on one and runs on others. So the
target is the architecture's baseline: measured, the kernel is no slower for it, and a vector is the
same on every machine of an architecture.
"""

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numba

log = logging.getLogger(__name__)

CPU: Final = "generic"
_PARTS: Final = ("explain", "features")
"""Folders of the package that hold compiled functions."""


@dataclass(slots=True)
class KernelCache:
    """What came out of the cache, and what had to be compiled."""

    folder: Path
    loaded: list[str] = field(default_factory=list)
    compiled_s: dict[str, float] = field(default_factory=dict)
    """Seconds by function."""

    def discard(self, function: str, error: Exception) -> None:
        """Throw away a function's files that cannot be read: a full disk or a loss of power."""
        log.warning(
            "%s in the kernel's cache %s is damaged (%s) and made anew",
            *(function, self.folder, type(error).__name__),
        )
        for file in self.folder.rglob(f"*.{function}-*"):
            file.unlink(missing_ok=True)

    def note(self, function: str, seconds: float, *, hit: bool) -> None:
        """Take note of an entry point that is ready."""
        if hit:
            self.loaded.append(function)
        else:
            self.compiled_s[function] = seconds


def _source_hash() -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{numba.__version__} {os.uname().machine} {CPU}".encode())
    package = Path(__file__).parents[1]
    for file in sorted(file for part in _PARTS for file in (package / part).glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _folder() -> Path:
    """Return a writable folder: FANZHA_KERNEL_CACHE, the user's cache, or a temporary one.

    A cache that was warmed in an image may be read only. Numba wants to write beside it, so that it
    is copied, half a megabyte, to where writing is allowed.
    """
    name = f"kernel-{_source_hash()}"
    warmed: Path | None = None
    try:
        wish = os.environ.get("FANZHA_KERNEL_CACHE") or Path.home() / ".cache" / "fanzha"
        folder = Path(wish) / name
        if folder.is_dir():
            warmed = folder
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # a user without a home raises RuntimeError
        temporary = Path(tempfile.mkdtemp(prefix="fanzha-kernel-"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        if warmed is not None:
            shutil.copytree(warmed, temporary / name)
        return temporary / name


KERNEL_CACHE: Final = KernelCache(_folder())

numba.config.CACHE_DIR = str(KERNEL_CACHE.folder)  # type: ignore[attr-defined]
numba.config.CPU_NAME = CPU  # type: ignore[attr-defined]
numba.config.CPU_FEATURES = ""  # type: ignore[attr-defined]
