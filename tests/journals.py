"""Journals full of records, as a service leaves them, without a service: decisions, changes of
state, executions, outcomes and notes, each under a name that follows from what it says."""

import random
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import redis
from tests.builders import a_request
from tests.fakes import FakeStore, FixedModel, FrozenClock, MemoryJournal, MemorySpool, OneModel

from fanzha.adapters import keys
from fanzha.adapters.codec import Codec, encode
from fanzha.archive.log import ArchiveLog
from fanzha.domain.ids import BUCKETS, new_decision_id
from fanzha.domain.record import DecisionRecord, ExecutionRecord, OutcomeRecord
from fanzha.domain.vocabulary import ExecutionStatus, FraudType, OutcomeSource, OutcomeType
from fanzha.pipeline.assess import Assessor
from fanzha.pipeline.budget import Budget
from fanzha.pipeline.record import Recorder
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules
from fanzha.policy.load import load_policy
from fanzha.policy.prompts import load_prompts
from fanzha.transport.convert import to_draft
from fanzha.transport.identity import Tokens

DAY_MS = 86_400_000


@cache
def decided() -> DecisionRecord:
    """Return the record of a real decision."""
    journal = MemoryJournal()
    assessor = Assessor(
        clock=FrozenClock(time.time_ns() // 1_000_000),
        randomness=bytes,
        store=FakeStore(),
        models=OneModel(FixedModel(500)),
        policy=load_policy(),
        prompts=load_prompts(),
        recorder=Recorder(MemorySpool(), journal, Codec()),
        shadows=Shadows(1_000_000),
        rules=Rules("CNY"),
        zone=ZoneInfo("Asia/Shanghai"),
        idempotency_window_ms=7_200_000,
        service_version="test",
    )
    assessor.assess(to_draft(a_request(), "test", Tokens(bytes(32))), Budget(0.0, 0.0))
    return journal.records[0]


def decision_of(token: bytes, time_ms: int, randomness: bytes) -> tuple[str, bytes]:
    """Return id and body of a decision on an account, made at a time."""
    record = decided()
    name = new_decision_id(time_ms, token[-1], randomness)
    changed = replace(
        record,
        transfer=replace(record.transfer, payer=replace(record.transfer.payer, account=token)),
        decision=replace(record.decision, decision_id=name, decide_time_ms=time_ms),
    )
    return name, encode(changed)


class Journals:
    """Adds records to a Redis and remembers the names under which they have to be archived."""

    def __init__(self, url: str, seed: int = 1, buckets: int = BUCKETS) -> None:
        self.client = redis.Redis.from_url(url)
        self.names: list[str] = []
        self.decisions: list[str] = []
        self._random = random.Random(seed)
        self._buckets = buckets
        self._seq = 0

    def add(self, count: int, time_ms: int | None = None) -> None:
        """Add so many records, of all kinds, in any buckets.

        Args:
            count: of records.
            time_ms: when they are made; None: now.
        """
        pipe = self.client.pipeline(transaction=False)
        for _ in range(count):
            bucket, fields = self._entry(time_ms or time.time_ns() // 1_000_000)
            pipe.xadd(keys.journal(bucket), fields)
            if len(pipe) >= 1_000:
                pipe.execute()
        pipe.execute()

    def _entry(self, time_ms: int) -> tuple[int, dict[str, bytes]]:
        rng = self._random
        bucket = rng.randrange(self._buckets)
        token = rng.randbytes(15) + bytes([bucket])
        self._seq += 1
        change = {"a": token, "s": b"%d" % self._seq, "c": rng.randbytes(40)}
        kind = rng.choices(["decision", "change", "execution", "outcome"], [4, 4, 2, 1])[0]
        if kind == "decision":
            name, body = decision_of(token, time_ms, rng.randbytes(9))
            self.decisions.append(name)
            self.names.append(f"D-{name}")
            return bucket, change | {"k": b"decision", "o": b"1", "b": body}
        if kind == "change":
            self.names.append(f"C-{token.hex()}-{self._seq}")
            return bucket, change | {"k": b"change", "o": b"2"}
        name = new_decision_id(time_ms, bucket, rng.randbytes(9))
        if kind == "execution":
            report = ExecutionRecord(name, ExecutionStatus.POSTED, time_ms, time_ms)
            self.names.append(f"E-{name}")
            return bucket, change | {"k": b"execution", "o": b"3", "b": encode(report)}
        outcome = OutcomeRecord(
            f"o-{self._seq}", name, OutcomeType.CONFIRMED_FRAUD, FraudType(1),
            OutcomeSource.CUSTOMER, None, None, time_ms, time_ms,
        )  # fmt: skip
        self.names.append(f"O-{name}")
        return bucket, {"k": b"outcome", "a": token, "b": encode(outcome)}

    def left(self) -> int:
        """Return how many entries the journals hold."""
        pipe = self.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipe.xlen(keys.journal(bucket))
        return sum(pipe.execute())

    def cursors(self) -> dict[int, bytes | None]:
        """Return the archive's cursor of each bucket."""
        values = self.client.mget([keys.archived(bucket) for bucket in range(BUCKETS)])
        return dict(enumerate(values))


def archived_names(place: Path | str) -> list[str]:
    """Return the names of all records of an archive, without the digests of some; sorted."""
    log = ArchiveLog(place)
    names = []
    for file in log.files():
        column = log.parquet(file).read(columns=["record_id"]).column("record_id")
        names += column.to_pylist()
    return sorted("-".join(name.split("-")[: 3 if name[0] == "C" else 2]) for name in names)
