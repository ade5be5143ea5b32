"""Sends calls on a schedule that does not wait for answers, as a bank's customers do.

Arrivals are a Poisson process. A call's latency counts from the moment at which it was due, not
from when it was sent, so that a stall of the server, or of this driver, is not left out (the
"coordinated omission" of closed loops).
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

_METHOD: Final = "/fanzha.v1.ScoringService/ScoreTransfer"
_LATE_S: Final = 0.02


@dataclass(slots=True)
class Load:
    """What became of the calls of one load. Latencies are seconds from the due time."""

    offered_s: float
    """Calls a second that were due."""
    seconds: float
    latencies_s: list[float] = field(default_factory=list)
    """Of the calls that were answered."""
    refused_s: list[float] = field(default_factory=list)
    """Of those refused with RESOURCE_EXHAUSTED."""
    hinted: int = 0
    """Refusals that said when to try again."""
    other: Counter[str] = field(default_factory=Counter)
    """Calls that ended otherwise, by status."""
    late: int = 0
    """Calls that this driver sent more than 20 ms after they were due."""

    @property
    def goodput_s(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.seconds

    def latency_ms(self, share: float) -> float:
        """Return the latency that a share of the answers stayed within, in milliseconds."""
        ordered = sorted(self.latencies_s)
        if not ordered:
            return float("nan")
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "offered_s": round(self.offered_s, 1),
            "goodput_s": round(self.goodput_s, 1),
            "refused": len(self.refused_s),
            "hinted": self.hinted,
            "other": dict(self.other),
            "late": self.late,
            "p50_ms": round(self.latency_ms(0.5), 2),
            "p99_ms": round(self.latency_ms(0.99), 2),
        }


async def drive(
    address: str,
    bodies: Sequence[bytes],
    rate_s: float,
    seconds: float,
    seed: int,
    *,
    channels: int = 4,
    deadline_s: float = 1.0,
) -> Load:
    """Send calls at a rate for a time, and wait for their answers.

    Args:
        address: host:port.
        bodies: serialised ScoreTransferRequests; at least as many as calls are due.
        rate_s: calls a second, on average.
        seconds: for how long.
        seed: of the arrivals.
        channels: connections to spread the calls over.
        deadline_s: each call's deadline, in seconds.

    """
    load = Load(rate_s, seconds)
    # Without local pools all channels to one address would share one connection.
    options = (("grpc.use_local_subchannel_pool", 1),)
    opened = [grpc.aio.insecure_channel(address, options=options) for _ in range(channels)]
    calls: list[Any] = [channel.unary_unary(_METHOD) for channel in opened]
    arrivals = random.Random(seed)  # noqa: S311 - a load, not a secret
    pending: set[asyncio.Task[None]] = set()
    start = time.monotonic() + 0.05
    due = start
    for number, body in enumerate(bodies):
        due += arrivals.expovariate(rate_s)
        if due > start + seconds:
            break
        pause = due - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        elif pause < -_LATE_S:
            load.late += 1
        task = asyncio.create_task(_one(calls[number % channels], body, due, deadline_s, load))
        pending.add(task)
        task.add_done_callback(pending.discard)
    await asyncio.gather(*pending)
    for channel in opened:
        await channel.close()
    return load


async def _one(call: Any, body: bytes, due: float, deadline_s: float, load: Load) -> None:  # noqa: ANN401
    try:
        await call(body, timeout=deadline_s)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            load.refused_s.append(time.monotonic() - due)
            trailing = error.trailing_metadata() or ()
            load.hinted += any(key == "grpc-retry-pushback-ms" for key, _ in trailing)
        else:
            load.other[error.code().name] += 1
    else:
        load.latencies_s.append(time.monotonic() - due)


async def saturate(
    address: str, bodies: Sequence[bytes], seconds: float, *, callers: int, channels: int = 4
) -> Load:
    """Have so many callers send one call after the other: as many as the server can answer."""
    load = Load(0.0, seconds)
    options = (("grpc.use_local_subchannel_pool", 1),)
    opened = [grpc.aio.insecure_channel(address, options=options) for _ in range(channels)]
    waiting = iter(bodies)
    end = time.monotonic() + seconds

    async def caller(number: int) -> None:
        call: Any = opened[number % channels].unary_unary(_METHOD)
        while (now := time.monotonic()) < end and (body := next(waiting, None)) is not None:
            await _one(call, body, now, 5.0, load)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    for channel in opened:
        await channel.close()
    load.offered_s = load.goodput_s
    return load
