"""One open connection to one Redis server, used by one thread at a time.

redis-py's `Connection` opens it (addresses, TLS); the bytes then go through hiredis directly, whose
parser costs a third of redis-py's own reading. A wire on which anything went wrong is never used
again: a reply that comes late must not be taken for the answer to the next command.
"""

import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import hiredis
import redis
from redis.connection import AbstractConnection

from fanzha.adapters.redis_tls import Tls

Command = tuple[Any, ...]


Packed = tuple[int, int, bytes]
"""Commands on keys of one bucket in the form in which they are sent: bucket, how many they are, and
what `pack` makes of them."""


def pack(commands: Iterable[Command]) -> bytes:
    """Return commands in the form in which they are sent; arguments are bytes, text or numbers."""
    one = hiredis.pack_command
    return b"".join([one(command) for command in commands])


_MISSING = object()
_BUFFER_BYTES = 65_536
# Even when a call's time is over, replies that have arrived are taken, for a moment.
_WAIT_MIN_S = 0.0005
_GRACE_S = 0.01
_CLOSED = "the server closed the connection"
_LATE = "the reply did not arrive in time"


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An error that Redis replied."""

    @property
    def code(self) -> str:
        """Its first word, such as MOVED."""
        return str(self.args[0]).partition(" ")[0]


class Wire:
    """An open connection; every `send` is followed by the `read` of all its replies."""

    __slots__ = ("__weakref__", "_buffer", "_connection", "_reader", "_sock", "run_id", "waiting")

    def __init__(self, connection: AbstractConnection, tls: Tls | None = None) -> None:
        """Open it, within the time-outs that the connection was made with.

        Args:
            connection: not open yet.
            tls: what to wrap it in.

        Raises:
            OSError: it cannot be opened (TimeoutError: not in time).
        """
        try:
            connection.connect()  # type: ignore[no-untyped-call]
        except redis.TimeoutError as error:
            raise TimeoutError(str(error)) from error
        except redis.RedisError as error:
            raise ConnectionError(str(error)) from error
        self._connection = connection
        self._sock: Any = connection._sock  # noqa: SLF001 - redis-py has no other way to it
        if tls is not None:
            try:
                self._sock = tls.wrap(self._sock, getattr(connection, "host", ""))
            except BaseException:
                self.close()
                raise
        self._reader = hiredis.Reader(
            protocolError=ConnectionError, replyError=Refusal, notEnoughData=_MISSING
        )
        self._buffer = bytearray(_BUFFER_BYTES)
        self.waiting = 0
        """Replies not read yet: only with none of them it may be used."""
        self.run_id = b""
        """Names the process at the other end, once it was asked."""

    def send(self, packed: bytes, count: int, until_s: float) -> None:
        """Send commands.

        Args:
            packed: what `pack` made of them.
            count: how many they are.
            until_s: monotonic instant until which it may take.

        Raises:
            OSError: the connection is broken (TimeoutError: not in time).
        """
        self.waiting = count
        wait_s = until_s - time.monotonic()
        self._sock.settimeout(max(_WAIT_MIN_S, wait_s))
        self._sock.sendall(packed)

    def read(self, until_s: float) -> list[Any]:
        """Return the reply to each command sent; errors are `Refusal`s in the list.

        Raises:
            OSError: the connection is broken, or out of step (TimeoutError: not in time).
        """
        replies: list[Any] = []
        gets, count = self._reader.gets, self.waiting
        while True:
            replies.extend(iter(gets, _MISSING))
            if len(replies) >= count:
                if len(replies) > count or self._reader.has_data():
                    raise ConnectionError("Redis sent more than was asked for")
                self.waiting = 0
                return replies
            wait_s = until_s - time.monotonic()
            if wait_s < -_GRACE_S:
                raise TimeoutError(_LATE)
            self._sock.settimeout(max(_WAIT_MIN_S, wait_s))
            received = self._sock.recv_into(self._buffer)
            if not received:
                raise ConnectionResetError(_CLOSED)
            self._reader.feed(self._buffer, 0, received)  # type: ignore[arg-type]

    def ask(self, commands: Sequence[Command], until_s: float) -> list[Any]:
        """Send commands and return their replies."""
        self.send(pack(commands), len(commands), until_s)
        return self.read(until_s)

    def __del__(self) -> None:
        """Close it when its thread has ended; one that never opened has nothing to close."""
        if hasattr(self, "_sock"):
            self.close()

    def close(self) -> None:
        """Close it; what was not read is lost."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._connection.disconnect()  # type: ignore[no-untyped-call]
