"""Connects to a Dask cluster, or starts one on this machine.

Workers read and write files by the same paths as this process, so a cluster of several machines
needs a shared folder; transfers and vectors are never sent over the network, only the places of
rows, their labels and weights.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from distributed import Client, LocalCluster

from fanzha.domain.errors import SetupError

_LOCAL: Final = re.compile(r"local:([1-9]\d{0,2})")
_CONNECT_S: Final = 30


@contextmanager
def cluster(where: str) -> Iterator[Client]:
    """Yield a client of a cluster; one that was started here ends with the block.

    Args:
        where: `local:N` for N processes on this machine, which listen on loopback only, or the
            address of a scheduler, `tcp://HOST:PORT` or `tls://HOST:PORT`.

    Raises:
        SetupError: there is no such cluster, or it has no worker.

    """
    local = _LOCAL.fullmatch(where)
    if local:
        with (
            LocalCluster(
                n_workers=int(local[1]),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
            ) as started,
            Client(started) as client,
        ):
            yield client
        return
    if not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d{1,5}", where):
        raise SetupError(
            f"--dask is {where!r}; give local:N for N processes on this machine, or the address of "
            "a scheduler such as tcp://10.0.0.5:8786"
        )
    try:
        client = Client(where, timeout=_CONNECT_S)
    except OSError as error:
        raise SetupError(
            f"no Dask scheduler answers at {where} ({error}); start one with dask scheduler, and "
            "workers with dask worker"
        ) from error
    with client:
        if not workers_of(client):
            raise SetupError(f"the scheduler at {where} has no worker; start some with dask worker")
        yield client


def workers_of(client: Client) -> list[str]:
    """Return the addresses of the workers, sorted."""
    return sorted(client.scheduler_info(n_workers=-1)["workers"])
