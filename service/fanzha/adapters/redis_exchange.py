"""What one call asks of one server: sent, read, and sent again once when the server had hung up."""

import ssl
import threading
import weakref
from typing import Any

from fanzha.adapters.redis_lineage import Lineages
from fanzha.adapters.redis_node import Node
from fanzha.adapters.redis_topology import Snapshot
from fanzha.adapters.redis_wire import Wire
from fanzha.domain.errors import StoreUnavailableError


class Wires:
    """Every thread's own connections, one for each server."""

    def __init__(self, lineages: Lineages) -> None:
        self.lineages = lineages
        self._local = threading.local()
        self._all: weakref.WeakSet[Wire] = weakref.WeakSet()
        self._lock = threading.Lock()

    def of_thread(self, snapshot: Snapshot | None) -> dict[Node, Wire]:
        """Return the thread's connections; those to servers that hold nothing any more are closed.

        Args:
            snapshot: who serves what now.
        """
        local = self._local
        try:
            if local.snapshot is snapshot:
                wires: dict[Node, Wire] = local.wires
                return wires
        except AttributeError:
            local.wires = {}
        local.snapshot = snapshot
        gone = [node for node in local.wires if snapshot is not None and node not in snapshot.nodes]
        for node in gone:
            local.wires.pop(node).close()
        kept: dict[Node, Wire] = local.wires
        return kept

    def open(self, node: Node, until_s: float) -> tuple[Wire, bool]:
        """Return a connection to a process whose epochs have begun, and whether it was open before.

        Raises:
            OSError, StoreUnavailableError: it cannot be opened; a TimeoutError has the keeper open
                one that the next call will find.
        """
        wire = node.spare()
        was_open = wire is not None
        if wire is None:
            try:
                wire = node.open(until_s)
            except TimeoutError:
                node.want_spare()
                raise
        with self._lock:
            self._all.add(wire)
        return wire, was_open

    def close(self) -> None:
        """Close all connections of all threads."""
        with self._lock:
            for wire in tuple(self._all):
                wire.close()


class Exchange:
    """One server's share of a call; failures become its replies."""

    __slots__ = (
        "_count", "_fault", "_generation", "_is_opening", "_is_short", "_packed", "_until_s",
        "_was_open", "_wire", "node",
    )  # fmt: skip

    def __init__(
        self,
        node: Node,
        packed: bytes,
        count: int,
        until_s: float,
        is_short: bool,  # noqa: FBT001 - internal, once a call
    ) -> None:
        """Prepare.

        Args:
            node: whom to ask.
            packed: what, as `fanzha.adapters.redis_wire.pack` makes it.
            count: how many commands it is.
            until_s: monotonic instant until which it may take.
            is_short: the call has less time than a server may take, so that being late is no fault.
        """
        self.node = node
        self._packed = packed
        self._count = count
        self._until_s = until_s
        self._is_short = is_short
        self._fault: StoreUnavailableError | None = None
        self._wire: Wire | None = None
        self._was_open = self._is_opening = False
        self._generation = node.breaker.generation

    def send(self, wires: Wires, own: dict[Node, Wire]) -> None:
        """Send the commands, over a new connection if there is none.

        Args:
            wires: opens connections.
            own: the thread's connections.
        """
        node = self.node
        if not node.breaker.is_closed:
            self._fault = StoreUnavailableError(
                f"Redis {node.name} is left alone after a failure ({node.breaker.cause})"
            )
            return
        try:
            self._send(wires, own)
        except (OSError, StoreUnavailableError) as error:
            self._retry_or_fail(wires, own, error)

    def read(self, wires: Wires, own: dict[Node, Wire]) -> list[Any]:
        """Return the replies; where there are none, the reason."""
        while self._fault is None and self._wire is not None:
            try:
                replies = self._wire.read(self._until_s)
            except OSError as error:
                self._retry_or_fail(wires, own, error)
            except BaseException:
                self._drop(own)
                raise
            else:
                breaker = self.node.breaker
                if breaker.lates or breaker.shorts:
                    breaker.lates = breaker.shorts = 0
                return replies
        return [self._fault] * self._count

    def _send(self, wires: Wires, own: dict[Node, Wire]) -> None:
        wire = own.get(self.node)
        if wire is not None and (wire.waiting or wire.run_id != self.node.run_id):
            # A call that was broken off left replies behind, or another process is there now.
            self._drop(own)
            wire = None
        self._was_open, self._is_opening = wire is not None, True
        if wire is None:
            wire, self._was_open = wires.open(self.node, self._until_s)
            own[self.node] = wire
        self._wire = wire
        if self.node.due or wire.run_id != self.node.run_id:
            wires.lineages.verify(self.node, wire, self._until_s)
        self._is_opening = False
        wire.send(self._packed, self._count, self._until_s)

    def _retry_or_fail(self, wires: Wires, own: dict[Node, Wire], error: Exception) -> None:
        """Send again over a new connection if the server hung up on an old one, else give up.

        Every script changes nothing when it is run again, so that it may be sent twice.
        """
        self._drop(own)
        if self._was_open and isinstance(error, (ConnectionError, ssl.SSLError)):
            try:
                self._send(wires, own)
            except (OSError, StoreUnavailableError) as again:
                self._drop(own)
                error = again
            else:
                return
        breaker, cause = self.node.breaker, str(error) or type(error).__name__
        is_late = isinstance(error, TimeoutError)
        if is_late and self._is_short:
            if breaker.short():
                self.node.want_spare()
        elif is_late and self._is_opening:
            breaker.late(self._generation, cause)
        else:
            breaker.failed(self._generation, cause)
        self._fault = StoreUnavailableError(f"Redis {self.node.name} did not answer: {cause}")
        self._fault.__cause__ = error

    def _drop(self, own: dict[Node, Wire]) -> None:
        wire = own.pop(self.node, None)
        if wire is not None:
            wire.close()
        self._wire = None
