"""Files that hold secrets: read when nobody else can read them, written whole or not at all."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from fanzha.disk import sync
from fanzha.domain.errors import SetupError

SECRET_BYTES_MAX: Final = 64 * 1024
_OF_ALL: Final = stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH
_OF_GROUP: Final = stat.S_IRGRP | stat.S_IXGRP


def read_private(path: Path, what: str, remedy: str) -> bytes:
    """Return the content of a file that holds a secret.

    Its group may read it only where it belongs to somebody else, as a mounted secret does: who owns
    a file can take that right away.

    Args:
        path: the file.
        what: what it holds, for messages.
        remedy: what to do when it cannot be read.

    Raises:
        SetupError: it cannot be read, others may read or change it, or it is no plain, small file.
    """
    try:
        # Opened once: the file whose rights are looked at is the file that is read.
        with open(path, "rb", buffering=0, opener=_at_once) as file:
            status = os.fstat(file.fileno())
            _check_rights(path, status, what)
            content = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise SetupError(f"cannot read {what} {path}: {error.strerror}; {remedy}") from error
    if not stat.S_ISREG(status.st_mode) or len(content) > SECRET_BYTES_MAX:
        raise SetupError(f"{path} is no file of at most {SECRET_BYTES_MAX} bytes; {remedy}")
    return content


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: a pipe that nobody writes to is told as what it is."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_rights(path: Path, status: os.stat_result, what: str) -> None:
    mode = status.st_mode
    is_own = status.st_uid == os.geteuid()
    if mode & (_OF_ALL | stat.S_IWGRP) or (is_own and mode & _OF_GROUP):
        raise SetupError(
            f"others may read or change {what} {path}; take that away: chmod 600 {path} "
            "(a mounted secret: give it mode 0400, or 0440 and a group of its own)"
        )


def write_private_once(path: Path, content: bytes, what: str) -> bool:
    """Write a file that its owner alone may read; say whether it was not there before.

    Raises:
        SetupError: the folder cannot be written.
    """
    return _written(path, content, what, is_new=True)


def replace_private(path: Path, content: bytes, what: str) -> None:
    """Write a file that its owner alone may read in the place of another one, in one step.

    Raises:
        SetupError: the folder cannot be written.
    """
    _written(path, content, what, is_new=False)


def _written(path: Path, content: bytes, what: str, *, is_new: bool) -> bool:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    written = True
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                try:
                    # Whole or not at all, and never over a file that is there.
                    os.link(draft, path)
                except FileExistsError:
                    written = False
            else:
                draft.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
        sync(path.parent)
    except OSError as error:
        raise SetupError(
            f"cannot write {what} {path}: {error.strerror}; choose a place that can be written"
        ) from error
    return written
