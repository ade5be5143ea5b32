"""Whether decisions cost more as state grows: more accounts with history, more list entries.

`make bench-scale`. State is written into Redis as the service's own scripts leave it, by copying
hashes of accounts that the service itself has filled; list entries are imported as operators do.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import redis
from tests.bench import messages
from tests.bench.machine import spread
from tests.bench.servers import Cores, Running, service
from tests.bench.serving import SCORE

from fanzha.adapters import keys
from fanzha_loadtest.driver import Driver
from fanzha_loadtest.http2 import Call

ACCOUNTS: Final = (1_000, 100_000, 3_000_000)
ENTRIES: Final = (0, 100_000, 5_000_000)
ROUNDS: Final = 3
SECONDS: Final = 4.0
CALLERS: Final = 16
_CHUNK: Final = 2_000
_PAYMENTS: Final = 60


def measure(cores: Cores, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return throughput by size of state, its ratio, and Redis's bytes an account.

    Args:
        cores: where what runs.
        tell: told what is going on.
    """
    figures: dict[str, Any] = {}
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        running = stack.enter_context(service(cores, "--redis-timeout-ms", "1000"))
        url = f"unix://{running.redis[0].cwd()}/redis.sock"
        client = stack.enter_context(redis.Redis.from_url(url))
        _load(running, 1_000, 0, 6.0)
        figures |= _account_bytes(client, running, tell)
        held = 0
        for accounts in ACCOUNTS:
            tell(f"{accounts:,} accounts")
            _grow(client, held, accounts)
            held = accounts
            _measure(running, accounts, f"{accounts}_accounts", rates)
        listed = 0
        for entries in ENTRIES[1:]:
            tell(f"{entries:,} list entries")
            _list(client, listed, entries)
            listed = entries
            _measure(running, ACCOUNTS[-1], f"{entries}_entries", rates)
        figures["scale_redis_mib"] = spread([client.info("memory")["used_memory"] / 2**20])
        figures["scale_worker_mib"] = spread([running.memory_mib()])
    least = rates[f"{ACCOUNTS[0]}_accounts"]
    for name, values in rates.items():
        figures[f"scale_{name}_per_s"] = spread(values)
    worst = min(rates.values(), key=sum)
    figures["scale_throughput_ratio"] = spread(
        [a / b for a, b in zip(worst, least, strict=True)]
    )
    return figures


def _measure(
    running: Running, accounts: int, name: str, rates: dict[str, list[float]]
) -> None:
    _load(running, accounts, 10, 2.0)
    rates[name] = [_load(running, accounts, 20 + number, SECONDS) for number in range(ROUNDS)]


def _load(running: Running, accounts: int, seed: int, seconds: float) -> float:
    bodies = messages.prepared(seed, int(8_000 * seconds), accounts)
    with Driver([running.address], Call(SCORE, timeout="9S")) as driver:
        return driver.closed(iter(bodies), CALLERS, seconds).goodput_s


def _account_bytes(
    client: "redis.Redis[bytes]", running: Running, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Have two accounts pay each other until their memories are full; weigh them and others."""
    tell("an account with full memories")
    bodies = messages.prepared(5, 40 * _PAYMENTS, 2)
    with Driver([running.address], Call(SCORE, timeout="9S")) as driver:
        driver.closed(iter(bodies), 1, 20.0)
    sizes = sorted(
        int(client.memory_usage(key) or 0) for key in client.scan_iter(_ACCOUNT_KEYS, count=1_000)
    )
    return {
        "redis_bytes_account_typical": spread([float(sizes[len(sizes) // 2])]),
        "redis_bytes_account_full": spread([float(sizes[-1])]),
    }
