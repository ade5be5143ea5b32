"""Carries changes to other slots, the payee's and the links': outbox to subject, each exactly once.

The worker that recorded a decision relays what it left behind within some ten milliseconds,
together with what others leave in that time; a sweep finds what a crash left behind. Each message
is applied under a marker, so that a repetition changes nothing. While one server is away, what
concerns it waits in its outboxes, and the others' messages go on.
"""

import logging
import queue
import threading
import time
from collections import defaultdict
from typing import Any, NamedTuple

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS, bucket_of
from fanzha.features.layout import Change

log = logging.getLogger(__name__)

_BATCH = 256
_GATHER_S = 0.008
"""So long messages are gathered before they are carried: under load one round trip serves many, and
the thread wakes up once for them. Sequences name what a decision saw, so nothing hangs on it."""
_SWEEP_S = 1.0
_SWEEP_BATCH = 128
_LEFT_BEHIND_MS = 2_000
_FORCE_MS = 60_000
_TOLD_MAX = 20_000
"""Of more messages than this nothing is told: they are left to the sweep, and memory is bounded."""
RECEIVED_LIFE_MS = 2 * 86_400_000
"""How long it is remembered that a message was applied, and an event received."""
RECEIVE, SIGHTING = b"%d" % Change.RECEIVE, b"%d" % Change.SIGHTING
_OF_LINKS = (SIGHTING, b"%d" % Change.TAINT, b"%d" % Change.CLEAR)


class Message(NamedTuple):
    """A change on its way, as it lies in the outbox of `bucket` under `outbox_id`."""

    bucket: int
    outbox_id: bytes
    subject: bytes
    kind: bytes
    change: bytes
    links: bytes = b""
    """Tokens of the payee's links, which come with a receipt."""
    age_ms: int = 0


Hint = tuple[int, bytes]
"""Bucket and id of a message that has to be read first."""


class Relay:
    """A thread of the worker that empties outboxes."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._told: queue.SimpleQueue[Message | Hint | None] = queue.SimpleQueue()
        self._carried: dict[int, list[bytes]] = defaultdict(list)
        """Ids by bucket that are to be taken out of outboxes, with what is asked next."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="relay", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Relay what is queued and end the thread."""
        self._stop.set()
        self._told.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def hint(self, bucket: int, outbox_id: bytes) -> None:
        """Say that a message was just put into a bucket's outbox."""
        if self._told.qsize() < _TOLD_MAX:
            self._told.put((bucket, outbox_id))

    def tell(self, message: Message) -> None:
        """Say which message was just put into an outbox: it need not be read there."""
        if self._told.qsize() < _TOLD_MAX:
            self._told.put(message)

    def carry(self) -> int:
        """Carry what was told up to now, in the caller's thread; return how many messages."""
        told = self._waiting()
        self._deliver(self._messages(told))
        self._take_out()
        return len(told)

    def _work(self) -> None:
        next_sweep_s = time.monotonic() + _SWEEP_S
        while True:
            told = self._take()
            try:
                self._deliver(self._messages(told))
                if time.monotonic() >= next_sweep_s and not self._stop.is_set():
                    next_sweep_s = time.monotonic() + _SWEEP_S
                    self._deliver(self._left_behind())
                if self._told.empty():
                    self._take_out()
            except Exception:
                log.exception("messages to other accounts could not be carried; tried again")
            if self._stop.is_set() and self._told.empty():
                return

    def _take(self) -> list[Message | Hint]:
        """Wait for the first that is told, at most until the next sweep is due, and for others."""
        try:
            first = self._told.get(timeout=_SWEEP_S)
        except queue.Empty:
            return []
        self._stop.wait(_GATHER_S)
        others = self._waiting()
        return others if first is None else [first, *others]

    def _waiting(self) -> list[Message | Hint]:
        told: list[Message | Hint | None] = []
        try:
            while len(told) < _BATCH:
                told.append(self._told.get_nowait())
        except queue.Empty:
            pass
        return [one for one in told if one is not None]

    def _messages(self, told: list[Message | Hint]) -> list[Message]:
        """Return what was told, and read what was hinted at."""
        hints = [one for one in told if not isinstance(one, Message)]
        messages = [one for one in told if isinstance(one, Message)]
        if not hints:
            return messages
        reads: list[Command] = [("XRANGE", keys.outbox(b), i, i) for b, i in hints]
        replies = self._link.try_run(reads)
        read = [
            _message(bucket, rows[0], age_ms=0)
            for (bucket, _), rows in zip(hints, replies, strict=True)
            if _is_there(rows) and rows
        ]
        return messages + [message for message in read if message is not None]

    def _left_behind(self) -> list[Message]:
        reads: list[Command] = [("TIME",)]
        outboxes = [keys.outbox(bucket) for bucket in range(BUCKETS)]
        reads += [("XRANGE", outbox, "-", "+", "COUNT", _SWEEP_BATCH) for outbox in outboxes]
        now, *replies = self._link.try_run(reads)
        if not _is_there(now):
            return []
        now_ms = int(now[0]) * 1000 + int(now[1]) // 1000
        found = [
            _message(bucket, row, age_ms=now_ms - int(row[0].partition(b"-")[0]))
            for bucket, rows in enumerate(replies)
            if _is_there(rows)
            for row in rows
        ]
        return [x for x in found if x is not None and x.age_ms >= _LEFT_BEHIND_MS]

    def _deliver(self, messages: list[Message]) -> None:
        """Apply messages, and take out of the outboxes what was applied the last time."""
        if not messages:
            return
        done = self._done()
        applies = [self._apply(message) for message in messages]
        replies = self._link.try_run([*done, *applies])[len(done) :]
        for message, reply in zip(messages, replies, strict=True):
            if _is_there(reply) and reply >= 0:
                self._carried[message.bucket].append(message.outbox_id)

    def _take_out(self) -> None:
        """Take what was applied out of the outboxes; what stays is found by a sweep."""
        if done := self._done():
            self._link.try_run(done)

    def _done(self) -> list[Command]:
        carried, self._carried = self._carried, defaultdict(list)
        return [("XDEL", keys.outbox(bucket), *ids) for bucket, ids in carried.items()]

    def _apply(self, message: Message) -> Command:
        bucket = bucket_of(message.subject)
        key_of = keys.link if message.kind in _OF_LINKS else keys.account
        marker = b"%d-%b" % (message.bucket, message.outbox_id)
        return self._link.scripts.call(
            "apply",
            (
                key_of(message.subject),
                keys.applied(bucket, marker),
                keys.received(bucket, message.change[:8]),
                keys.journal(bucket),
                keys.outbox(bucket),
                keys.epoch(bucket),
            ),
            (
                message.change,
                message.kind,
                message.subject,
                RECEIVED_LIFE_MS,
                int(message.age_ms > _FORCE_MS),
                message.links,
            ),
        )


def _is_there(reply: object) -> bool:
    """Say whether a reply could be had: where not, the message stays, and the sweep finds it."""
    return not isinstance(reply, StoreUnavailableError)


def _message(bucket: int, row: list[Any], *, age_ms: int) -> Message | None:
    """Read a message; one that is none stays where it is, and keeps nobody else's waiting."""
    fields = dict(zip(row[1][::2], row[1][1::2], strict=True))
    try:
        subject, kind, change = fields[b"t"], fields[b"o"], fields[b"c"]
        bucket_of(subject)
    except (KeyError, IndexError):
        log.error("%r in the outbox of bucket %d is no message; look at it", row[0], bucket)  # noqa: TRY400 - no bug
        return None
    return Message(bucket, row[0], subject, kind, change, fields.get(b"l", b""), age_ms)
