"""Writes files and folders so that a reader sees the old ones or the whole new ones, never a part.

What is written lies beside its place under a hidden name, is forced to disk, and is then renamed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanzha.domain.errors import SetupError


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replaced_file(place: Path) -> Iterator[Path]:
    """Yield a path to write to; it takes the file's place when the block ends without an error.

    Raises:
        SetupError: the folder cannot be written.

    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    except OSError as error:
        raise SetupError(
            f"{place} cannot be written: {error}; choose a folder that you may write to"
        ) from error
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)
        _sync(draft)
        draft.replace(place)
        _sync(place.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def published_folder(place: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it appears at its place when the block ends without an error.

    Raises:
        SetupError: the place is taken, or cannot be written.

    """
    if place.exists():
        raise SetupError(f"{place} exists already; remove it, or choose another name")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        raise SetupError(
            f"{place} cannot be written: {error}; choose a folder that you may write to"
        ) from error
    try:
        yield draft
        draft.chmod(0o755)
        for file in draft.iterdir():
            _sync(file)
        draft.rename(place)
        _sync(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
