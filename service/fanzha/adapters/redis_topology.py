"""Who serves which slot now: one server, the master that Sentinels name, or a Cluster's masters."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fanzha.adapters.redis_node import Node, greeted, name_of
from fanzha.adapters.redis_slots import SLOT_OF_BUCKET, SLOTS
from fanzha.adapters.redis_url import Address, Kind, Target
from fanzha.adapters.redis_wire import Command, Wire
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS

_ALL_BUCKETS = frozenset(range(BUCKETS))
_ASKED_MAX = 3
_SENTINEL_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Who serves what at one moment; never changed, only replaced."""

    nodes: tuple[Node, ...]
    only: Node | None
    """The one server that has all slots; None in a Cluster."""
    owners: tuple[Node | None, ...] = ()
    """In a Cluster: the master of each slot."""

    def node_of_slot(self, slot: int) -> Node | None:
        """Return who serves a slot."""
        return self.only or self.owners[slot]

    def node_of_bucket(self, bucket: int) -> Node | None:
        """Return who serves a bucket."""
        return self.only or self.owners[SLOT_OF_BUCKET[bucket]]

    def publish(self) -> None:
        """Tell each server which buckets it serves."""
        if self.only is not None:
            self.only.owns(_ALL_BUCKETS)
            return
        held: dict[Node | None, set[int]] = {node: set() for node in self.nodes}
        for bucket, slot in enumerate(SLOT_OF_BUCKET):
            held.setdefault(self.owners[slot], set()).add(bucket)
        for node in self.nodes:
            node.owns(frozenset(held[node]))

    def moved(self, slot: int, node: Node) -> "Snapshot":
        """Return the same with one slot at another server."""
        owners = (*self.owners[:slot], node, *self.owners[slot + 1 :])
        return Snapshot(_distinct([*self.nodes, node]), None, owners)


class Topology(Protocol):
    """Finds out who serves what."""

    @property
    def poll_s(self) -> float | None:
        """How often to look although nothing went wrong; None: never."""
        ...

    @property
    def can_change(self) -> bool:
        """Say whether somebody else may serve the data later."""
        ...

    def first(self) -> Snapshot | None:
        """Return what is known without asking."""
        ...

    def discover(self, now: Snapshot | None, wait_s: float) -> Snapshot:
        """Ask, waiting at most `wait_s` for each server.

        Raises:
            StoreUnavailableError: nobody answers.
        """
        ...

    def node(self, address: Address) -> Node:
        """Return the server at an address, always the same object."""
        ...

    def close(self) -> None:
        """Close the connections that no call uses."""
        ...


class _Book:
    """The servers that were ever met, by address."""

    def __init__(self, target: Target, on_trouble: Callable[[], None]) -> None:
        self._target = target
        self._on_trouble = on_trouble
        self._asked = _Asked(target)
        self._nodes: dict[Address, Node] = {}

    def node(self, address: Address) -> Node:
        """Return the server at an address, always the same object."""
        # setdefault is atomic: two threads that meet a server at once get the same.
        return self._nodes.setdefault(address, Node(self._target, address, self._on_trouble))

    def close(self) -> None:
        """Close the connections that no call uses."""
        self._asked.close()
        for node in self._nodes.values():
            node.close()


class _Single(_Book):
    """One server."""

    poll_s = None
    can_change = False

    def __init__(self, target: Target, on_trouble: Callable[[], None]) -> None:
        super().__init__(target, on_trouble)
        only = self.node(target.addresses[0])
        self._snapshot = Snapshot((only,), only)

    def first(self) -> Snapshot | None:
        """Return the server."""
        return self._snapshot

    def discover(self, now: Snapshot | None, wait_s: float) -> Snapshot:
        """Return the server: there is nobody to ask."""
        del now, wait_s
        return self._snapshot


class _Sentinel(_Book):
    """The master that Sentinels name; of several answers the one of the latest election."""

    poll_s = _SENTINEL_POLL_S
    can_change = True

    def first(self) -> Snapshot | None:
        """Return None: the Sentinels know."""
        return None

    def discover(self, now: Snapshot | None, wait_s: float) -> Snapshot:
        """Ask all Sentinels for the master."""
        command: Command = ("SENTINEL", "MASTER", self._asked.target.master_name)
        found: list[tuple[int, Address]] = []
        for address in self._asked.target.addresses:
            reply = self._asked.ask(address, [command], wait_s)
            if reply:
                facts = dict(zip(reply[0][::2], reply[0][1::2], strict=True))
                where = (facts[b"ip"].decode(), int(facts[b"port"]))
                found.append((int(facts[b"config-epoch"]), where))
        if not found:
            raise self._asked.nobody("Sentinel")
        only = self.node(max(found, key=lambda one: one[0])[1])
        if now is not None and now.only is only:
            return now
        return Snapshot((only,), only)


class _Cluster(_Book):
    """A Cluster's masters, as the node with the newest configuration tells them."""

    poll_s = None
    can_change = True

    def first(self) -> Snapshot | None:
        """Return None: the nodes know."""
        return None

    def discover(self, now: Snapshot | None, wait_s: float) -> Snapshot:
        """Ask up to three nodes, the well ones of those known first."""
        known = [node.address for node in now.nodes if node.breaker.is_closed] if now else []
        random.shuffle(known)
        seeds = [one for one in self._asked.target.addresses if one not in known]
        found: list[tuple[bool, int, Address, list[Any]]] = []
        for address in (*known, *seeds):
            reply = self._asked.ask(address, [("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")], wait_s)
            if reply:
                facts = dict(line.split(b":", 1) for line in reply[0].split() if b":" in line)
                is_whole = facts.get(b"cluster_state") == b"ok"
                epoch = int(facts.get(b"cluster_current_epoch", 0))
                found.append((is_whole, epoch, address, reply[1]))
            if len(found) == _ASKED_MAX:
                break
        if not found:
            raise self._asked.nobody("node of the Cluster")
        _, _, asked, ranges = max(found, key=lambda one: one[:2])
        owners: list[Node | None] = [None] * SLOTS
        for low, high, master, *_ in ranges:
            node = self.node(_address(master, asked))
            owners[low : high + 1] = [node] * (high + 1 - low)
        return Snapshot(_distinct(owners), None, tuple(owners))


class _Asked:
    """Connections to those who know, kept for the next question; used by the keeper alone."""

    def __init__(self, target: Target) -> None:
        self.target = target
        of_sentinel = target.kind is Kind.SENTINEL
        self._login = target.sentinel_login if of_sentinel else target.login
        self._wires: dict[Address, Wire] = {}
        self._fault = ""

    def ask(self, address: Address, commands: Sequence[Command], wait_s: float) -> list[Any]:
        """Return the replies, or an empty list when there are none."""
        wire = self._wires.pop(address, None)
        for is_new in (False, True) if wire is not None else (True,):
            until_s = time.monotonic() + wait_s
            try:
                if is_new or wire is None:
                    wire, _ = greeted(self.target, address, self._login, [("PING",)], until_s)
                replies = wire.ask(commands, until_s)
            except (OSError, StoreUnavailableError) as error:
                self._fault = f"{name_of(address)}: {error}"
                if wire is not None:
                    wire.close()
                continue
            refused = [reply for reply in replies if isinstance(reply, Exception)]
            self._wires[address] = wire
            if refused:
                self._fault = f"{name_of(address)}: {refused[0]}"
                return []
            return replies
        return []

    def close(self) -> None:
        """Close the connections."""
        for wire in self._wires.values():
            wire.close()

    def nobody(self, who: str) -> StoreUnavailableError:
        """Return the error when nobody knew."""
        return StoreUnavailableError(f"no {who} says who serves the data ({self._fault})")


def topology_of(target: Target, on_trouble: Callable[[], None]) -> Topology:
    """Return the topology of a target.

    Args:
        target: what the URL says.
        on_trouble: told when a server needs the keeper.
    """
    of_kind: dict[Kind, Callable[[Target, Callable[[], None]], Topology]] = {
        Kind.SINGLE: _Single,
        Kind.SENTINEL: _Sentinel,
        Kind.CLUSTER: _Cluster,
    }
    return of_kind[target.kind](target, on_trouble)


def _address(named: Sequence[Any], asked: Address) -> Address:
    """Return the address in a reply; a node that does not know its own name is the one asked."""
    host = (named[0] or b"").decode()
    return (asked[0] if host in ("", "?") else host, int(named[1]))


def _distinct(nodes: Iterable[Node | None]) -> tuple[Node, ...]:
    return tuple(dict.fromkeys(node for node in nodes if node is not None))
