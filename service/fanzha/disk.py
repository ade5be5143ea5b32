"""What is written is on the disk, and not only in the machine's memory."""

import os
from pathlib import Path


def make_folder(path: Path) -> None:
    """Make a folder and those above it, whose names are then on the disk; none if it is there.

    Raises:
        OSError: it cannot be made, or the disk refuses.
    """
    missing = [one for one in (path, *path.parents) if not one.is_dir()]
    path.mkdir(parents=True, exist_ok=True)
    for one in reversed(missing):
        sync(one.parent)


def sync(path: Path) -> None:
    """Force a file, or a folder's names of its files, to the disk.

    Raises:
        OSError: the disk refuses.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
