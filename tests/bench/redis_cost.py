"""What a decision costs Redis, and what asking Redis costs a worker, each beside its floor.

A real Redis with its append-only file serves one decision after the other: read, commit, carry what
belongs to other accounts. Redis's processor time is that of its process, which takes in reading,
writing and the file; floors are PING, and a script that does nothing. What asking costs a worker
stands beside the same commands through redis-py's own pipeline.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import redis
from tests.bench.machine import Spread, spread
from tests.bench.one_row import a_row
from tests.decision_inputs import NOW_MS, a_score, a_transfer, a_vector, decided

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.reads import Reads
from fanzha.adapters.redis_commit import Lives
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_store import RedisStore
from fanzha.adapters.relay import Relay
from fanzha.domain.evidence import AccountState, Evidence
from fanzha.domain.ids import new_decision_id
from fanzha.domain.record import DecisionRecord
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Party, Session, Transfer
from fanzha.domain.vocabulary import PartyType
from fanzha.features.facts import FACTS
from fanzha.pipeline.gather import evidence_of
from fanzha.pipeline.record import to_record

ROUNDS = 5
DECISIONS = 400
"""In each round."""
ACCOUNTS = 300
_HOUR_MS = 3_600_000
_NOTHING = "return 1"
_LATER_S = 60.0


@dataclass(frozen=True, slots=True)
class _World:
    server: EmbeddedRedis
    link: RedisLink
    relay: Relay
    store: RedisStore
    client: redis.Redis


def measure() -> dict[str, Spread]:
    """Return processor microseconds a decision, of Redis and of a worker, and bytes of Redis."""
    rng = np.random.default_rng(7)
    with _world() as world:
        _fill(world, rng)
        transfers = _transfers(rng)
        held = world.client.info("memory")["used_memory"]
        rounds = [_round(world, transfers, rng) for _ in range(ROUNDS + 1)][1:]
        grown = world.client.info("memory")["used_memory"] - held
        typical, full = _account_bytes(world)
    figures = {name: spread([one[name] for one in rounds]) for name in rounds[0]}
    sizes = {
        "redis_bytes_per_decision": grown / (DECISIONS * (ROUNDS + 1)),
        "redis_bytes_per_account_typical": typical,
        "redis_bytes_per_account_full": full,
    }
    return figures | {name: spread([value]) for name, value in sizes.items()}


def _round(
    world: _World, transfers: Iterator[Transfer], rng: np.random.Generator
) -> dict[str, float]:
    """Measure everything once: floors, then the three steps of some decisions."""
    figures: dict[str, float] = {}

    def took(name: str, work: Callable[[], object]) -> None:
        before_redis, before = _redis_s(world), time.thread_time()
        work()
        figures[f"worker_{name}_us"] = 1e6 * (time.thread_time() - before) / DECISIONS
        figures[f"redis_{name}_us"] = 1e6 * (_redis_s(world) - before_redis) / DECISIONS

    nothing = world.link.run([("SCRIPT", "LOAD", _NOTHING)])[0].decode()
    until_s = time.monotonic() + _LATER_S
    lives = RedisLives
    some = [next(transfers) for _ in range(DECISIONS)]
    reads = [unpacked(b"".join(data for _, _, data in Reads(one).packed)) for one in some]
    evidence: list[Evidence] = []
    took("ping", lambda: [world.link.run([("PING",)]) for _ in some])
    took("nothing", lambda: [world.link.run([("EVALSHA", nothing, 0)]) for _ in some])
    took("pipeline_read", lambda: [_piped(world, commands) for commands in reads])
    took(
        "find",
        lambda: evidence.extend(
            evidence_of(one, world.store.find(one, until_s), NOW_MS, lives.window_ms)
            for one in some
        ),
    )
    records = [_record(t, e, rng) for t, e in zip(some, evidence, strict=True)]
    bodies = [encode(record) for record in records]
    figures["record_bytes"] = sum(map(len, bodies)) / DECISIONS
    world.client.config_resetstat()
    took(
        "commit",
        lambda: [
            world.store.commit(record, body, NOW_MS, until_s)
            for record, body in zip(records, bodies, strict=True)
        ],
    )
    took("relay", lambda: _carry(world))
    calls = world.client.info("commandstats")
    figures["redis_commands"] = sum(c["calls"] for c in calls.values()) / DECISIONS
    steps = ("find", "commit", "relay")
    for side in ("redis", "worker"):
        figures[f"{side}_decision_us"] = sum(figures[f"{side}_{step}_us"] for step in steps)
    return figures


RedisLives = Lives(7_200_000, 86_400_000)


def unpacked(data: bytes) -> list[Command]:
    """Return the commands that were packed."""
    parts = data.split(b"\r\n")
    commands, place = [], 0
    while place < len(parts) - 1:
        count = int(parts[place][1:])
        commands.append(tuple(parts[place + 2 : place + 2 + 2 * count : 2]))
        place += 1 + 2 * count
    return commands


def _carry(world: _World) -> None:
    while world.relay.carry():
        pass


def _piped(world: _World, commands: Sequence[Command]) -> None:
    pipeline = world.client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    pipeline.execute()


def _redis_s(world: _World) -> float:
    """Return the processor time of all threads of Redis, in seconds."""
    tasks = Path(f"/proc/{world.server.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def _world() -> Iterator[_World]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        server = EmbeddedRedis(Path(folder))
        # The other core, if there is one: else both take turns, and only wall time grows.
        cores = os.sched_getaffinity(server.pid)
        os.sched_setaffinity(server.pid, {min(cores)})
        link = RedisLink(server.url, 5_000)
        lists = CommittedLists(link)
        lists.refresh()
        relay = Relay(link)
        store = RedisStore(link, lists, relay, RedisLives, OutageMemory(RedisLives.window_ms))
        client = redis.Redis.from_url(server.url)
        try:
            yield _World(server, link, relay, store, client)
        finally:
            client.close()
            link.close()
            server.close()


def _token(number: int) -> bytes:
    return np.random.default_rng(number).bytes(16)


def _fill(world: _World, rng: np.random.Generator) -> None:
    """Give each account a history of any length, so that rings and totals have to be moved."""
    world.link.run([("TIME",)])
    for number in range(ACCOUNTS):
        _, state, _, _ = a_row(rng)
        world.link.run([_held(_token(number), state)])


def _held(token: bytes, state: AccountState) -> Command:
    parts = {
        "seq": 1, "out": state.out_ring, "in": state.in_ring, "hours": state.hours,
        "days": state.days, "pairs": b"",
    }  # fmt: skip
    return ("HSET", keys.account(token), *(part for pair in parts.items() for part in pair))


def _account_bytes(world: _World) -> tuple[float, float]:
    """Return what an account's state costs Redis: with a middling history, and with a full one."""
    full = AccountState(
        1, bytes(48 * 40), bytes(48 * 40), reports=bytes(16 * 40), hours=bytes(24 * 40),
        days=bytes(31 * 40),
    )  # fmt: skip
    typical = replace(
        full, out_ring=bytes(12 * 40), in_ring=bytes(6 * 40), hours=bytes(12 * 40),
        days=bytes(12 * 40),
    )  # fmt: skip
    used = []
    for number, (one, pairs) in enumerate(((typical, 5), (full, 256))):
        command = _held(_token(10**6 + number), one)
        world.link.run([(*command, "pairs", bytes(32 * pairs))])
        used.append(float(world.link.run([("MEMORY", "USAGE", command[1])])[0]))
    return used[0], used[1]


def _transfers(rng: np.random.Generator) -> Iterator[Transfer]:
    """Yield transfers between known accounts, by device and phone that are seldom new."""
    number = 0
    while True:
        number += 1
        payer, payee = rng.choice(ACCOUNTS, 2, replace=False)
        yield replace(
            a_transfer(amount_minor=int(rng.integers(1, 10**7))),
            request_id=f"r-{number}",
            request_digest=rng.bytes(16),
            create_time_ms=NOW_MS + number * 1_000,
            payer=Party(
                _token(payer), phone=_token(10_000 + payer), person=_token(20_000 + payer),
                type=PartyType.PERSON,
            ),
            payee=Party(_token(payee), type=PartyType.PERSON),
            session=Session(device=_token(30_000 + payer)),
        )  # fmt: skip


def _record(transfer: Transfer, evidence: Evidence, rng: np.random.Generator) -> DecisionRecord:
    vector = a_vector()
    vector[:] = rng.random(len(vector))
    decision = decided(transfer, evidence, vector, points=300).decision
    decision = replace(
        decision, decision_id=new_decision_id(NOW_MS, transfer.payer.account[-1], rng.bytes(9))
    )
    facts = np.zeros(len(FACTS), np.int64)
    scored = Scored(facts.tobytes(), vector.tobytes(), a_score(300))
    return to_record(transfer, evidence, scored, decision, (), None, {"gather": 900})
