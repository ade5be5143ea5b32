"""Replaces a file so that a reader sees the old one or the whole new one, never a part."""

import os
import tempfile
from pathlib import Path

from fanzha.disk import sync
from fanzha.domain.errors import SetupError


def write_replaced(place: Path, content: bytes) -> None:
    """Write a file beside its place, force it to disk, and rename it.

    Raises:
        SetupError: the folder cannot be written.
    """
    draft = ""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(draft).chmod(0o644)
        Path(draft).replace(place)
        sync(place.parent)
    except OSError as error:
        if draft:
            Path(draft).unlink(missing_ok=True)
        raise SetupError(
            f"{place} cannot be written: {error.strerror}; make room, and allow writing there"
        ) from error
