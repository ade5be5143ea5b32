"""Which process serves a bucket, and what must happen when it is another one than before.

Another process may have forgotten the newest writes. Before anything else is asked of it, a script
per bucket begins a new epoch (`fanzha.adapters.epochs`); then those who keep records of their own
are told, so that they look what is missing.
"""

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from fanzha.adapters.epochs import Began, epoch_calls, epoch_of
from fanzha.adapters.redis_node import Node
from fanzha.adapters.redis_scripts import Scripts
from fanzha.adapters.redis_wire import Refusal, Wire
from fanzha.domain.errors import StoreUnavailableError

log = logging.getLogger(__name__)

Callback = Callable[[frozenset[int], bool], None]
"""Told of buckets that another process serves now, and whether it knew nothing of them; only the
worker that came first learns the latter."""
_ELSEWHERE = ("MOVED", "ASK", "TRYAGAIN")
# What the runbooks quote; only who comes first can tell whether a process was empty.
_MEANS: Final = {
    Began.FIRST: ", which were empty: it is new, or has lost all that it held",
    Began.NEW: " after a restart or failover; spools send again what it may lack",
    Began.UNCHANGED: "; who met it first has logged whether they were empty",
}


class Lineages:
    """Looks at lineages for all threads of a link, and tells of changes in a thread of its own."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._base_max = 0
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
            with node.state_lock:
                if wire.run_id != node.run_id:
                    node.run_id = wire.run_id
                    node.verified = set()
                    node.due = node.owned
            self._verify(node, wire, until_s)
        finally:
            node.lock.release()

    def forget(self, node: Node, bucket: int) -> None:
        """Have a bucket looked at again first: a script did not find its epoch."""
        with node.state_lock:
            node.verified.discard(bucket)
            node.due |= {bucket} & node.owned

    def _verify(self, node: Node, wire: Wire, until_s: float) -> None:
        buckets = sorted(node.due)
        calls = epoch_calls(buckets, wire.run_id.decode(), int(time.time()), self._base_max)
        commands = [self._scripts.call("epoch", *call) for call in calls]
        replies = wire.ask(commands, until_s) if commands else []
        if any(isinstance(x, Refusal) and x.code == "NOSCRIPT" for x in replies):
            wire.ask(self._scripts.loads(), until_s)
            replies = wire.ask(commands, until_s)
        self._take(node, dict(zip(buckets, replies, strict=True)))

    def _take(self, node: Node, replies: dict[int, Any]) -> None:
        """Take note of what the script replied for each bucket, and have changes told."""
        changed: dict[Began, set[int]] = defaultdict(set)
        verified: set[int] = set()
        for bucket, reply in replies.items():
            if isinstance(reply, Refusal):
                continue
            epoch = epoch_of(bucket, reply)
            self._base_max = max(self._base_max, epoch.base)
            # Another worker may have begun the epoch; this one was with another process still.
            before = self._known.get(bucket, node.run_id)
            if epoch.began is not Began.UNCHANGED or before != node.run_id:
                changed[epoch.began].add(bucket)
            self._known[bucket] = node.run_id
            verified.add(bucket)
        refused = {b: x for b, x in replies.items() if isinstance(x, Refusal)}
        # A call for a bucket that is elsewhere will be sent on to where it is now.
        elsewhere = {bucket for bucket, x in refused.items() if x.code in _ELSEWHERE}
        with node.state_lock:
            node.verified |= verified & node.owned
            node.due = node.owned - node.verified - elsewhere
        for began, those in changed.items():
            # Normal for a new deployment, and grave for any other.
            log.warning(
                "another Redis process serves %d buckets at %s%s",
                len(those), node.name, _MEANS[began],
            )  # fmt: skip
        emptied = frozenset(changed.pop(Began.FIRST, ()))
        others = frozenset[int]().union(*changed.values())
        for told, was_empty in ((others, False), (emptied, True)):
            if told:
                self._news.put((told, was_empty))
        for bucket in refused.keys() - elsewhere:
            raise StoreUnavailableError(f"Redis {node.name} began no epoch: {refused[bucket]}")

    def _tell(self) -> None:
        while (news := self._news.get()) is not None:
            for callback in tuple(self._callbacks):
                try:
                    callback(*news)
                except Exception:
                    log.exception("what follows from another Redis process could not be done")
