"""The slowest answers: whole decisions beside an empty handler, each at half of its own saturation.

Open loops of Poisson arrivals, latencies from the moment at which a call was due. The service and
the floor are loaded in turn; with and without TLS. What the machine itself takes away shows on
both.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench import messages
from tests.bench.machine import spread
from tests.bench.servers import Cores, Running, floor, service
from tests.bench.serving import SCORE
from tests.tls import Pki, entry

from fanzha_loadtest.driver import Driver, Load
from fanzha_loadtest.http2 import Call
from fanzha_loadtest.tls_context import client_context

ROUNDS = 3
SECONDS = 10.0
SATURATE_S = 4.0
CALLERS = 32
SHARE = 0.5
PAUSE_MS = 20.0
"""No pause of our own process may be longer."""


def measure(cores: Cores, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure the tails.

    Args:
        cores: where what runs.
        folder: an empty one, for certificates.
        tell: told what is going on.

    Returns:
        `p99_ratio` and `p99_ratio_tls`, and percentiles in milliseconds, each a Spread over the
        rounds; `lagged`: rounds in which the driver itself was late, which are left out.
    """
    figures: dict[str, Any] = {}
    pki = Pki(folder)
    pki.roles([entry("bench", "scorer")])
    pki.client_files("bench")
    pems = [folder / name for name in ("server.pem", "server.key", "ca.pem")]
    context = client_context(folder / "ca.pem", folder / "bench.pem", folder / "bench.key")
    for name, options, files, tls in (
        ("", [], (), None),
        ("_tls", pki.options, tuple(pems), context),
    ):
        with ExitStack() as stack:
            ours = stack.enter_context(service(cores, *options))
            theirs = stack.enter_context(floor("sync", cores, files))
            figures |= _pair(ours, theirs, tls, name, tell)
    return figures


def _pair(
    ours: Running, theirs: Running, tls: Any, name: str, tell: Callable[[str], None]
) -> dict[str, Any]:
    rates = {}
    for server in (theirs, ours):
        tell(f"tails{name}: saturation of {server.name}")
        rates[server.name] = SHARE * _saturated(server, tls)
    loads: dict[str, list[Load]] = {ours.name: [], theirs.name: []}
    for number in range(ROUNDS):
        for server in (theirs, ours):
            rate = rates[server.name]
            tell(f"tails{name}: round {number + 1} of {ROUNDS}, {server.name} at {rate:,.0f}/s")
            loads[server.name].append(_open(server, tls, rate, number))
    pairs = list(zip(loads[ours.name], loads[theirs.name], strict=True))
    counted = [pair for pair in pairs if not any(one.has_lagged for one in pair)] or pairs
    mine, floors = [a for a, _ in counted], [b for _, b in counted]
    figures: dict[str, Any] = {
        f"p99_ratio{name}": spread([a.latency_ms(0.99) / b.latency_ms(0.99) for a, b in counted]),
        f"rate{name}_per_s": spread([one.offered_s for one in mine]),
        f"empty_rate{name}_per_s": spread([one.offered_s for one in floors]),
        f"lagged{name}": spread([float(len(pairs) - len(counted))]),
        f"unanswered{name}": spread([float(one.begun - one.answered) for one in mine]),
    }
    for share, word in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max")):
        figures[f"{word}{name}_ms"] = spread([one.latency_ms(share) for one in mine])
        figures[f"empty_{word}{name}_ms"] = spread([one.latency_ms(share) for one in floors])
    return figures


def _saturated(server: Running, tls: Any) -> float:
    """Return answers a second in a closed loop; the first seconds warm up."""
    with Driver([server.address], Call(SCORE, timeout="9S"), tls=tls) as driver:
        for seed, seconds in ((1, SATURATE_S / 2), (2, SATURATE_S)):
            bodies = messages.prepared(seed, int(15_000 * seconds))
            load = driver.closed(iter(bodies), CALLERS, seconds)
    return load.goodput_s


def _open(server: Running, tls: Any, rate: float, number: int) -> Load:
    bodies = messages.prepared(100 + number, int(rate * SECONDS * 1.1) + 500)
    with Driver([server.address], Call(SCORE, timeout="1S"), tls=tls) as driver:
        return driver.open(iter(bodies), rate, SECONDS, number)
