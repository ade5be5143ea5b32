"""The data folder belongs to one process at a time."""

import fcntl
from pathlib import Path
from typing import BinaryIO

from fanzha.domain.errors import SetupError


def hold(folder: Path) -> BinaryIO:
    """Hold a data folder for this process alone, until the file that is returned is closed.

    Raises:
        SetupError: it cannot be written, or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    except OSError as error:
        raise SetupError(
            f"cannot write in {folder}: {error.strerror}; choose a writable folder with --data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise SetupError(
            f"{folder} is in use by another instance; stop it, or choose another --data-dir"
        ) from error
    return lock
