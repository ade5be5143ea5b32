"""`<models>/registry.json`: the history of statements, replaced in one step when one is added."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from fanzha.domain.errors import NotTrustedError, RegistryRefusedError, SetupError
from fanzha.registry.replaced import write_replaced
from fanzha.registry.standing import Standing, after, standing_of
from fanzha.registry.statements import Statement, statement_of
from fanzha.signing.keys import TrustedKeys

REGISTRY_FILE: Final = "registry.json"
KEYS_FOLDER: Final = "keys"
"""Of the models' folder: where trusted keys lie unless another folder is named."""


def read_history(models: Path) -> tuple[Statement, ...]:
    """Return the statements of a registry that may not exist yet; their signatures are not checked.

    Raises:
        RegistryRefusedError: the file is damaged.
        SetupError: it cannot be read.
    """
    file = models / REGISTRY_FILE
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        if not models.is_dir():
            raise SetupError(
                f"there is no folder of models {models}; name it with --models"
            ) from None
        return ()
    except OSError as error:
        raise SetupError(f"cannot read {file}: {error.strerror}") from error
    try:
        return history_of(content)
    except NotTrustedError as error:
        raise RegistryRefusedError(f"{file}: {error}; restore it") from error


def history_of(content: bytes) -> tuple[Statement, ...]:
    """Return the statements of a registry's content; their signatures are not checked.

    Raises:
        RegistryRefusedError: the content is no registry.
    """
    try:
        stored = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RegistryRefusedError(f"it is damaged: {error}") from error
    if (
        not isinstance(stored, dict)
        or set(stored) != {"statements"}
        or not isinstance(stored["statements"], list)
    ):
        raise RegistryRefusedError("it is no registry, which is an object with statements alone")
    return tuple(
        statement_of(each, number) for number, each in enumerate(stored["statements"], start=1)
    )


def add_statement(
    models: Path, keys: TrustedKeys, make: Callable[[Standing], Statement]
) -> tuple[Statement, Standing]:
    """Add one statement, while no other command does; return it and what follows from it.

    Args:
        models: folder of all models.
        keys: the trusted keys.
        make: makes the statement, signed, from the standing before it.

    Raises:
        RegistryRefusedError: the registry does not count, or the statement may not follow.
        SetupError: the registry cannot be read or written.
    """
    with _locked(models):
        history = read_history(models)
        standing = standing_of(history, keys)
        statement = make(standing)
        changed = after(standing, statement, keys)
        _write(models, (*history, statement))
    return statement, changed


def _write(models: Path, history: Sequence[Statement]) -> None:
    stored = {"statements": [asdict(statement) for statement in history]}
    text = json.dumps(stored, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_replaced(models / REGISTRY_FILE, text.encode())


@contextmanager
def _locked(models: Path) -> Iterator[None]:
    """Keep other commands out: reading and replacing the registry must be one step."""
    try:
        descriptor = os.open(models, os.O_RDONLY)
    except OSError as error:
        raise SetupError(
            f"cannot open the folder of models {models}: {error.strerror}; name it with --models"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
