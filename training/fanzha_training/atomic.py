"""Writes files and folders so that a reader sees the old ones or the whole new ones, never a part.

What is written lies beside its place under a hidden name, is forced to disk, and is then renamed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanzha.disk import sync
from fanzha.domain.errors import SetupError


@contextmanager
def replaced_file(place: Path, elsewhere: str = "choose another folder") -> Iterator[Path]:
    """Yield a path to write to; it takes the file's place when the block ends without an error.

    Args:
        place: the file.
        elsewhere: what to do where its folder will not have it.

    Raises:
        SetupError: the folder cannot be written, or something in the block could not be.

    """
    draft = None
    try:
        if place.is_dir():
            raise SetupError(f"{place} cannot be written to: it is a folder; name a file")
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        os.close(descriptor)
        draft = Path(name)
        yield draft
        draft.chmod(0o644)
        sync(draft)
        draft.replace(place)
        sync(place.parent)
    except OSError as error:
        raise _cannot_write(place, error, elsewhere) from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def _cannot_write(place: Path, error: OSError, elsewhere: str) -> SetupError:
    return SetupError(
        f"{place} cannot be written to ({error.strerror or error}); make room in {place.parent} "
        f"and allow writing there, or {elsewhere}"
    )


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
        raise _cannot_write(place, error, "choose another folder") from error
    try:
        yield draft
        draft.chmod(0o755)
        for file in draft.iterdir():
            sync(file)
        draft.rename(place)
        sync(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
