"""Which process serves a bucket, and what must happen when it is another one than before.

Another process may have forgotten the newest writes. Before anything else is asked of it, a script
per bucket begins a new epoch, so that no sequence number is used twice; then those who keep records
of their own are told, so that they look what is missing.
"""

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Protocol

from fanzha.adapters.redis_node import Node
from fanzha.adapters.redis_wire import Command, Refusal, Wire
from fanzha.domain.errors import StoreUnavailableError

log = logging.getLogger(__name__)

Callback = Callable[[frozenset[int], bool], None]
"""Told of buckets that another process serves now, and whether it had forgotten all of them."""
_ELSEWHERE = ("MOVED", "ASK", "TRYAGAIN")


class Lineage(IntEnum):
    """What the epoch script replies for a bucket."""

    SAME = 0
    CHANGED = 1
    WAS_EMPTY = 2
    """The bucket did not know of any process: it is new, or all was lost."""


class EpochScript(Protocol):
    """Begins a new epoch in buckets whose lineage names another process."""

    def loads(self) -> list[Command]:
        """Return the commands that load the script."""
        ...

    def commands(self, buckets: Sequence[int], run_id: bytes) -> list[Command]:
        """Return one command a bucket; each is answered with a `Lineage`."""
        ...


class NoEpochs:
    """Stands where no epochs are kept."""

    def loads(self) -> list[Command]:
        """Return nothing to load."""
        return []

    def commands(self, buckets: Sequence[int], run_id: bytes) -> list[Command]:
        """Return nothing to ask."""
        del buckets, run_id
        return []


class Lineages:
    """Looks at lineages for all threads of a link, and tells of changes in a thread of its own."""

    def __init__(self, script: EpochScript) -> None:
        self._script = script
        self._known: dict[int, bytes] = {}
        self._callbacks: list[Callback] = []
        self._news: queue.SimpleQueue[tuple[frozenset[int], bool] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def on_change(self, callback: Callback) -> None:
        """Tell of changes from now on, one after the other."""
        with self._lock:
            self._callbacks.append(callback)
            if self._thread is None:
                self._thread = threading.Thread(target=self._tell, name="lineage", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._news.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def verify(self, node: Node, wire: Wire, until_s: float) -> None:
        """Make sure that the lineage of all buckets of a server names the process at the wire.

        Raises:
            OSError: the connection is broken (TimeoutError: not in time).
            StoreUnavailableError: the server refused.
        """
        if wire.run_id == node.run_id and not node.due:
            return
        if not node.lock.acquire(timeout=max(0.0, until_s - time.monotonic())):
            raise TimeoutError("the epochs are still being looked at")
        try:
            if wire.run_id != node.run_id:
                node.run_id = wire.run_id
                node.verified = set()
                node.due = node.owned
            self._verify(node, wire, until_s)
        finally:
            node.lock.release()

    def forget(self, node: Node, bucket: int) -> None:
        """Have a bucket looked at again first: a script did not find its epoch."""
        with node.lock:
            node.verified.discard(bucket)
            node.due |= {bucket} & node.owned

    def _verify(self, node: Node, wire: Wire, until_s: float) -> None:
        buckets = sorted(node.due)
        commands = self._script.commands(buckets, wire.run_id)
        replies: list[Any] = [Lineage.SAME] * len(buckets)
        if commands:
            replies = wire.ask(commands, until_s)
            if any(isinstance(x, Refusal) and x.code == "NOSCRIPT" for x in replies):
                wire.ask(self._script.loads(), until_s)
                replies = wire.ask(commands, until_s)
        changed: dict[bool, set[int]] = defaultdict(set)
        for bucket, reply in zip(buckets, replies, strict=True):
            if isinstance(reply, Refusal):
                if reply.code not in _ELSEWHERE:
                    raise StoreUnavailableError(f"Redis {node.name} began no epoch: {reply}")
                # It has gone elsewhere; the call itself will be sent on.
                continue
            before = self._known.get(bucket, node.run_id)
            if reply != Lineage.SAME or before != node.run_id:
                changed[reply == Lineage.WAS_EMPTY].add(bucket)
            self._known[bucket] = node.run_id
            node.verified.add(bucket)
        node.due = frozenset()
        for was_empty, those in changed.items():
            log.warning(
                "another Redis process serves %d buckets at %s%s",
                len(those), node.name, ", which were empty" if was_empty else "",
            )  # fmt: skip
            self._news.put((frozenset(those), was_empty))

    def _tell(self) -> None:
        while (news := self._news.get()) is not None:
            for callback in tuple(self._callbacks):
                try:
                    callback(*news)
                except Exception:
                    log.exception("what follows from another Redis process could not be done")
