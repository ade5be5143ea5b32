"""What is written is on the disk, and not only in the machine's memory."""

import os
from pathlib import Path


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
