"""Carries changes to other slots, the payee's and the links': outbox to subject, each exactly once.

The worker that recorded a decision relays it right away; a sweep finds what a crash left behind.
Each message is applied under a marker, so that a repetition changes nothing. While
one server is away, what concerns it waits in its outboxes, and the others' messages go on.
"""

import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS, bucket_of
from fanzha.features.layout import Change

log = logging.getLogger(__name__)

_BATCH = 128
_SWEEP_S = 1.0
_LEFT_BEHIND_MS = 2_000
_FORCE_MS = 60_000
RECEIVED_LIFE_MS = 2 * 86_400_000
"""How long it is remembered that a message was applied, and an event received."""
_OF_LINKS = (b"%d" % Change.SIGHTING, b"%d" % Change.TAINT, b"%d" % Change.CLEAR)


@dataclass(frozen=True, slots=True)
class _Message:
    bucket: int
    outbox_id: bytes
    subject: bytes
    kind: bytes
    change: bytes
    links: bytes
    """Tokens of the payee's links, which come with a receipt."""
    age_ms: int


class Relay:
    """A thread of the worker that empties outboxes."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._hints: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="relay", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Relay what is queued and end the thread."""
        self._stop.set()
        self._hints.put((-1, b""))
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def hint(self, bucket: int, outbox_id: bytes) -> None:
        """Say that a message was just put into a bucket's outbox."""
        self._hints.put((bucket, outbox_id))

    def _work(self) -> None:
        next_sweep_s = time.monotonic() + _SWEEP_S
        while True:
            hints = self._take()
            try:
                if hints:
                    self._deliver(self._read(hints))
                if time.monotonic() >= next_sweep_s and not self._stop.is_set():
                    next_sweep_s = time.monotonic() + _SWEEP_S
                    self._deliver(self._left_behind())
            except Exception:
                log.exception("messages to other accounts could not be carried; tried again")
            if self._stop.is_set() and self._hints.empty():
                return

    def _take(self) -> list[tuple[int, bytes]]:
        """Wait for hints, at most until the next sweep is due."""
        hints = []
        try:
            hints.append(self._hints.get(timeout=_SWEEP_S))
            while len(hints) < _BATCH:
                hints.append(self._hints.get_nowait())
        except queue.Empty:
            pass
        return [(bucket, outbox_id) for bucket, outbox_id in hints if bucket >= 0]

    def _read(self, hints: list[tuple[int, bytes]]) -> list[_Message]:
        reads: list[Command] = [("XRANGE", keys.outbox(b), i, i) for b, i in hints]
        replies = self._link.try_run(reads)
        read = [
            _message(bucket, rows[0], age_ms=0)
            for (bucket, _), rows in zip(hints, replies, strict=True)
            if _is_there(rows) and rows
        ]
        return [message for message in read if message is not None]

    def _left_behind(self) -> list[_Message]:
        reads: list[Command] = [("TIME",)]
        reads += [("XRANGE", keys.outbox(b), "-", "+", "COUNT", _BATCH) for b in range(BUCKETS)]
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

    def _deliver(self, messages: list[_Message]) -> None:
        if not messages:
            return
        replies = self._link.try_run([self._apply(message) for message in messages])
        done: list[Command] = [
            ("XDEL", keys.outbox(message.bucket), message.outbox_id)
            for message, reply in zip(messages, replies, strict=True)
            if _is_there(reply) and reply >= 0
        ]
        if done:
            self._link.try_run(done)

    def _apply(self, message: _Message) -> Command:
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


def _message(bucket: int, row: list[Any], *, age_ms: int) -> _Message | None:
    """Read a message; one that is none stays where it is, and keeps nobody else's waiting."""
    fields = dict(zip(row[1][::2], row[1][1::2], strict=True))
    try:
        subject, kind, change = fields[b"t"], fields[b"o"], fields[b"c"]
        bucket_of(subject)
    except (KeyError, IndexError):
        log.error("%r in the outbox of bucket %d is no message; look at it", row[0], bucket)  # noqa: TRY400 - no bug
        return None
    return _Message(bucket, row[0], subject, kind, change, fields.get(b"l", b""), age_ms)
