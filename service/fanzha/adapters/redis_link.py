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
from fanzha.adapters.redis_slots import SLOT_OF_BUCKET, slot_of_command
from fanzha.adapters.redis_topology import Snapshot
from fanzha.adapters.redis_wire import Command, Packed, Refusal, pack
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
        until_s, is_short = self._time(deadline_s)
        snapshot = self._snapshot(until_s)
        if isinstance(snapshot, StoreUnavailableError):
            return [snapshot] * len(commands)
        if snapshot.only is not None:
            replies = self._from_one(
                snapshot, pack(commands), len(commands), until_s, is_short=is_short
            )
        else:
            shares = [(slot_of_command(one), 1, pack((one,))) for one in commands]
            replies = self._shared_out(snapshot, shares, until_s, is_short=is_short)
        for reply in replies:
            if isinstance(reply, Refusal):
                self._redirects.follow(commands, replies, until_s, is_short=is_short)
                break
        return replies

    def try_packed(self, packed: Sequence[Packed], *, deadline_s: float | None = None) -> list[Any]:
        """Do as `try_run` with commands that are packed already, for what is asked all the time.

        What Redis refused stays in the replies, as a Refusal: it changed nothing, and who asked
        asks again by `run`, which follows it.
        """
        until_s, is_short = self._time(deadline_s)
        snapshot = self._snapshot(until_s)
        if isinstance(snapshot, StoreUnavailableError):
            return [snapshot] * sum([count for _, count, _ in packed])
        if snapshot.only is not None:
            count = sum([count for _, count, _ in packed])
            data = b"".join([data for _, _, data in packed])
            return self._from_one(snapshot, data, count, until_s, is_short=is_short)
        shares = [(SLOT_OF_BUCKET[bucket], count, data) for bucket, count, data in packed]
        return self._shared_out(snapshot, shares, until_s, is_short=is_short)

    def _time(self, deadline_s: float | None) -> tuple[float, bool]:
        """Return until when a call may take, and whether that is less than a server may take."""
        now_s = time.monotonic()
        until_s = now_s + self._timeout_s
        if deadline_s is None or deadline_s >= until_s:
            return until_s, False
        return deadline_s, deadline_s - now_s < self._timeout_s / 2

    def _snapshot(self, until_s: float) -> Snapshot | StoreUnavailableError:
        """Return who serves what, or why nobody can be asked."""
        if until_s <= time.monotonic():
            return StoreUnavailableError("the call's time is over")
        try:
            return self._keeper.snapshot or self._keeper.renewed(until_s)
        except StoreUnavailableError as error:
            return error

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

    def _from_one(
        self, snapshot: Snapshot, data: bytes, count: int, until_s: float, *, is_short: bool
    ) -> list[Any]:
        """Ask the one server."""
        assert snapshot.only is not None  # noqa: S101 - for the type checker
        own = self._wires.of_thread(snapshot)
        exchange = Exchange(snapshot.only, data, count, until_s, is_short)
        exchange.send(self._wires, own)
        return exchange.read(self._wires, own)

    def _shared_out(
        self,
        snapshot: Snapshot,
        shares: Sequence[tuple[int | None, int, bytes]],
        until_s: float,
        *,
        is_short: bool,
    ) -> list[Any]:
        """Ask every server for its own share; all are sent to before any is read.

        Args:
            snapshot: who serves what.
            shares: slot (None: any server may answer), number of commands, and the commands.
            until_s: monotonic instant until which it may take.
            is_short: the call has less time than a server may take.
        """
        wires = self._wires.of_thread(snapshot)
        replies: list[Any] = []
        of_node: dict[Node, tuple[list[bytes], list[int]]] = {}
        for slot, count, data in shares:
            places = range(len(replies), len(replies) + count)
            replies += [None] * count
            node = _any_well(snapshot) if slot is None else snapshot.owners[slot]
            if node is None:
                self._keeper.ask()
                for place in places:
                    replies[place] = StoreUnavailableError(f"no Redis serves slot {slot}")
                continue
            datas, own = of_node.setdefault(node, ([], []))
            datas.append(data)
            own.extend(places)
        exchanges = [
            (Exchange(node, b"".join(datas), len(own), until_s, is_short), own)
            for node, (datas, own) in of_node.items()
        ]
        for exchange, _ in exchanges:
            exchange.send(self._wires, wires)
        for exchange, own in exchanges:
            for place, reply in zip(own, exchange.read(self._wires, wires), strict=True):
                replies[place] = reply
        return replies


def _any_well(snapshot: Snapshot) -> Node | None:
    """Return the first server that answers; any, when none does."""
    for node in snapshot.nodes:
        if node.breaker.is_closed:
            return node
    return snapshot.nodes[0] if snapshot.nodes else None
