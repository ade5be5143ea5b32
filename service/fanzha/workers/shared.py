"""What all workers of a service share: the data folder, held against other services, and Redis."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.domain.errors import SetupError
from fanzha.settings import Settings, check_settings
from fanzha.workers.place import take_over


@dataclass(frozen=True, slots=True)
class Shared:
    """Held until the service ends."""

    lock: BinaryIO
    """Holds the data folder. Workers inherit it, so that nobody else takes the folder while one of
    them still lives."""
    spool: Path
    redis_url: str


@contextmanager
def shared_by(settings: Settings, redis_cores: frozenset[int]) -> Iterator[Shared]:
    """Yield what the workers of a service share, and take it down in the end.

    Args:
        settings: of the service.
        redis_cores: where the embedded Redis may run; empty: anywhere.

    Raises:
        SetupError: settings do not fit, the folder is in use, or Redis does not start.
    """
    check_settings(settings)
    lock = hold(settings.data_dir)
    try:
        spool = settings.data_dir / "spool"
        take_over(spool, settings.workers)
        if not settings.embedded:
            yield Shared(lock, spool, settings.redis)
            return
        redis = EmbeddedRedis(settings.data_dir / "redis", redis_cores)
        try:
            redis.supervise()
            yield Shared(lock, spool, redis.url)
        finally:
            redis.close()
    finally:
        lock.close()


def hold(folder: Path) -> BinaryIO:
    """Hold the data folder for this service alone; a new one is for its owner alone.

    Raises:
        SetupError: another service holds it, or it cannot be written.
    """
    try:
        # A folder that is there already keeps its rights.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
