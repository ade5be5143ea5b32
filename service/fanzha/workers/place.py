"""Where each worker works: its address, and its spool in the data folder that all share.

The first worker's spool is the folder `spool`, as that of a worker alone; the others' lie in it.
What workers leave that there are fewer of now is taken over by the first.
"""

import logging
from pathlib import Path
from typing import Final

from fanzha.disk import sync
from fanzha.domain.errors import SetupError

log = logging.getLogger(__name__)

_NAME: Final = "worker-"
_PORT_MAX: Final = 65_535


def spool_of(spool: Path, number: int) -> Path:
    """Return the folder of a worker's segments, numbers from 0.

    Args:
        spool: of the service.
        number: the worker's.
    """
    return spool / f"{_NAME}{number + 1}" if number else spool


def address_of(address: str, number: int) -> str:
    """Return a worker's address, numbers from 0: ports count up, Unix sockets get a number.

    Args:
        address: the first worker's; port 0 stays, for any free port.
        number: the worker's.

    Raises:
        SetupError: there are not so many ports.
    """
    if not number:
        return address
    host, _, port = address.rpartition(":")
    if host == "unix":
        return f"{address}-{number + 1}"
    if not port.isdecimal() or int(port) == 0:
        return address
    if int(port) + number > _PORT_MAX:
        raise SetupError(
            f"worker {number + 1} would listen on port {int(port) + number}, and there is none "
            "above 65535: choose a lower one with --address"
        )
    return f"{host}:{int(port) + number}"


def spools_of(spool: Path) -> list[Path]:
    """Return the folders of a service's spool: the first worker's, then those of others."""
    others = (path for path in spool.glob(f"{_NAME}*") if path.is_dir())
    return [spool, *sorted(others)]


def take_over(spool: Path, workers: int) -> None:
    """Move what workers left, that there are fewer of now, to the first worker, who sends it.

    The caller holds the data folder, so that none of them lives.

    Raises:
        SetupError: it cannot be moved.
    """
    used = {spool_of(spool, number) for number in range(workers)}
    for folder in spools_of(spool):
        if folder not in used:
            try:
                _move(folder, spool)
            except OSError as error:
                raise SetupError(
                    f"cannot take over what an earlier worker left in {folder}: {error.strerror}; "
                    "run this as the user who owns it"
                ) from error


def _move(folder: Path, spool: Path) -> None:
    count = 0
    for path in sorted(folder.iterdir()):
        target = spool / path.name
        if target.exists():
            log.error("%s stays where it is: %s is there already", path, target)
            continue
        path.rename(target)
        count += 1
    # The new names first: a machine that loses power may forget that the old ones went.
    sync(spool)
    sync(folder)
    if not any(folder.iterdir()):
        folder.rmdir()
        sync(spool)
    if count:
        log.info("took over %d file(s) of an earlier worker from %s", count, folder)
