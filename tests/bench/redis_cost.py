"""What a decision costs Redis, and what asking Redis costs a worker, each beside its floor.

A real Redis with its append-only file serves one decision after the other: read, commit, carry what
belongs to other accounts. Redis's processor time is that of its process, which takes in reading,
writing and the file; floors are PING, and a script that does nothing. What asking costs a worker
stands beside the same commands through redis-py's own pipeline.
"""

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

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
from fanzha.pipeline.ports import Findings
from fanzha.pipeline.record import to_record

T = TypeVar("T")

ROUNDS = 5
DECISIONS = 400
"""In each round."""
BATCH = 50
ACCOUNTS = 300
LIVES = Lives(7_200_000, 86_400_000)
_NOTHING = "return 1"
_LATER_S = 60.0
_STEPS = ("find", "commit", "relay")


@dataclass(frozen=True, slots=True)
class _World:
    server: EmbeddedRedis
    link: RedisLink
    relay: Relay
    store: RedisStore
    client: redis.Redis


class _Round:
    """Processor time of one round, by name."""

    def __init__(self, world: _World) -> None:
        self._world = world
        self.figures: dict[str, float] = defaultdict(float)

    def took(self, name: str, work: Callable[[], T]) -> T:
        """Do some work, and add what it takes this thread and Redis, a decision, in us."""
        before_redis, before = redis_s(self._world.server.pid), time.thread_time()
        result = work()
        self.figures[f"worker_{name}_us"] += 1e6 * (time.thread_time() - before) / DECISIONS
        took_s = redis_s(self._world.server.pid) - before_redis
        self.figures[f"redis_{name}_us"] += 1e6 * took_s / DECISIONS
        return result


def measure() -> dict[str, Spread]:
    """Return processor microseconds a decision, of Redis and of a worker, and bytes of Redis."""
    rng = np.random.default_rng(7)
    with _world() as world:
        _fill(world, rng)
        transfers = _transfers(rng)
        held = world.client.info("memory")["used_memory"]
        # The first one only makes links known.
        rounds = [_round(world, transfers, rng) for _ in range(ROUNDS + 1)][1:]
        grown = world.client.info("memory")["used_memory"] - held
        typical, full = _account_bytes(world)
    figures = {name: spread([one[name] for one in rounds]) for name in rounds[0]}
    sizes = {
        "redis_bytes_per_decision": grown / (2 * DECISIONS * (ROUNDS + 1)),
        "redis_bytes_per_account_typical": typical,
        "redis_bytes_per_account_full": full,
    }
    return figures | {name: spread([value]) for name, value in sizes.items()}


def _round(
    world: _World, transfers: Iterator[Transfer], rng: np.random.Generator
) -> dict[str, float]:
    """Measure everything once: floors, the steps of decisions one by one, and of a batch."""
    one = _Round(world)
    link, store, took = world.link, world.store, one.took
    nothing = link.run([("SCRIPT", "LOAD", _NOTHING)])[0].decode()
    until_s = time.monotonic() + _LATER_S
    some = [next(transfers) for _ in range(DECISIONS)]
    reads = [unpacked(b"".join(data for _, _, data in Reads(one).packed)) for one in some]
    took("ping", lambda: [link.run([("PING",)]) for _ in some])
    took("nothing", lambda: [link.run([("EVALSHA", nothing, 0)]) for _ in some])
    took("redis_py_pipeline", lambda: [_piped(world, commands) for commands in reads])
    found = took("find", lambda: [store.find(one, until_s) for one in some])
    sent = _sent(some, found, rng)
    world.client.config_resetstat()
    took("commit", lambda: [store.commit(record, body, NOW_MS, until_s) for record, body in sent])
    _script(world, one, "commit")
    took("relay", lambda: _carry(world))
    _script(world, one, "apply")
    one.figures["record_bytes"] = sum(len(body) for _, body in sent) / DECISIONS
    for _ in range(DECISIONS // BATCH):
        _batch([next(transfers) for _ in range(BATCH)], world, one, rng)
    for side in ("redis", "worker"):
        for kind in ("", "_of_batch"):
            steps = [one.figures[f"{side}_{step}{kind}_us"] for step in _STEPS]
            one.figures[f"{side}_decision{kind}_us"] = sum(steps)
    return dict(one.figures)


def _batch(some: list[Transfer], world: _World, one: _Round, rng: np.random.Generator) -> None:
    """Measure the steps of as many decisions as a batch holds, each in one round trip."""
    until_s = time.monotonic() + _LATER_S
    found = one.took("find_of_batch", lambda: world.store.find_all(some, until_s))
    sent = _sent(some, found, rng)
    one.took("commit_of_batch", lambda: world.store.commit_all(sent, NOW_MS, until_s))
    one.took("relay_of_batch", lambda: _carry(world))


def _script(world: _World, one: _Round, name: str) -> None:
    """Note what Redis says that one call of the script took which was measured last, in us."""
    stats = world.client.info("commandstats")
    one.figures[f"redis_script_{name}_us"] = float(stats["cmdstat_evalsha"]["usec_per_call"])
    world.client.config_resetstat()


def _sent(
    some: list[Transfer], found: list[Findings], rng: np.random.Generator
) -> list[tuple[DecisionRecord, bytes]]:
    records = [
        _record(transfer, evidence_of(transfer, findings, NOW_MS, LIVES.window_ms), rng)
        for transfer, findings in zip(some, found, strict=True)
    ]
    return [(record, encode(record)) for record in records]


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


def redis_s(pid: int) -> float:
    """Return the processor time of all threads of Redis, in seconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks) / 1e9


@contextmanager
def _world() -> Iterator[_World]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        server = EmbeddedRedis(Path(folder))
        own = os.sched_getaffinity(0)
        # Each on a core of its own where there are two, as they are in operation.
        cores = range(os.cpu_count() or 1)
        os.sched_setaffinity(server.pid, {cores[0]})
        os.sched_setaffinity(0, {cores[-1]})
        link = RedisLink(server.url, 5_000)
        lists = CommittedLists(link)
        lists.refresh()
        relay = Relay(link)
        store = RedisStore(link, lists, relay, LIVES, OutageMemory(LIVES.window_ms))
        client = redis.Redis.from_url(server.url)
        try:
            yield _World(server, link, relay, store, client)
        finally:
            client.close()
            link.close()
            server.close()
            os.sched_setaffinity(0, own)


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
