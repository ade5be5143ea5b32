"""Whether decisions cost more as state grows: more accounts with history, more list entries.

`make bench-scale`. State is written into Redis as the service's own scripts leave it, by copying
hashes of accounts that the service itself has filled; list entries are imported as operators do.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import redis
from tests.bench import messages
from tests.bench.machine import spread
from tests.bench.servers import Cores, Running, service
from tests.bench.serving import SCORE

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import import_entries
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import ListImportRecord
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind
from fanzha.features.layout import DAYS, HOURS, LINKS_OF_ACCOUNT, PAIRS, REPORT_EVENTS, RING_EVENTS
from fanzha.transport.identity import Tokens
from fanzha_loadtest.driver import Driver
from fanzha_loadtest.http2 import Call

ACCOUNTS = (1_000, 100_000, 3_000_000)
ENTRIES = (0, 100_000, 5_000_000)
ROUNDS = 5
SECONDS = 4.0
CALLERS = 16
_KEY: Final = bytes(range(32))
_CHUNK: Final = 2_000
_YEAR_MS: Final = 365 * 86_400_000


def measure(cores: Cores, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return throughput by size of state, the worst as a ratio to the first, and Redis's bytes.

    Args:
        cores: where what runs.
        tell: told what is going on.
    """
    figures: dict[str, Any] = {}
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        key_file = Path(stack.enter_context(TemporaryDirectory(prefix="fz-"))) / "token.key"
        key_file.write_bytes(_KEY)
        key_file.chmod(0o600)
        running = stack.enter_context(
            service(cores, "--token-key-file", str(key_file), "--redis-timeout-ms", "1000")
        )
        client = stack.enter_context(redis.Redis.from_url(running.redis_url))
        _load(running, ACCOUNTS[0], 0, 6.0)
        state = _a_typical_account(client)
        figures |= _account_bytes(client, state)
        held = 0
        for accounts in ACCOUNTS:
            tell(f"{accounts:,} accounts")
            _grow(client, state, held, accounts)
            held = accounts
            _measure(running, accounts, f"{accounts}_accounts", rates)
        before = 0
        for entries in ENTRIES[1:]:
            tell(f"{entries:,} list entries")
            _list(running.redis_url, before, entries)
            before = entries
            _measure(running, held, f"{entries}_entries", rates)
        figures["scale_redis_mib"] = spread([client.info("memory")["used_memory"] / 2**20])
        figures["scale_worker_mib"] = spread([running.memory_mib()])
    first = rates[f"{ACCOUNTS[0]}_accounts"]
    for name, values in rates.items():
        figures[f"scale_{name}_per_s"] = spread(values)
    worst = min(rates.values(), key=sum)
    ratio = [a / b for a, b in zip(sorted(worst), sorted(first), strict=True)]
    return figures | {"scale_throughput_ratio": spread(ratio)}


def _measure(running: Running, accounts: int, name: str, rates: dict[str, list[float]]) -> None:
    _load(running, accounts, 10, 2.0)
    rates[name] = [_load(running, accounts, 20 + number, SECONDS) for number in range(ROUNDS)]


def _load(running: Running, accounts: int, seed: int, seconds: float) -> float:
    bodies = messages.prepared(seed, int(8_000 * seconds), accounts)
    with Driver([running.address], Call(SCORE, timeout="9S")) as driver:
        return driver.closed(iter(bodies), CALLERS, seconds).goodput_s


def _a_typical_account(client: Any) -> dict[bytes, bytes]:
    """Return the state of the account in the middle, by size, of those that the load has left."""
    found = list(client.scan_iter(match="*account:*", count=1_000))
    found.sort(key=lambda key: int(client.memory_usage(key) or 0))
    state: dict[bytes, bytes] = client.hgetall(found[len(found) // 2])
    return state


def _account_bytes(client: Any, state: dict[bytes, bytes]) -> dict[str, Any]:
    """Weigh the typical account, and one whose memories are all full."""
    full = {
        "seq": b"9" * 16,
        "out": os.urandom(40 * RING_EVENTS),
        "in": os.urandom(40 * RING_EVENTS),
        "pairs": os.urandom(32 * PAIRS),
        "reports": os.urandom(40 * REPORT_EVENTS),
        "hours": os.urandom(40 * HOURS),
        "days": os.urandom(40 * DAYS),
        "links": os.urandom(16 * LINKS_OF_ACCOUNT),
    }
    sizes = []
    for number, fields in enumerate((state, full)):
        name = keys.account(bytes([number]) * 16)
        client.hset(name, mapping=fields)
        sizes.append(float(client.memory_usage(name) or 0))
        client.delete(name)
    return {
        "redis_bytes_account_typical": spread(sizes[:1]),
        "redis_bytes_account_full": spread(sizes[1:]),
    }


def _grow(client: Any, state: dict[bytes, bytes], held: int, accounts: int) -> None:
    """Give all of the load's accounts a state, except those that have one."""
    tokens = Tokens(_KEY)
    pipe = client.pipeline(transaction=False)
    for number in range(held, accounts):
        for raw in (messages.payer_account(number), messages.payee_account(number)):
            name = keys.account(tokens.account(raw))
            if number >= ACCOUNTS[0]:
                pipe.hset(name, mapping=state)
        if number % _CHUNK == 0:
            pipe.execute()
    pipe.execute()


def _list(url: str, before: int, entries: int) -> None:
    """Import entries on accounts that nobody of the load has, as an approved proposal does."""
    link = RedisLink(url, 20_000)
    header = ListImportRecord("", "chen", "wu", "bench", (), 0)
    import_entries(link, header, islice(_entries(), before, entries))
    link.close()


def _entries() -> Iterator[tuple[bytes, WatchlistEntry]]:
    tokens = Tokens(_KEY)
    entry = WatchlistEntry(
        kind=WatchlistKind.ACCOUNT,
        grade=WatchlistGrade.SUSPICIOUS,
        source="bench",
        case_number="",
        legal_basis="",
        valid_from_ms=0,
        valid_until_ms=1_790_000_000_000 + _YEAR_MS,
        proposed_by="chen",
        approved_by="wu",
    )
    number = 0
    while True:
        number += 1
        yield tokens.account(f"listed-{number}"), entry
