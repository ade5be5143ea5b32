"""Sends gRPC calls when they are due, whatever the answers do: one thread, many calls in flight.

Arrivals are a Poisson process. Latency counts from the moment at which a call was due, so that a
stall of the server, or of this driver, is not left out (the "coordinated omission" of closed
loops). A driver that falls behind its own schedule measures itself: then the run is void.
"""

import gc
import random
import select
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

import grpc
from hdrh.histogram import HdrHistogram

from fanzha_loadtest.http2 import OK, UNAVAILABLE, Call, Connection, trailer

SCORE: Final = "/fanzha.v1.ScoringService/ScoreTransfer"
Done = Callable[[int, bytes], None]
"""Told of a call that ended: gRPC status, and the message (b"" without one)."""
OnEnd = Callable[[int, int, bytes, int], None]
"""Told of an arrival that ended: its number within the load, gRPC status, message, and microseconds
since it was due."""

_REFUSED: Final = 8
_US: Final = 1_000_000
_LONGEST_US: Final = 120 * _US
_AT_ONCE: Final = 64
"""So many calls that are due are begun before answers are looked at again."""
_LEFT_S: Final = 10.0
"""How long past its last deadline a load waits for what has not ended."""
_AGAIN_S: Final = 0.5
"""A broken connection is opened again after so long."""
_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}


def new_histogram() -> HdrHistogram:
    """Return an empty histogram of microseconds, up to two minutes, exact to three digits."""
    return HdrHistogram(1, _LONGEST_US, 3)


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go."""

    addresses: tuple[str, ...]
    """host:port; connections are spread over them evenly."""
    tls: ssl.SSLContext | None = None
    authority: str = "localhost"
    """The name that the server's certificate has to bear."""


@dataclass(frozen=True, slots=True)
class LagLimit:
    """How far the driver may be behind its own schedule before its figures are void."""

    p99_ms: float = 5.0
    max_ms: float = 50.0


@dataclass(slots=True)
class Load:
    """What became of the calls of one load; latencies in microseconds from the due time."""

    seconds: float
    limit: LagLimit = LagLimit()
    due: int = 0
    """Calls that were due, and sent."""
    histogram: HdrHistogram = field(default_factory=new_histogram)
    """Of the calls that were answered."""
    refused: int = 0
    """With RESOURCE_EXHAUSTED."""
    hinted: int = 0
    """Refusals that said when to try again."""
    failed: Counter[str] = field(default_factory=Counter)
    """Calls that ended otherwise, by status."""
    lag: HdrHistogram = field(default_factory=new_histogram)
    """How long after its time each call was sent: the driver's own lateness."""
    processor_s: float = 0.0
    """Processor time of the driver."""

    @property
    def answered(self) -> int:
        """Calls that were answered."""
        return int(self.histogram.get_total_count())

    @property
    def driver_lagged(self) -> bool:
        """Whether the driver fell behind: the latencies are then not the server's."""
        return (
            self.lag_ms(99) > self.limit.p99_ms
            or self.lag.get_max_value() / 1000 > self.limit.max_ms
        )

    def latency_ms(self, percentile: float) -> float:
        """Return a percentile (0 to 100) of the answers' latencies in ms; NaN without any."""
        if not self.answered:
            return float("nan")
        return float(self.histogram.get_value_at_percentile(percentile)) / 1000

    def lag_ms(self, percentile: float) -> float:
        """Return a percentile of the driver's own lateness in ms."""
        return float(self.lag.get_value_at_percentile(percentile)) / 1000

    def add(self, other: "Load") -> None:
        """Count another load in."""
        self.seconds += other.seconds
        self.due += other.due
        self.histogram.add(other.histogram)
        self.lag.add(other.lag)
        self.refused += other.refused
        self.hinted += other.hinted
        self.failed.update(other.failed)
        self.processor_s += other.processor_s


class Lane:
    """Calls of one method, spread over connections of its own."""

    def __init__(self, target: Target, call: Call, connections: int) -> None:
        """Connect.

        Raises:
            OSError: a server does not answer, or TLS failed.

        """
        self._target, self._call = target, call
        self._done: dict[int, Done] = {}
        self._blocks: dict[int, bytes] = {}
        self._next = 0
        self._again_s = 0.0
        self.last_block = b""
        """Trailers of the call that is being told of."""
        self._places = [target.addresses[x % len(target.addresses)] for x in range(connections)]
        self.connections = [self._open(place) for place in self._places]

    def begin(self, message: bytes, done: Done) -> None:
        """Begin a call on the next connection; `flush` sends it."""
        number = self._next
        self._next += 1
        place = number % len(self.connections)
        connection = self.connections[place]
        if connection.is_leaving:
            connection = self._opened_again(place)
        if connection.is_leaving:
            done(UNAVAILABLE, b"")
            return
        self._done[number] = done
        connection.begin(number, message)

    def flush(self) -> None:
        """Send what was begun."""
        for connection in self.connections:
            if connection.wants_to_write:
                connection.flush()

    def close(self) -> None:
        """Hang up."""
        for connection in self.connections:
            connection.close()

    def _open(self, address: str) -> Connection:
        return Connection(address, self._call, self._ended, self._target.tls)

    def _opened_again(self, place: int) -> Connection:
        """Return another connection in the place of one that takes no more calls."""
        old, now = self.connections[place], time.perf_counter()
        if old.in_flight or now < self._again_s:
            return old
        try:
            self.connections[place] = self._open(self._places[place])
        except OSError:
            self._again_s = now + _AGAIN_S
            return old
        old.close()
        return self.connections[place]

    def _ended(self, number: int, status: int, message: bytes, block: bytes) -> None:
        self.last_block = block
        self._done.pop(number)(status, message)


class OpenLoop:
    """Drives loads over connections that stay open, and sends what follows from the answers."""

    def __init__(
        self,
        target: Target,
        seed: int,
        *,
        connections: int = 4,
        deadline_ms: int = 1_000,
        limit: LagLimit | None = None,
    ) -> None:
        """Connect.

        Args:
            target: where calls go.
            seed: of the arrivals.
            connections: of the calls whose latency counts.
            deadline_ms: that each of them states.
            limit: of the driver's own lateness.

        Raises:
            OSError: a server does not answer, or TLS failed.

        """
        self._target, self._limit = target, limit or LagLimit()
        self._deadline_ms = deadline_ms
        self._arrivals = random.Random(seed)  # noqa: S311 - a load, not a secret
        self._lane = Lane(
            target, Call(SCORE, f"{deadline_ms}m", target.authority), max(1, connections)
        )
        self._others: dict[str, Lane] = {}
        self._later: list[tuple[float, int, str, bytes, Done]] = []
        self._put = 0
        self._open = 0

    def later(self, delay_s: float, method: str, message: bytes, done: Done) -> None:
        """Call another method in a while; `run` sends it when it is due, and waits for its end."""
        self._put += 1
        due = time.perf_counter() + delay_s
        heappush(self._later, (due, self._put, method, message, done))

    def run(
        self,
        messages: Iterator[bytes],
        rate: Callable[[float], float],
        seconds: float,
        on_end: OnEnd | None = None,
    ) -> Load:
        """Send calls for a time, and wait until they and all that follows have ended.

        Args:
            messages: serialised ScoreTransferRequests; each is taken when it is due.
            rate: calls a second at a moment, in seconds from the start.
            seconds: for how long calls are due.
            on_end: told of each call of `messages`, in the order in which they end.

        """
        load = Load(seconds, self._limit)
        began, collects = time.process_time(), gc.isenabled()
        # A collection of the garbage of a whole run would be a pause of the driver.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._run(messages, rate, seconds, load, on_end or (lambda *_: None))
        finally:
            gc.unfreeze()
            if collects:
                gc.enable()
        load.processor_s = time.process_time() - began
        return load

    def close(self) -> None:
        """Hang up."""
        for lane in (self._lane, *self._others.values()):
            lane.close()

    def _run(
        self,
        messages: Iterator[bytes],
        rate: Callable[[float], float],
        seconds: float,
        load: Load,
        on_end: OnEnd,
    ) -> None:
        start = time.perf_counter() + 0.02
        end = start + seconds
        given_up = end + self._deadline_ms / 1000 + _LEFT_S
        due = start + self._arrivals.expovariate(rate(0.0))
        while True:
            for _ in range(_AT_ONCE):
                now = time.perf_counter()
                if due > now or due > end:
                    break
                self._arrive(next(messages), due, now, load, on_end)
                due += self._arrivals.expovariate(max(1e-6, rate(due - start)))
            now = time.perf_counter()
            self._begin_what_follows(now)
            is_over = due > end and not self._open and not self._later
            if is_over or now > given_up:
                return
            next_s = due if due <= end else given_up
            if self._later:
                next_s = min(next_s, self._later[0][0])
            self._exchange(max(0.0, next_s - now))

    def _arrive(self, message: bytes, due: float, now: float, load: Load, on_end: OnEnd) -> None:
        number = load.due
        load.due += 1
        load.lag.record_value(max(1, int((now - due) * _US)))
        self._open += 1

        def ended(status: int, answer: bytes) -> None:
            self._open -= 1
            spent_us = min(_LONGEST_US, max(1, int((time.perf_counter() - due) * _US)))
            if status == OK:
                load.histogram.record_value(spent_us)
            elif status == _REFUSED:
                load.refused += 1
                hint = trailer(self._lane.last_block, b"grpc-retry-pushback-ms")
                load.hinted += hint is not None
            else:
                load.failed[_NAMES.get(status, str(status))] += 1
            on_end(number, status, answer, spent_us)

        self._lane.begin(message, ended)

    def _begin_what_follows(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, _, method, message, done = heappop(self._later)
            lane = self._others.get(method)
            if lane is None:
                lane = Lane(self._target, Call(method, "5S", self._target.authority), 1)
                self._others[method] = lane
            self._open += 1

            def ended(status: int, answer: bytes, done: Done = done) -> None:
                self._open -= 1
                done(status, answer)

            lane.begin(message, ended)

    def _exchange(self, wait_s: float) -> None:
        lanes = (self._lane, *self._others.values())
        for lane in lanes:
            lane.flush()
        opened = {
            connection.socket: connection
            for lane in lanes
            for connection in lane.connections
            if connection.in_flight or not connection.is_leaving
        }
        writing = [one for one, connection in opened.items() if connection.wants_to_write]
        # Microseconds; epoll counts in milliseconds.
        readable, _, _ = select.select(list(opened), writing, (), wait_s)
        for one in readable:
            opened[one].receive()


def drive(
    addresses: tuple[str, ...],
    messages: Iterator[bytes],
    rate: float,
    seconds: float,
    seed: int,
) -> Load:
    """Send calls at a constant rate for a time, without TLS, and wait for their answers."""
    loop = OpenLoop(Target(addresses), seed)
    try:
        return loop.run(messages, lambda _: rate, seconds)
    finally:
        loop.close()
