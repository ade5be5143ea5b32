"""A link's background thread: probes what failed, and finds out who serves what.

Calls only ever read the newest snapshot. At most one refresh is under way, however many calls ask
for it, and a call waits for it no longer than its own time.
"""

import logging
import threading
import time

from fanzha.adapters.redis_lineage import Lineages
from fanzha.adapters.redis_node import Node
from fanzha.adapters.redis_topology import Snapshot, topology_of
from fanzha.adapters.redis_url import Address, Target
from fanzha.adapters.redis_wire import Refusal, Wire
from fanzha.domain.errors import StoreUnavailableError

log = logging.getLogger(__name__)

_ASK_S = 0.3
"""Longest wait for an answer about who serves what, and for a probe's connection."""
_PAUSE_MIN_S = 0.05
_PAUSE_MAX_S = 1.0


class Keeper:
    """Keeps the snapshot of a link fresh and its servers probed."""

    def __init__(self, target: Target, lineages: Lineages, timeout_s: float) -> None:
        """Begin with what is known; servers that must be found are looked for at once.

        Args:
            target: what the URL says.
            lineages: what a process must pass before it is used.
            timeout_s: what a server may take for a reply.
        """
        self._lineages = lineages
        self._timeout_s = timeout_s
        self._topology = topology_of(target, self._opened)
        self._wake = threading.Event()
        self._done = threading.Condition()
        self._closed = False
        self._wanted = False
        self._begun = self._finished = 0
        self._not_before_s = 0.0
        self._pause_s = _PAUSE_MIN_S
        self._fault = StoreUnavailableError("it is not known yet who serves the data")
        self._thread: threading.Thread | None = None
        self.snapshot = self._topology.first()
        if self.snapshot is None:
            self.ask()
        else:
            self.snapshot.publish()

    def ask(self) -> None:
        """Have a refresh done soon."""
        if self._topology.can_change:
            self._wanted = True
            self._wake_up()

    def renewed(self, until_s: float) -> Snapshot:
        """Have a refresh done, wait for it, and return the newest snapshot.

        Raises:
            StoreUnavailableError: nothing is known of who serves what.
        """
        if self._topology.can_change and self._not_before_s < until_s:
            with self._done:
                ticket = self._begun + 1
                self.ask()
                self._done.wait_for(
                    lambda: self._finished >= ticket, max(0.0, until_s - time.monotonic())
                )
        if self.snapshot is None:
            raise StoreUnavailableError(str(self._fault))
        return self.snapshot

    def moved(self, slot: int, address: Address) -> Node:
        """Take note that a slot is at another server, as its old one says; return that server."""
        node = self._topology.node(address)
        with self._done:
            snapshot = self.snapshot
            if snapshot is not None and snapshot.only is None and snapshot.owners[slot] is not node:
                self.snapshot = snapshot.moved(slot, node)
                self.snapshot.publish()
        self.ask()
        return node

    def node(self, address: Address) -> Node:
        """Return the server at an address."""
        return self._topology.node(address)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._topology.close()

    def _opened(self) -> None:
        """Have a server that failed probed, and its data looked for elsewhere."""
        self.ask()
        self._wake_up()

    def _wake_up(self) -> None:
        self._wake.set()
        if self._thread is None and not self._closed:
            with self._done:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name="redis", daemon=True)
                    self._thread = thread
                    thread.start()

    def _work(self) -> None:
        poll_s = self._topology.poll_s
        next_poll_s = time.monotonic() + (poll_s or 0)
        while True:
            self._wake.wait(self._idle_s(next_poll_s if poll_s else float("inf")))
            self._wake.clear()
            if self._closed:
                return
            now_s = time.monotonic()
            if poll_s and now_s >= next_poll_s:
                self._wanted, next_poll_s = True, now_s + poll_s
            try:
                self._look(now_s)
            except Exception:
                # Without this thread an open breaker would stay open for good.
                log.exception("the servers of Redis could not be looked after; tried again")
                self._wake.set()
                time.sleep(_PAUSE_MAX_S)

    def _look(self, now_s: float) -> None:
        """Learn who serves what where that is due, probe open breakers, open spare connections."""
        if self._wanted and now_s >= self._not_before_s:
            self._refresh()
        for node in self.snapshot.nodes if self.snapshot is not None else ():
            breaker = node.breaker
            if not breaker.is_closed:
                if time.monotonic() >= breaker.probe_due_s:
                    self._probe(node)
            elif node.wanted:
                self._fill(node)

    def _idle_s(self, next_poll_s: float) -> float | None:
        """Return how long there is nothing to do, None when until somebody calls."""
        nodes = self.snapshot.nodes if self.snapshot is not None else ()
        due_s = [node.breaker.probe_due_s for node in nodes if not node.breaker.is_closed]
        due_s += [self._not_before_s] if self._wanted else []
        due_s += [0.0] if any(node.wanted and node.breaker.is_closed for node in nodes) else []
        next_s = min([next_poll_s, *due_s])
        return None if next_s == float("inf") else max(0.0, next_s - time.monotonic())

    def _refresh(self) -> None:
        self._wanted = False
        with self._done:
            self._begun += 1
            before = self.snapshot
        try:
            found = self._topology.discover(before, _ASK_S)
        except StoreUnavailableError as error:
            self._fault = error
            self._pause_s = min(self._pause_s * 2, _PAUSE_MAX_S)
            # Without a snapshot nobody else would ask again.
            self._wanted = self._wanted or before is None
        except Exception:
            log.exception("who serves the data in Redis could not be read")
            self._pause_s = _PAUSE_MAX_S
        else:
            self._pause_s = _PAUSE_MIN_S
            if found is not before:
                self._take(before, found)
        self._not_before_s = time.monotonic() + self._pause_s
        with self._done:
            self._finished = self._begun
            self._done.notify_all()

    def _take(self, before: Snapshot | None, found: Snapshot) -> None:
        names = ", ".join(node.name for node in found.nodes)
        if before is None or set(before.nodes) != set(found.nodes):
            log.info("Redis: the data is served by %s", names)
        for node in before.nodes if before is not None else ():
            if node not in found.nodes:
                node.owns(frozenset())
                node.close()
        with self._done:
            self.snapshot = found
            found.publish()

    def _probe(self, node: Node) -> None:
        try:
            self._ping(node)
        except (OSError, StoreUnavailableError) as error:
            node.breaker.probe_failed(str(error) or type(error).__name__)
            self.ask()
        else:
            log.info("Redis %s answers again", node.name)
            node.breaker.probe_succeeded()

    def _fill(self, node: Node) -> None:
        """Open connections for calls that had too little time for it."""
        generation = node.breaker.generation
        while node.wanted and not self._closed:
            node.wanted -= 1
            try:
                self._ping(node)
            except (OSError, StoreUnavailableError) as error:
                node.breaker.failed(generation, str(error) or type(error).__name__)
                return

    def _ping(self, node: Node) -> None:
        """See whether a server answers as fast as calls need, and keep the connection for one."""
        until_s = time.monotonic() + max(_ASK_S, self._timeout_s)
        wire = node.open(until_s)
        try:
            # Who comes back after a restart begins its epochs before the first call finds it.
            self._lineages.verify(node, wire, until_s)
            _pong(wire, time.monotonic() + self._timeout_s)
        except BaseException:
            wire.close()
            raise
        node.spares.append(wire)


def _pong(wire: Wire, until_s: float) -> None:
    (reply,) = wire.ask([("PING",)], until_s)
    if isinstance(reply, Refusal):
        raise ConnectionError(str(reply))
