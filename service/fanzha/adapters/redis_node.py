"""One Redis server as the link knows it: how to reach it, whether it is well, what lies there."""

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from fanzha.adapters.redis_breaker import Breaker
from fanzha.adapters.redis_url import Address, Kind, Login, Target
from fanzha.adapters.redis_wire import Command, Refusal, Wire
from fanzha.domain.errors import StoreUnavailableError

_RUN_ID = re.compile(rb"^run_id:(\w+)", re.MULTILINE)
_TIMEOUT_MIN_S = 0.0005


class Node:
    """A server that holds data; it is the same object for as long as the link lives."""

    def __init__(self, target: Target, address: Address, on_open: Callable[[], None]) -> None:
        """Know of it, without connecting.

        Args:
            target: how to open connections.
            address: where it is.
            on_open: told when its breaker opens.
        """
        self.address = address
        self.name = name_of(address)
        self.breaker = Breaker(on_open)
        self.run_id = b""
        """Names the process that was last seen there; empty before the first connection."""
        self.owned: frozenset[int] = frozenset()
        """Buckets that it serves."""
        self.verified: set[int] = set()
        """Those of them whose lineage is known to name this process."""
        self.due: frozenset[int] = frozenset()
        """Those whose lineage must be looked at before anything is asked there."""
        self.lock = threading.Lock()
        """Held while lineages are looked at or the buckets change."""
        self._target = target

    def open(self, until_s: float) -> Wire:
        """Connect, log in, and learn which process it is.

        Args:
            until_s: monotonic instant until which it may take.

        Raises:
            OSError: it cannot be reached (TimeoutError: not in time).
            StoreUnavailableError: it does not let us in, or is no master.
        """
        asks: list[Command] = [("INFO", "server")]
        if self._target.kind is Kind.SENTINEL:
            asks.append(("ROLE",))
        wire, (info, *role) = greeted(self._target, self.address, self._target.login, asks, until_s)
        found = _RUN_ID.search(info)
        if found is None or (role and role[0][0] != b"master"):
            wire.close()
            fault = "does not tell its run_id" if found is None else "is no master any more"
            raise StoreUnavailableError(f"Redis {self.name} {fault}")
        wire.run_id = found[1]
        return wire

    def owns(self, buckets: frozenset[int]) -> None:
        """Take note of the buckets that it serves from now on.

        A bucket that comes back after it was elsewhere is looked at anew.
        """
        with self.lock:
            self.owned = buckets
            self.verified &= buckets
            self.due = buckets - self.verified


def name_of(address: Address) -> str:
    """Return how a server is called in messages."""
    host, port = address
    return f"{host}:{port}" if port else host


def greeted(
    target: Target, address: Address, login: Login, asks: list[Command], until_s: float
) -> tuple[Wire, list[Any]]:
    """Open a connection, log in and ask, all in one round trip; return the wire and the replies.

    Raises:
        OSError: it cannot be reached (TimeoutError: not in time).
        StoreUnavailableError: it refused a command.
    """
    wait_s = max(until_s - time.monotonic(), _TIMEOUT_MIN_S)
    wire = Wire(target.connection(address, wait_s))
    first = login.commands()
    try:
        replies = wire.ask([*first, *asks], until_s)
    except BaseException:
        wire.close()
        raise
    for reply in replies:
        if isinstance(reply, Refusal):
            wire.close()
            raise StoreUnavailableError(f"Redis {name_of(address)} refused a connection: {reply}")
    return wire, replies[len(first) :]
