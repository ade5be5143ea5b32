"""A driver that also sends what follows from the answers: reports of executions, and outcomes.

They go over connections of their own, from the same thread, and are no part of the load's figures.
"""

import gc
import select
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Final

from fanzha_loadtest.driver import Driver, Load, Rate
from fanzha_loadtest.http2 import Call, Connection

SCORE: Final = "/fanzha.v1.ScoringService/ScoreTransfer"
_FOLLOWS_S: Final = "10S"
"""Deadline of what follows, as gRPC writes it."""
_END_S: Final = 15.0

Done = Callable[[int], None]
"""Told how a call ended that followed: its gRPC status."""
OnEnd = Callable[[int, int, bytes, int], None]
"""Told of each call of a load that ended: its number, gRPC status, message, and microseconds since
it was due."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go."""

    addresses: tuple[str, ...]
    """host:port; connections are spread over them evenly."""
    tls: ssl.SSLContext | None = None
    authority: str = "localhost"
    """The name that the server's certificate has to bear."""


class ChainedDriver(Driver):
    """Open connections for one load, and for the calls that follow from its answers."""

    def __init__(self, target: Target, *, connections: int = 4, deadline_ms: int = 1_000) -> None:
        """Connect.

        Args:
            target: where calls go.
            connections: to each server.
            deadline_ms: that each call of the load states.

        Raises:
            OSError: a server does not let us in.

        """
        call = Call(SCORE, f"{deadline_ms}m", target.authority)
        super().__init__(target.addresses, call, connections=connections, tls=target.tls)
        self.on_end: OnEnd | None = None
        self._target = target
        self._later: list[tuple[float, int, str, bytes, Done]] = []
        self._beside: dict[str, Connection] = {}
        self._done: dict[int, Done] = {}
        self._follow_numbers = count()

    def later(self, delay_s: float, method: str, message: bytes, done: Done) -> None:
        """Call another method in a while; a load waits for the end of all that follows from it."""
        due = time.monotonic() + delay_s
        heappush(self._later, (due, next(self._follow_numbers), method, message, done))

    def open(self, messages: Iterator[bytes], rate: Rate, seconds: float, seed: int) -> Load:
        """Send calls on a schedule, as `Driver` does, and what follows from them."""
        # A collection of the garbage of a whole run would be a pause of the driver.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            load = super().open(messages, rate, seconds, seed)
            end = time.monotonic() + _END_S
            while (self._later or self._done) and time.monotonic() < end:
                self._turn(0.05)
        finally:
            gc.enable()
            gc.unfreeze()
        return load

    def close(self) -> None:
        """Hang up."""
        super().close()
        for one in self._beside.values():
            one.close()

    def _turn(self, wait_s: float) -> None:
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            _, number, method, message, done = heappop(self._later)
            self._done[number] = done
            self._connection_for(method).begin(number, message)
        if self._later:
            wait_s = min(wait_s, max(0.0, self._later[0][0] - now))
        connections: Sequence[Connection] = (*self._connections, *self._beside.values())
        for one in connections:
            one.flush()
        by_socket = {one.socket: one for one in connections}
        blocked = [one.socket for one in connections if one.wants_to_write]
        readable, writable, _ = select.select(list(by_socket), blocked, [], wait_s)
        for ready in readable:
            by_socket[ready].receive()
        for ready in writable:
            by_socket[ready].flush()

    def _connection_for(self, method: str) -> Connection:
        opened = self._beside.get(method)
        if opened is None or opened.is_leaving:
            if opened is not None:
                opened.close()
            call = Call(method, _FOLLOWS_S, self._target.authority)
            address, tls = self._target.addresses[0], self._target.tls
            opened = self._beside[method] = Connection(address, call, self._followed, tls)
        return opened

    def _followed(self, number: int, status: int, _message: bytes, _block: bytes) -> None:
        done = self._done.pop(number, None)
        if done is not None:
            done(status)

    def _ended(self, number: int, status: int, message: bytes, block: bytes) -> None:
        due = self._due.get(number)
        super()._ended(number, status, message, block)
        if due is not None and self.on_end is not None:
            self.on_end(number, status, message, int(1e6 * (time.monotonic() - due)))
