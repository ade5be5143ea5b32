"""The store's scripts and the fold of training change an account's state alike, to the last bit."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.evidence import AccountState
from fanzha.domain.vocabulary import ExecutionStatus, FraudType
from fanzha.features import fold as folding
from fanzha.features.facts import AMOUNT_MINOR, FACTS, PAYEE_ID, TIME_MS, UNKNOWN, UTC_OFFSET_S
from fanzha.features.kernel import PAYER_START, feature_vector
from fanzha.features.layout import (
    Change,
    ReportRole,
    pack_event,
    pack_execution,
    pack_report,
    unpack_record,
)

ACCOUNT = bytes(range(15)) + b"\x11"
START_MS = 1_790_000_000_000
OTHERS = [int.from_bytes(bytes([i] * 8), "little", signed=True) for i in (1, 2, 0xFE)]


class AccountInRedis:
    """Sends changes to one account through the real scripts and reads what they journaled."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._bucket = ACCOUNT[-1]
        self._number = 0

    def _run(
        self, script: str, own: Sequence[bytes], args: Sequence[object], *more_keys: bytes
    ) -> Any:
        account = keys.account(ACCOUNT)
        journal, outbox = keys.journal(self._bucket), keys.outbox(self._bucket)
        all_keys = {
            "commit": (account, *own, journal, outbox, *more_keys),
            "execution": (account, *own, journal, outbox),
            "outcome": (account, *own, journal, outbox),
            "apply": (account, *own, journal),
        }[script]
        return self._link.run([self._link.scripts.call(script, all_keys, args)])[0]

    def key(self, name: str) -> bytes:
        self._number += 1
        return keys.tag(self._bucket) + f"{name}:{self._number}".encode()

    def attempt(self, change: bytes, recorded: bytes = b"") -> object:
        self._number += 1
        args = (START_MS, 1, 1000, b"d" * 16, f"{self._number:026d}", b"answer", change, b"body")
        own = (self.key("request"), self.key("decision"))
        marker = recorded or self.key("recorded")
        reply = self._run("commit", own, (*args, b"", b"", b"{b17}decision:", ACCOUNT), marker)
        return reply[0]

    def execute(self, change: bytes, status: int, executed_ms: int | None = None) -> object:
        # One marker for each event, as each has one decision.
        marker = keys.tag(self._bucket) + b"execution:" + change[:8].hex().encode()
        executed = unpack_record(change)[4] if executed_ms is None else executed_ms
        tail = (b"body", b"", 60_000, ACCOUNT, b"p" * 8, executed)
        return self._run("execution", (marker,), (change, int(status), *tail))[0]

    def report(self, change: bytes) -> None:
        args = ("outcome", b"body", change, b"", b"", 60_000, ACCOUNT)
        self._run("outcome", (self.key("outcomes"),), args)

    def apply(self, change: bytes, kind: Change) -> object:
        received = keys.received(self._bucket, change[:8])
        args = (change, int(kind), ACCOUNT, 60_000, 0)
        return self._run("apply", (self.key("applied"), received), args)

    def state(self, counterparty: int) -> AccountState:
        packed = counterparty.to_bytes(8, "little", signed=True)
        reply = self._link.run(
            [
                self._link.scripts.call(
                    "gather", (keys.account(ACCOUNT), self.key("list")), (packed, b"")
                )
            ]
        )[0]
        return AccountState(int(reply[0]), reply[1], reply[2], reply[3], reply[4])

    def journaled(self) -> list[tuple[int, int, bytes]]:
        """Return sequence, kind and bytes of every change, in the journal's order."""
        rows = self._link.run([("XRANGE", keys.journal(self._bucket), "-", "+")])[0]
        entries = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in rows]
        return [(int(e[b"s"]), int(e[b"o"]), e[b"c"]) for e in entries if b"s" in e]


def random_changes(account: AccountInRedis, seed: int, count: int) -> None:
    rng = random.Random(seed)
    events: list[tuple[int, int, int]] = []
    received: list[tuple[int, int, int]] = []
    for i in range(count):
        time_ms = START_MS + i * 60_000 - rng.choice((0, 0, 3_600_000))
        other = rng.choice([*OTHERS, 0])
        choice = rng.random()
        event_id = rng.getrandbits(64) - 2**63
        if choice < 0.35 or not events:
            account.attempt(pack_event(event_id, time_ms, rng.randint(1, 10**15), other, 4))
            events.append((event_id, time_ms, other))
        elif choice < 0.55:
            account.apply(pack_event(event_id, time_ms, 5, other or 7, 4), Change.RECEIVE)
            received.append((event_id, time_ms, other or 7))
        elif choice < 0.80:
            event = rng.choice(events[-60:])
            status = rng.choice([ExecutionStatus.POSTED, ExecutionStatus.REVERSED])
            account.execute(pack_execution(event[0], event[1], status, event[2], time_ms), status)
        elif choice < 0.92 and received:
            event = rng.choice(received)
            status = rng.choice([ExecutionStatus.POSTED, ExecutionStatus.FAILED])
            change = pack_execution(event[0], event[1], status, event[2], time_ms)
            account.apply(change, Change.EXECUTION_IN)
        else:
            role = rng.choice([ReportRole.VICTIM, ReportRole.MULE])
            change = pack_report(event_id, time_ms, FraudType.ROMANCE, role, other, time_ms)
            account.report(change)


def facts_at(time_ms: int, payee: int) -> np.ndarray:
    facts = np.full((1, len(FACTS)), UNKNOWN, np.int64)
    facts[0, [TIME_MS, UTC_OFFSET_S, AMOUNT_MINOR, PAYEE_ID]] = (time_ms, 28_800, 10_000, payee)
    return facts


def folded(changes: list[tuple[int, int, bytes]], facts: np.ndarray) -> np.ndarray:
    payee = int(facts[0, PAYEE_ID])
    steps = [[1, kind, 0, *unpack_record(change)] for _, kind, change in changes]
    steps.append([1, folding.READ_PAYER, 0, 0, 0, 0, payee, 0])
    return folding.fold(facts, np.array(steps, np.int64))[0]


@pytest.mark.parametrize("seed", range(6))
def test_folding_the_journal_gives_the_state_that_redis_holds(link: RedisLink, seed: int) -> None:
    account = AccountInRedis(link)
    random_changes(account, seed, 260)

    changes = account.journaled()

    assert [seq for seq, _, _ in changes] == list(range(1, len(changes) + 1))
    for payee in OTHERS:
        facts = facts_at(START_MS + 260 * 60_000, payee)
        state = account.state(payee)
        assert state.seq == len(changes)
        served = feature_vector(facts[0], state, None)
        trained = folded(changes, facts)
        assert served[PAYER_START:].tobytes() == trained[PAYER_START:].tobytes()


def test_every_prefix_of_the_journal_gives_the_state_of_its_moment(link: RedisLink) -> None:
    account = AccountInRedis(link)
    moments = []
    for step in range(60):
        random_changes(account, step, 3)
        moments.append((account.state(OTHERS[0]), facts_at(START_MS + 200_000, OTHERS[0])))

    changes = account.journaled()

    for state, facts in moments:
        served = feature_vector(facts[0], state, None)
        assert served.tobytes() == folded(changes[: state.seq], facts).tobytes()


def test_the_pair_memory_keeps_the_256_pairs_used_last(link: RedisLink) -> None:
    account = AccountInRedis(link)
    for number in range(1, 300):
        event = (number, START_MS + number, number)
        account.attempt(pack_event(*event[:2], 100, event[2], 4))
        change = pack_execution(*event[:2], ExecutionStatus.POSTED, event[2], START_MS + number)
        account.execute(change, ExecutionStatus.POSTED)

    assert account.state(43).pair == b""
    assert len(account.state(44).pair) == 32
    for payee in (43, 44, 299):
        facts = facts_at(START_MS + 1000, payee)
        served = feature_vector(facts[0], account.state(payee), None)
        assert served.tobytes() == folded(account.journaled(), facts).tobytes()


def test_a_relayed_change_is_applied_once(link: RedisLink) -> None:
    account = AccountInRedis(link)
    change = pack_event(9, START_MS, 100, 5, 4)
    marker = keys.applied(ACCOUNT[-1], b"1-2")
    own = (marker, keys.received(ACCOUNT[-1], change[:8]))
    args = (change, int(Change.RECEIVE), ACCOUNT, 60_000, 0)

    answers = [account._run("apply", own, args) for _ in range(3)]

    assert answers == [1, 0, 0]
    assert account.state(5).in_ring == change


def test_an_execution_waits_for_the_receipt_that_it_belongs_to(link: RedisLink) -> None:
    account = AccountInRedis(link)
    execution = pack_execution(9, START_MS, ExecutionStatus.FAILED, 5, START_MS)

    before = account.apply(execution, Change.EXECUTION_IN)
    account.apply(pack_event(9, START_MS, 100, 5, 4), Change.RECEIVE)
    after = account.apply(execution, Change.EXECUTION_IN)

    assert (before, after) == (-1, 1)
    assert account.state(5).in_ring[35] == ExecutionStatus.FAILED


def test_a_decision_sent_again_changes_no_state_however_late(link: RedisLink) -> None:
    account = AccountInRedis(link)
    marker = account.key("recorded")
    first = pack_event(1, START_MS, 100, 5, 4)
    account.attempt(first, marker)
    for number in range(2, 60):
        account.attempt(pack_event(number, START_MS + number, 100, 5, 4))
    before = account.state(5)

    again = account.attempt(first, marker)

    assert again == b"again"
    assert account.state(5) == before


@pytest.mark.parametrize("later_attempts", [0, 60])
def test_a_repeated_execution_counts_a_payment_once(link: RedisLink, later_attempts: int) -> None:
    account = AccountInRedis(link)
    account.attempt(pack_event(1, START_MS, 100, 5, 4))
    posted = pack_execution(1, START_MS, ExecutionStatus.POSTED, 5, START_MS + 10)
    reversed_ = pack_execution(1, START_MS, ExecutionStatus.REVERSED, 5, START_MS + 20)

    answers = [account.execute(posted, ExecutionStatus.POSTED)]
    for number in range(2, 2 + later_attempts):
        account.attempt(pack_event(number, START_MS + number, 100, 6, 4))
    answers.append(account.execute(posted, ExecutionStatus.POSTED))
    times_paid = unpack_pair(account.state(5).pair)
    answers.append(account.execute(reversed_, ExecutionStatus.REVERSED))
    # A retry of the first report that arrives after the reversal says nothing new.
    answers.append(account.execute(posted, ExecutionStatus.POSTED))

    assert answers == [b"changed", b"same", b"changed", b"same"]
    assert times_paid == 1
    assert account.state(5).pair == b""


def unpack_pair(pair: bytes) -> int:
    """Return how many times a pair was paid."""
    return int(np.frombuffer(pair, np.int64)[3])
