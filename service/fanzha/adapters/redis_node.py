"""One Redis server as the link knows it: how to reach it, whether it is well, what lies there."""

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from fanzha.adapters.redis_breaker import Breaker
from fanzha.adapters.redis_url import Address, Kind, Login, Target
from fanzha.adapters.redis_wire import Command, Refusal, Wire
from fanzha.domain.errors import StoreUnavailableError

_RUN_ID = re.compile(rb"^run_id:(\w+)", re.MULTILINE)
_TIMEOUT_MIN_S = 0.0005
_SPARES_MAX = 64


class Node:
    """A server that holds data; it is the same object for as long as the link lives."""

    def __init__(self, target: Target, address: Address, on_trouble: Callable[[], None]) -> None:
        """Know of it, without connecting.

        Args:
            target: how to open connections.
            address: where it is.
            on_trouble: told when its breaker opens, and when a spare connection is wanted.
        """
        self.address = address
        self.name = name_of(address)
        self.breaker = Breaker(on_trouble)
        self.run_id = b""
        """Names the process that was last seen there; empty before the first connection."""
        self.owned: frozenset[int] = frozenset()
        """Buckets that it serves."""
        self.verified: set[int] = set()
        """Those of them whose lineage is known to name this process."""
        self.due: frozenset[int] = frozenset()
        """Those whose lineage must be looked at before anything is asked there."""
        self.lock = threading.Lock()
        """Held while one thread looks at lineages."""
        self.state_lock = threading.Lock()
        """Held for a moment while the four above change; never while anybody waits for Redis."""
        self.spares: deque[Wire] = deque()
        """Open connections that nobody uses yet; the keeper has more time to open them."""
        self.wanted = 0
        """About how many more calls could not open one in their time."""
        self._target = target
        self._on_trouble = on_trouble

    def spare(self) -> Wire | None:
        """Return a connection that is open already, to the process that is there now."""
        while self.spares:
            try:
                wire = self.spares.popleft()
            except IndexError:
                break
            if wire.run_id == self.run_id:
                return wire
            wire.close()
        return None

    def want_spare(self) -> None:
        """Have the keeper open a connection."""
        self.wanted = min(self.wanted + 1, _SPARES_MAX)
        self._on_trouble()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self.spares:
            self.spares.popleft().close()

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
        with self.state_lock:
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
    first = login.commands()
    wire = Wire(target.connection(address, wait_s), target.tls)
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
