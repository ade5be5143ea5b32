"""Drives a server with calls from one thread: as many as it answers, or on a schedule.

A scheduled call's latency counts from the moment at which it was due, not from when it was sent, so
that a stall of the server, or of this driver, is not left out (the "coordinated omission" of closed
loops). Arrivals are a Poisson process. How late the driver itself was is part of the result: a run
in which it lagged says nothing.
"""

import random
import select
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from hdrh.histogram import HdrHistogram

from fanzha_loadtest.http2 import OK, Call, Connection, trailer

RESOURCE_EXHAUSTED: Final = 8
_HINT: Final = b"grpc-retry-pushback-ms"
_LOWEST_US, _HIGHEST_US, _DIGITS = 1, 60_000_000, 3
_LAG_S, _LAG_SHARE, _LAG_MAX_S = 0.001, 0.01, 0.02
_END_S: Final = 15.0
_REST_S: Final = 0.1
"""So long a caller rests that was refused: the least that the service asks for."""


Rate = float | Callable[[float], float]
"""Calls a second, constant, or by the seconds since the start."""


class DriverLaggedError(Exception):
    """The driver could not keep to its own schedule: names by how much."""


def a_histogram() -> HdrHistogram:
    """Return an empty histogram of microseconds, up to a minute, of three digits."""
    return HdrHistogram(_LOWEST_US, _HIGHEST_US, _DIGITS)


@dataclass(slots=True)
class Load:
    """What became of the calls of one load."""

    offered_s: float
    """Calls a second that were due; of a closed loop those that were begun."""
    seconds: float
    histogram: HdrHistogram = field(default_factory=a_histogram)
    """Latencies of the answered calls from when they were due, in microseconds."""
    refusals: HdrHistogram = field(default_factory=a_histogram)
    """Of those refused with RESOURCE_EXHAUSTED."""
    answered: int = 0
    refused: int = 0
    hinted: int = 0
    """Refusals that said when to try again."""
    other: Counter[int] = field(default_factory=Counter)
    """Calls that ended otherwise, by gRPC status."""
    begun: int = 0
    late: int = 0
    """Calls that were sent more than a millisecond late, and by how many seconds the latest."""
    lag_max_s: float = 0.0

    @property
    def goodput_s(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def latency_ms(self, share: float) -> float:
        """Return the latency that a share of the answers stayed within, in milliseconds."""
        if not self.answered:
            return float("nan")
        return float(self.histogram.get_value_at_percentile(100 * share)) / 1000

    @property
    def has_lagged(self) -> bool:
        """Whether the driver was late too often or too long for the figures to count."""
        return self.late > _LAG_SHARE * self.begun or self.lag_max_s > _LAG_MAX_S

    def check_lag(self) -> None:
        """Say so loudly where the driver has lagged.

        Raises:
            DriverLaggedError: names by how much, and what to do.
        """
        if self.has_lagged:
            raise DriverLaggedError(
                f"the driver sent {self.late:,} of {self.begun:,} calls more than 1 ms late, the "
                f"latest by {1000 * self.lag_max_s:.1f} ms: the figures do not count; give it a "
                "core of its own, or a lower rate"
            )

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "offered_s": round(self.offered_s, 1),
            "goodput_s": round(self.goodput_s, 1),
            "answered": self.answered,
            "refused": self.refused,
            "hinted": self.hinted,
            "other": {str(status): count for status, count in self.other.items()},
            "p50_ms": round(self.latency_ms(0.5), 3),
            "p99_ms": round(self.latency_ms(0.99), 3),
            "p99.9_ms": round(self.latency_ms(0.999), 3),
            "max_ms": round(self.latency_ms(1.0), 3),
            "late": self.late,
            "lag_max_ms": round(1000 * self.lag_max_s, 3),
        }


Answered = Callable[[int, bytes], None]
"""Told of each answer: which message it belongs to, counted from 0, and its bytes."""


class Driver:
    """Open connections to one or more servers, spread in turn."""

    def __init__(
        self,
        addresses: Sequence[str],
        call: Call,
        *,
        connections: int = 4,
        tls: ssl.SSLContext | None = None,
        on_answer: Answered | None = None,
    ) -> None:
        """Connect.

        Args:
            addresses: host:port of each server.
            call: the method, and what its calls say.
            connections: to each server.
            tls: with ALPN h2; None for none.
            on_answer: told of each answer.

        Raises:
            OSError: a server does not let us in.
        """
        self._call = call
        self._tls = tls
        self._on_answer = on_answer
        self._addresses = [one for _ in range(connections) for one in addresses]
        self._connections = [self._open(one) for one in self._addresses]
        self._due: dict[int, float] = {}
        self._load = Load(0.0, 1.0)
        self._free = 0
        self._resting: deque[float] = deque()
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        for one in self._connections:
            one.close()

    def closed(self, messages: Iterator[bytes], callers: int, seconds: float) -> Load:
        """Have so many callers send one call after the other; who is refused rests a while.

        Args:
            messages: what they send; ends the load when there are no more.
            callers: calls in flight.
            seconds: for how long.
        """
        load = self._load = Load(0.0, seconds)
        self._number = 0
        self._resting.clear()
        began = time.monotonic()
        end, free, is_over = began + seconds, callers, False
        while not is_over or self._due:
            now = time.monotonic()
            is_over = is_over or now >= end
            while free and not is_over:
                message = next(messages, None)
                if message is None:
                    is_over = True
                    break
                self._begin(message, time.monotonic())
                free -= 1
            self._free = 0
            self._turn(0.01 if self._resting else 0.05)
            free += self._free
            while self._resting and self._resting[0] <= time.monotonic():
                self._resting.popleft()
                free += 1
            if is_over and time.monotonic() > end + _END_S:
                break
        load.seconds = min(seconds, time.monotonic() - began)
        load.offered_s = load.begun / load.seconds
        self._give_up()
        return load

    def open(self, messages: Iterator[bytes], rate: Rate, seconds: float, seed: int) -> Load:
        """Send calls on a schedule that does not wait for answers, and wait for the last of them.

        Args:
            messages: what is sent.
            rate: calls a second.
            seconds: for how long.
            seed: of the arrivals.
        """
        load = self._load = Load(0.0, seconds)
        self._number = 0
        arrivals = random.Random(seed)  # noqa: S311 - a load, not a secret
        start = time.monotonic() + 0.01
        due = start + _gap(arrivals, rate, 0.0)
        last = start + seconds
        message = next(messages, None)
        while message is not None and due < last:
            now = time.monotonic()
            while message is not None and due <= now and due < last:
                late_s = now - due
                load.late += late_s > _LAG_S
                load.lag_max_s = max(load.lag_max_s, late_s)
                self._begin(message, due)
                due += _gap(arrivals, rate, due - start)
                message = next(messages, None)
                now = time.monotonic()
            self._turn(max(0.0, due - time.monotonic()))
        end = time.monotonic() + _END_S
        while self._due and time.monotonic() < end:
            self._turn(0.05)
        load.offered_s = load.begun / seconds
        self._give_up()
        return load

    def _begin(self, message: bytes, due: float) -> None:
        number, self._number = self._number, self._number + 1
        self._due[number] = due
        self._load.begun += 1
        place = number % len(self._connections)
        connection = self._connections[place]
        if connection.is_leaving:
            connection = self._connections[place] = self._again(place, connection)
        connection.begin(number, message)

    def _turn(self, wait_s: float) -> None:
        """Send what waits, and take what arrives within a time."""
        for one in self._connections:
            one.flush()
        by_socket = {one.socket: one for one in self._connections}
        blocked = [one.socket for one in self._connections if one.wants_to_write]
        readable, writable, _ = select.select(list(by_socket), blocked, [], wait_s)
        for ready in readable:
            by_socket[ready].receive()
        for ready in writable:
            by_socket[ready].flush()

    def _again(self, place: int, old: Connection) -> Connection:
        """Open a connection in place of one that takes no more calls, once the old one is done."""
        deadline = time.monotonic() + 1.0
        while old.in_flight and time.monotonic() < deadline:
            old.flush()
            if select.select([old.socket], [], [], 0.05)[0]:
                old.receive()
        old.close()
        return self._open(self._addresses[place])

    def _open(self, address: str) -> Connection:
        return Connection(address, self._call, self._ended, self._tls)

    def _ended(self, number: int, status: int, message: bytes, block: bytes) -> None:
        due = self._due.pop(number, None)
        if due is None:
            return
        load = self._load
        if status == RESOURCE_EXHAUSTED:
            self._resting.append(time.monotonic() + _REST_S)
        else:
            self._free += 1
        took_us = max(_LOWEST_US, min(_HIGHEST_US, int(1e6 * (time.monotonic() - due))))
        if status == OK:
            load.answered += 1
            load.histogram.record_value(took_us)
            if self._on_answer is not None:
                self._on_answer(number, message)
        elif status == RESOURCE_EXHAUSTED:
            load.refused += 1
            load.refusals.record_value(took_us)
            load.hinted += trailer(block, _HINT) is not None
        else:
            load.other[status] += 1

    def _give_up(self) -> None:
        """Count what has not ended."""
        if self._due:
            self._load.other[-1] += len(self._due)
            self._due.clear()


def _gap(arrivals: random.Random, rate: Rate, at_s: float) -> float:
    """Return the time to the next arrival, in seconds."""
    now = rate(at_s) if callable(rate) else rate
    return arrivals.expovariate(max(now, 1e-3))
