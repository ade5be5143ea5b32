"""A disk that can be filled: a small file system in memory, which needs root to mount."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

_FILLER = "filler"


def why_not() -> str:
    """Return why no disk can be mounted here; empty when one can."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return "mounting a small disk needs root"
    return ""


class SmallDisk:
    """A tmpfs mounted at a folder; use it with `with`."""

    def __init__(self, folder: Path, size_mib: int = 24) -> None:
        """Mount it.

        Raises:
            RuntimeError: the system does not allow it.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "none", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"a small disk could not be mounted: {done.stderr.strip()}")

    def fill(self) -> None:
        """Take all the space that is left."""
        with (self.folder / _FILLER).open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Give the space back."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it; what is still open there goes when it is closed."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
