"""The link to Redis: pipelines of commands in one round trip to each server that they belong to.

One link serves a single Redis, a master behind Sentinels, and a Cluster alike. Connections belong
to threads; what is slow (probes, finding out who serves what) belongs to the keeper's thread, so
that a call costs its round trip, or microseconds when its server is away (ADR 0018).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fanzha.adapters import redis_url
from fanzha.adapters.redis_exchange import Exchange, Wires
from fanzha.adapters.redis_keeper import Keeper
from fanzha.adapters.redis_lineage import Callback, Lineages
from fanzha.adapters.redis_node import Node
from fanzha.adapters.redis_redirects import Redirects
from fanzha.adapters.redis_scripts import SCRIPT_NAMES, Scripts
from fanzha.adapters.redis_slots import slot_of_command
from fanzha.adapters.redis_topology import Snapshot
from fanzha.adapters.redis_wire import Command, Refusal
from fanzha.domain.errors import StoreUnavailableError

__all__ = ["SCRIPT_NAMES", "Command", "RedisLink", "Scripts", "ServerState"]


@dataclass(frozen=True, slots=True)
class ServerState:
    """How one server does, for health and metrics."""

    name: str
    is_available: bool
    failures: int
    """How often it was found away."""
    cause: str
    """What was wrong the last time."""


class RedisLink:
    """Connections to all servers behind one URL, one for each thread that asks each of them."""

    def __init__(self, url: str, timeout_ms: int) -> None:
        """Prepare. A single Redis is connected by the first call; others are looked for at once.

        Args:
            url: see `fanzha.adapters.redis_url`.
            timeout_ms: longest wait of a call, in milliseconds.

        Raises:
            SetupError: the URL is none.
        """
        self._timeout_s = timeout_ms / 1000
        self.scripts = Scripts()
        self._lineages = Lineages(self.scripts)
        self._wires = Wires(self._lineages)
        self._keeper = Keeper(redis_url.parse(url), self._lineages, self._timeout_s)
        self._redirects = Redirects(self._keeper, self._wires, self.scripts)

    def run(self, commands: Sequence[Command], *, deadline_s: float | None = None) -> list[Any]:
        """Send all commands at once and return their replies in order.

        Args:
            commands: each goes to the server of its first key's slot, one without keys to any.
            deadline_s: instant of time.monotonic() after which no reply is waited for.

        Raises:
            StoreUnavailableError: a server is away or late, or refused a command.
        """
        replies = self.try_run(commands, deadline_s=deadline_s)
        for reply in replies:
            if isinstance(reply, StoreUnavailableError):
                raise reply
        return replies

    def try_run(self, commands: Sequence[Command], *, deadline_s: float | None = None) -> list[Any]:
        """Do as `run`, with a StoreUnavailableError in the place of each reply that is missing.

        So one server that is away does not blind the others.
        """
        now_s = time.monotonic()
        until_s, is_short = now_s + self._timeout_s, False
        if deadline_s is not None and deadline_s < until_s:
            until_s, is_short = deadline_s, deadline_s - now_s < self._timeout_s / 2
            if deadline_s <= now_s:
                return [StoreUnavailableError("the call's time is over")] * len(commands)
        snapshot = self._keeper.snapshot
        if snapshot is None:
            try:
                snapshot = self._keeper.renewed(until_s)
            except StoreUnavailableError as error:
                return [error] * len(commands)
        own = self._wires.of_thread(snapshot)
        if snapshot.only is not None:
            exchange = Exchange(snapshot.only, commands, (), until_s, is_short)
            exchange.send(self._wires, own)
            replies = exchange.read(self._wires, own)
        else:
            replies = self._shared_out(snapshot, own, commands, until_s, is_short=is_short)
        for reply in replies:
            if isinstance(reply, Refusal):
                self._redirects.follow(commands, replies, until_s, is_short=is_short)
                break
        return replies

    def on_lineage(self, callback: Callback) -> None:
        """Have a function told, in a background thread, of buckets that another process serves.

        Args:
            callback: gets the buckets, and whether the process knew nothing of them.
        """
        self._lineages.on_change(callback)

    def is_available(self, bucket: int) -> bool:
        """Say whether the server of a bucket answered when it was last asked."""
        snapshot = self._keeper.snapshot
        node = snapshot.node_of_bucket(bucket) if snapshot is not None else None
        return node is not None and node.breaker.is_closed

    def servers(self) -> list[ServerState]:
        """Return how each server does; empty when it is not known yet who serves the data."""
        snapshot = self._keeper.snapshot
        return [
            ServerState(
                node.name, node.breaker.is_closed, node.breaker.opened, node.breaker.cause
            )
            for node in (snapshot.nodes if snapshot is not None else ())
        ]  # fmt: skip

    def close(self) -> None:
        """End the background threads and close all connections."""
        self._keeper.close()
        self._lineages.close()
        self._wires.close()

    def _shared_out(
        self,
        snapshot: Snapshot,
        own: dict[Node, Any],
        commands: Sequence[Command],
        until_s: float,
        *,
        is_short: bool,
    ) -> list[Any]:
        """Ask every server for its own share; all are sent to before any is read."""
        replies: list[Any] = [None] * len(commands)
        shares: dict[Node, list[int]] = {}
        for place, command in enumerate(commands):
            slot = slot_of_command(command)
            node = _any_well(snapshot) if slot is None else snapshot.owners[slot]
            if node is None:
                self._keeper.ask()
                replies[place] = StoreUnavailableError(f"no Redis serves slot {slot}")
            elif node in shares:
                shares[node].append(place)
            else:
                shares[node] = [place]
        exchanges = [
            Exchange(node, [commands[i] for i in places], places, until_s, is_short)
            for node, places in shares.items()
        ]
        for exchange in exchanges:
            exchange.send(self._wires, own)
        for exchange in exchanges:
            for place, reply in zip(exchange.places, exchange.read(self._wires, own), strict=True):
                replies[place] = reply
        return replies


def _any_well(snapshot: Snapshot) -> Node | None:
    """Return the first server that answers; any, when none does."""
    for node in snapshot.nodes:
        if node.breaker.is_closed:
            return node
    return snapshot.nodes[0] if snapshot.nodes else None
