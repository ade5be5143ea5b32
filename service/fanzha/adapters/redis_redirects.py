"""What follows when Redis refuses a command: load the script, go elsewhere, wait, or give up."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fanzha.adapters.epochs import NO_EPOCH
from fanzha.adapters.redis_exchange import Exchange, Wires
from fanzha.adapters.redis_keeper import Keeper
from fanzha.adapters.redis_node import Node
from fanzha.adapters.redis_scripts import Scripts
from fanzha.adapters.redis_slots import bucket_of_command, slot_of_command
from fanzha.adapters.redis_url import Address
from fanzha.adapters.redis_wire import Command, Refusal, pack
from fanzha.domain.errors import StoreUnavailableError

_ROUNDS = 8
_PAUSE_S = 0.002
_ASKING: Command = ("ASKING",)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a command is sent next, and after what."""

    node: Node
    loads: bool = False
    asking: bool = False
    after_pause: bool = False
    epoch_of: int | None = None


@dataclass(slots=True)
class _Call:
    """A call that met refusals."""

    commands: Sequence[Command]
    replies: list[Any]
    until_s: float
    is_short: bool
    asked: dict[int, Node]
    """Who was asked last, by the command's place."""
    renewed: set[int]
    """Places of commands for which an epoch was looked at: once is enough."""


class Redirects:
    """Follows refusals, in rounds, as long as the call has time."""

    def __init__(self, keeper: Keeper, wires: Wires, scripts: Scripts) -> None:
        self._keeper = keeper
        self._wires = wires
        self._scripts = scripts

    def follow(
        self, commands: Sequence[Command], replies: list[Any], until_s: float, *, is_short: bool
    ) -> None:
        """Replace refusals by the replies had elsewhere or later, or by StoreUnavailableErrors.

        Args:
            commands: what was asked.
            replies: what was replied; changed in place.
            until_s: monotonic instant until which it may take.
            is_short: the call has less time than a server may take.
        """
        call = _Call(commands, replies, until_s, is_short, {}, set())
        for _ in range(_ROUNDS):
            ways = self._ways(call)
            if any(way.after_pause for way in ways):
                time.sleep(max(0.0, min(_PAUSE_S, until_s - time.monotonic())))
            if not ways or time.monotonic() >= until_s:
                break
            for way, places in ways.items():
                again = self._ask(way, call, [commands[place] for place in places])
                for place, reply in zip(places, again, strict=True):
                    replies[place] = reply
        for place, reply in enumerate(replies):
            if isinstance(reply, Refusal):
                replies[place] = StoreUnavailableError(f"Redis refused a command: {reply}")

    def _ways(self, call: _Call) -> dict[_Way, list[int]]:
        """Return where refused commands are sent next; those without a way are given up."""
        ways: dict[_Way, list[int]] = {}
        for place, reply in enumerate(call.replies):
            if not isinstance(reply, Refusal):
                continue
            node = call.asked.get(place) or self._node(call.commands[place])
            after = _AFTER.get(reply.code)
            way = after(self, call, place, reply, node) if after is not None and node else None
            if way is None:
                call.replies[place] = StoreUnavailableError(f"Redis refused a command: {reply}")
            else:
                call.asked[place] = way.node
                ways.setdefault(way, []).append(place)
        return ways

    def after_moved(self, call: _Call, place: int, reply: Refusal, node: Node) -> _Way | None:
        """Send it to where its slot is now."""
        slot = slot_of_command(call.commands[place])
        return None if slot is None else _Way(self._keeper.moved(slot, _address(reply, node)))

    def after_ask(self, call: _Call, place: int, reply: Refusal, node: Node) -> _Way | None:
        """Send it, once, to where its slot is being moved."""
        del call, place
        return _Way(self._keeper.node(_address(reply, node)), asking=True)

    def after_no_epoch(self, call: _Call, place: int, reply: Refusal, node: Node) -> _Way | None:
        """Have an epoch begun first, once."""
        del reply
        bucket = bucket_of_command(call.commands[place])
        if bucket is None or place in call.renewed:
            return None
        call.renewed.add(place)
        return _Way(node, epoch_of=bucket)

    def after_read_only(self, call: _Call, place: int, reply: Refusal, node: Node) -> _Way | None:
        """Find out who is the master now: the one that was asked is none any more."""
        del reply
        self._keeper.renewed(call.until_s)
        elsewhere = self._node(call.commands[place])
        return None if elsewhere is None or elsewhere is node else _Way(elsewhere)

    def after_loading(self, call: _Call, place: int, reply: Refusal, node: Node) -> None:
        """Leave a server alone that reads its data in, or follows a master that is away."""
        del call, place
        node.breaker.failed(node.breaker.generation, reply.code)

    def after_cluster_down(self, call: _Call, place: int, reply: Refusal, node: Node) -> None:
        """Ask who serves the slot: soon somebody will."""
        del call, place, reply, node
        self._keeper.ask()

    def _node(self, command: Command) -> Node | None:
        snapshot = self._keeper.snapshot
        slot = slot_of_command(command)
        if snapshot is None:
            return None
        if slot is None:
            return snapshot.nodes[0] if snapshot.nodes else None
        return snapshot.node_of_slot(slot)

    def _ask(self, way: _Way, call: _Call, commands: list[Command]) -> list[Any]:
        """Ask one server, after what must come first; return the replies to the commands alone."""
        first = self._scripts.loads() if way.loads else []
        sent = [*first, *commands]
        if way.asking:
            sent = [one for command in commands for one in (_ASKING, command)]
        if way.epoch_of is not None:
            self._wires.lineages.forget(way.node, way.epoch_of)
        own = self._wires.of_thread(self._keeper.snapshot)
        exchange = Exchange(way.node, pack(sent), len(sent), call.until_s, call.is_short)
        exchange.send(self._wires, own)
        replies = exchange.read(self._wires, own)
        return replies[1::2] if way.asking else replies[len(first) :]


_AFTER: dict[str, Callable[[Redirects, _Call, int, Refusal, Node], _Way | None]] = {
    "NOSCRIPT": lambda _self, _call, _place, _reply, node: _Way(node, loads=True),
    "TRYAGAIN": lambda _self, _call, _place, _reply, node: _Way(node, after_pause=True),
    "MOVED": Redirects.after_moved,
    "ASK": Redirects.after_ask,
    NO_EPOCH: Redirects.after_no_epoch,
    "READONLY": Redirects.after_read_only,
    "LOADING": Redirects.after_loading,
    "MASTERDOWN": Redirects.after_loading,
    "CLUSTERDOWN": Redirects.after_cluster_down,
}


def _address(reply: Refusal, asked: Node) -> Address:
    """Return the address in `MOVED <slot> <host>:<port>`; without a host it is the one asked."""
    host, _, port = str(reply).split(" ")[2].rpartition(":")
    return (asked.address[0] if host in ("", "?") else host, int(port))
