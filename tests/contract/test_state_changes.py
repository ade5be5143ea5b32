"""The store's scripts and the fold of training change an account's state alike, to the last bit."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink, Scripts
from fanzha.domain.evidence import AccountState, LinkState
from fanzha.domain.ids import counterparty_of
from fanzha.domain.vocabulary import (
    Channel,
    DecisionKind,
    ExecutionStatus,
    FraudType,
    PartyType,
    TransferKind,
)
from fanzha.features import fold as folding
from fanzha.features import layout
from fanzha.features.facts import (
    AMOUNT_MINOR,
    CHANNEL,
    FACTS,
    PAYEE_ID,
    TIME_MS,
    UNKNOWN,
    UTC_OFFSET_S,
)
from fanzha.features.kernel import LINKS_START, PAYER_START, feature_vector
from fanzha.features.layout import (
    Change,
    ReportRole,
    link_row,
    pack_event,
    pack_execution,
    pack_flags,
    pack_link,
    pack_report,
    unpack_record,
)

pytestmark = pytest.mark.usefixtures("first_epoch")

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
        all_keys = (account, *own, journal, outbox, *more_keys, keys.epoch(self._bucket))
        return self._link.run([self._link.scripts.call(script, all_keys, args)])[0]

    def key(self, name: str) -> bytes:
        self._number += 1
        return keys.tag(self._bucket) + f"{name}:{self._number}".encode()

    def attempt(self, change: bytes, recorded: bytes = b"", links: bytes = b"") -> object:
        self._number += 1
        args = (START_MS, 1, 1000, b"d" * 16, f"{self._number:026d}", b"answer", change, b"body")
        own = (self.key("request"), self.key("decision"))
        marker = recorded or self.key("recorded")
        tail = (b"", b"", b"{b17}decision:", ACCOUNT, links, b"")
        reply = self._run("commit", own, (*args, *tail), marker)
        return reply[0]

    def execute(
        self, attempt: bytes, status: ExecutionStatus, executed_ms: int, *, is_old: bool = False
    ) -> object:
        # One marker for each event, as each has one decision.
        marker = keys.tag(self._bucket) + b"execution:" + attempt[:8].hex().encode()
        tail = (b"body", b"", 60_000, ACCOUNT, b"p" * 8, executed_ms, int(is_old))
        change = pack_execution(attempt, status)
        return self._run("execution", (marker,), (change, int(status), *tail))[0]

    def report(self, change: bytes, kind: Change = Change.REPORT) -> None:
        args = (b"oid", b"body", "outcome", 60_000, ACCOUNT, 0, int(kind), change, b"", 0, b"")
        self._run("outcome", (self.key("outcomes"),), args)

    def apply(
        self, change: bytes, kind: Change, links: bytes = b"", *, force: bool = False
    ) -> object:
        received = keys.received(self._bucket, change[:8])
        args = (change, int(kind), ACCOUNT, 60_000, int(force), links)
        return self._run("apply", (self.key("applied"), received), args)

    def state(self, counterparty: int) -> AccountState:
        packed = counterparty.to_bytes(8, "little", signed=True)
        reply = self._link.run(
            [
                self._link.scripts.call(
                    "gather",
                    (
                        keys.account(ACCOUNT),
                        self.key("list"),
                        keys.epoch(self._bucket),
                        self.key("request"),
                    ),
                    (packed, b""),
                )
            ]
        )[0]
        return AccountState(int(reply[0]), *reply[1:7])

    def journaled(self) -> list[tuple[int, int, bytes]]:
        return journaled(self._link, ACCOUNT)


def journaled(link: RedisLink, token: bytes) -> list[tuple[int, int, bytes]]:
    """Return sequence, kind and bytes of every change of a subject, in the journal's order."""
    rows = link.run([("XRANGE", keys.journal(token[-1]), "-", "+")])[0]
    entries = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in rows]
    return [(int(e[b"s"]), int(e[b"o"]), e[b"c"]) for e in entries if b"s" in e]


def an_event(event_id: int, time_ms: int, amount: int, other: int, more: int = 0) -> bytes:
    """A payment of a mobile transfer, decided ALLOW; `more` are further flags."""
    flags = pack_flags(
        Channel.MOBILE, TransferKind.TRANSFER, DecisionKind.ALLOW, PartyType.PERSON, 28_800,
        same_owner=None,
    )  # fmt: skip
    return pack_event(event_id, time_ms, amount, other, flags | more)


def an_execution(receipt: bytes, status: ExecutionStatus, before: ExecutionStatus) -> bytes:
    """An execution as the payer's slot sends it on, with the status that it saw before."""
    change = pack_execution(receipt, status)
    return change[:17] + bytes([before]) + change[18:]


def random_changes(account: AccountInRedis, seed: int, count: int) -> None:
    rng = random.Random(seed)
    events: list[bytes] = []
    received: list[bytes] = []
    reported: list[bytes] = []
    known: dict[bytes, ExecutionStatus] = {}
    for i in range(count):
        late_ms = rng.choice((0, 0, 3_600_000, 3 * 86_400_000))
        time_ms = START_MS + i * rng.choice((60_000, 3_600_000)) - late_ms
        other = rng.choice([*OTHERS, 0])
        choice = rng.random()
        event_id = rng.getrandbits(64) - 2**63
        amount = rng.choice((1, rng.randint(1, 10**15), 2**32 - 1, 2**63 - 1))
        # A decision of up to BLOCK: some attempts count once they are reported as posted.
        more = rng.choice((0, 0, 1 << 16, 3 << 16))
        if choice < 0.35 or not events:
            events.append(an_event(event_id, time_ms, amount, other, more))
            account.attempt(events[-1])
        elif choice < 0.55:
            received.append(an_event(event_id, time_ms, amount, other or 7, more))
            account.apply(received[-1], Change.RECEIVE)
        elif choice < 0.80:
            status = rng.choice([ExecutionStatus.POSTED, ExecutionStatus.REVERSED])
            account.execute(rng.choice(events[-60:]), status, time_ms)
        elif choice < 0.88 and received:
            status = rng.choice([ExecutionStatus.POSTED, ExecutionStatus.FAILED])
            receipt = rng.choice(received)
            before = known.get(receipt[:8], ExecutionStatus.UNSPECIFIED)
            if account.apply(an_execution(receipt, status, before), Change.EXECUTION_IN) == 1:
                known[receipt[:8]] = status
        else:
            role = rng.choice([ReportRole.VICTIM, ReportRole.MULE])
            change = pack_report(event_id, time_ms, FraudType.ROMANCE, role, other, time_ms)
            said = rng.choice(reported) if reported and rng.random() < 0.5 else change
            # The same once more, or taken back, also after the ring has forgotten it.
            kind = rng.choice([Change.REPORT, Change.RETRACT]) if said is not change else 0
            reported.append(said)
            account.report(said, kind or Change.REPORT)


def facts_at(time_ms: int, payee: int) -> np.ndarray:
    facts = np.full((1, len(FACTS)), UNKNOWN, np.int64)
    named = [TIME_MS, UTC_OFFSET_S, AMOUNT_MINOR, CHANNEL, PAYEE_ID]
    facts[0, named] = (time_ms, 28_800, 10_000, Channel.MOBILE, payee)
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
        attempt = an_event(*event[:2], 100, event[2])
        account.attempt(attempt)
        account.execute(attempt, ExecutionStatus.POSTED, START_MS + number)

    assert account.state(43).pair == b""
    assert len(account.state(44).pair) == 32
    for payee in (43, 44, 299):
        facts = facts_at(START_MS + 1000, payee)
        served = feature_vector(facts[0], account.state(payee), None)
        assert served.tobytes() == folded(account.journaled(), facts).tobytes()


def test_a_relayed_change_is_applied_once(link: RedisLink) -> None:
    account = AccountInRedis(link)
    change = an_event(9, START_MS, 100, 5)
    marker = keys.applied(ACCOUNT[-1], b"1-2")
    own = (marker, keys.received(ACCOUNT[-1], change[:8]))
    args = (change, int(Change.RECEIVE), ACCOUNT, 60_000, 0, b"")

    answers = [account._run("apply", own, args) for _ in range(3)]

    assert answers == [1, 0, 0]
    assert account.state(5).in_ring == change


def test_a_receipt_that_is_sent_again_after_its_payer_was_lost_counts_once(
    link: RedisLink,
) -> None:
    account = AccountInRedis(link)
    receipt = an_event(9, START_MS, 100, 5)
    reversed_ = an_execution(receipt, ExecutionStatus.REVERSED, ExecutionStatus.UNSPECIFIED)

    answers = [account.apply(receipt, Change.RECEIVE) for _ in range(2)]
    answers.append(account.apply(reversed_, Change.EXECUTION_IN))
    # Under another message's name, and after the marker is gone.
    link.run([("DEL", keys.received(ACCOUNT[-1], receipt[:8]))])
    answers.append(account.apply(receipt, Change.RECEIVE))
    answers.append(account.apply(reversed_, Change.EXECUTION_IN, force=True))

    state = account.state(5)
    assert answers == [1, 0, 1, 0, 0]
    assert state.in_ring[35] == ExecutionStatus.REVERSED
    assert np.frombuffer(state.days, np.int64).tolist()[1:] == [0, 0, 0, 0]
    assert [seq for seq, _, _ in account.journaled()] == [1, 2]


def test_an_execution_waits_for_the_receipt_that_it_belongs_to(link: RedisLink) -> None:
    account = AccountInRedis(link)
    receipt = an_event(9, START_MS, 100, 5)
    execution = pack_execution(receipt, ExecutionStatus.FAILED)

    before = account.apply(execution, Change.EXECUTION_IN)
    account.apply(receipt, Change.RECEIVE)
    after = account.apply(execution, Change.EXECUTION_IN)

    assert (before, after) == (-1, 1)
    assert account.state(5).in_ring[35] == ExecutionStatus.FAILED


def test_a_decision_sent_again_changes_no_state_however_late(link: RedisLink) -> None:
    account = AccountInRedis(link)
    marker = account.key("recorded")
    first = an_event(1, START_MS, 100, 5)
    account.attempt(first, marker)
    for number in range(2, 60):
        account.attempt(an_event(number, START_MS + number, 100, 5))
    before = account.state(5)

    again = account.attempt(first, marker)

    assert again == b"again"
    assert account.state(5) == before


def test_two_executions_of_one_event_wait_for_each_other(link: RedisLink) -> None:
    account = AccountInRedis(link)
    receipt = an_event(9, START_MS, 100, 5)
    account.apply(receipt, Change.RECEIVE)
    unspecified, posted, _, reversed_ = ExecutionStatus
    first, second = (
        an_execution(receipt, posted, unspecified),
        an_execution(receipt, reversed_, posted),
    )

    # Two workers carry them, and the second one is faster.
    answers = [account.apply(change, Change.EXECUTION_IN) for change in (second, first, second)]

    state = account.state(5)
    assert answers == [-1, 1, 1]
    assert state.in_ring[35] == ExecutionStatus.REVERSED
    assert np.frombuffer(state.days, np.int64).tolist()[1:] == [0, 0, 0, 0]


def test_an_execution_needs_no_marker_while_the_ring_holds_its_receipt(link: RedisLink) -> None:
    account = AccountInRedis(link)
    receipt = an_event(9, START_MS, 100, 5)
    account.apply(receipt, Change.RECEIVE)
    # A reversal weeks later: the marker of the receipt is long gone.
    link.run([("DEL", keys.received(ACCOUNT[-1], receipt[:8]))])

    answer = account.apply(pack_execution(receipt, ExecutionStatus.REVERSED), Change.EXECUTION_IN)

    assert answer == 1
    assert account.state(5).in_ring[35] == ExecutionStatus.REVERSED


def test_scripts_and_layout_speak_of_the_same_sizes() -> None:
    scripts = {name: source.decode() for name, source in Scripts().source.items()}

    for text in (
        f"{layout.RING_EVENTS - 1} * 40", f"{layout.REPORT_EVENTS - 1} * 40",
        f"== {layout.LINK_ACCOUNTS} * 24", f"{layout.LINKS_OF_ACCOUNT} * 16",
        f"'', {layout.HOURS}, hour", f"'', {layout.DAYS}, day",
    ):  # fmt: skip
        assert text in scripts["apply"], text
    assert f"{layout.RING_EVENTS - 1} * 40" in scripts["commit"]
    assert f"{layout.PAIRS - 1} * 32" in scripts["execution"]
    assert f"{layout.REPORT_EVENTS - 1} * 40" in scripts["outcome"]


@pytest.mark.parametrize("later_attempts", [0, 60])
def test_a_repeated_execution_counts_a_payment_once(link: RedisLink, later_attempts: int) -> None:
    account = AccountInRedis(link)
    attempt = an_event(1, START_MS, 100, 5)
    account.attempt(attempt)

    answers = [account.execute(attempt, ExecutionStatus.POSTED, START_MS + 10)]
    for number in range(2, 2 + later_attempts):
        account.attempt(an_event(number, START_MS + number, 100, 6))
    answers.append(account.execute(attempt, ExecutionStatus.POSTED, START_MS + 10))
    times_paid = unpack_pair(account.state(5).pair)
    answers.append(account.execute(attempt, ExecutionStatus.REVERSED, START_MS + 20))
    # A retry of the first report that arrives after the reversal says nothing new.
    answers.append(account.execute(attempt, ExecutionStatus.POSTED, START_MS + 10))

    assert answers == [b"changed", b"same", b"changed", b"same"]
    assert times_paid == 1
    assert account.state(5).pair == b""


@pytest.mark.parametrize(("later_attempts", "changes"), [(0, 2), (60, 61)])
def test_a_report_long_after_the_decision_changes_history_only_while_the_ring_knows_it(
    link: RedisLink, later_attempts: int, changes: int
) -> None:
    account = AccountInRedis(link)
    attempt = an_event(1, START_MS, 100, 5)
    account.attempt(attempt)
    for number in range(2, 2 + later_attempts):
        account.attempt(an_event(number, START_MS + number, 100, 6))

    answer = account.execute(attempt, ExecutionStatus.POSTED, START_MS, is_old=True)

    assert answer == b"changed"
    assert len(account.journaled()) == changes
    assert (account.state(5).pair == b"") == (later_attempts > 0)


def unpack_pair(pair: bytes) -> int:
    """Return how many times a pair was paid."""
    return int(np.frombuffer(pair, np.int64)[3])


class LinkInRedis:
    """Sends sightings and taints to one link through the real script."""

    def __init__(self, link: RedisLink, token: bytes = bytes(15) + b"\x12") -> None:
        self._link = link
        self.token = token
        self._number = 0

    def apply(self, change: bytes, kind: Change) -> int:
        self._number += 1
        bucket = self.token[-1]
        marker = keys.applied(bucket, b"%d" % self._number)
        script_keys = (
            keys.link(self.token), marker, marker + b"r", keys.journal(bucket), keys.outbox(bucket),
            keys.epoch(bucket),
        )  # fmt: skip
        args = (change, int(kind), self.token, 60_000, 0, b"")
        return int(self._link.run([self._link.scripts.call("apply", script_keys, args)])[0])

    def state(self) -> LinkState:
        seq, seen = self._link.run([("HMGET", keys.link(self.token), "seq", "seen")])[0]
        return LinkState(int(seq or 0), seen or b"")

    def journaled(self) -> list[tuple[int, int, bytes]]:
        return journaled(self._link, self.token)


@pytest.mark.parametrize("seed", range(4))
def test_folding_the_journal_gives_the_memory_of_a_link(link: RedisLink, seed: int) -> None:
    rng = random.Random(seed)
    device = LinkInRedis(link)
    for number in range(200):
        since = rng.choice((0, 0, START_MS + rng.randrange(10**9)))
        time_ms = START_MS + number * 3_600_000
        # Some of them overtake others that were made from a later state of the account.
        seq = rng.choice((0, rng.randint(1, 20)))
        change = pack_link(number, time_ms, since, rng.randrange(1, 60), seq)
        kinds = (Change.SIGHTING, Change.SIGHTING, Change.SIGHTING, Change.TAINT, Change.CLEAR)
        device.apply(change, rng.choice(kinds))
    state, changes = device.state(), device.journaled()
    facts = facts_at(START_MS + 200 * 3_600_000, 5)

    served = feature_vector(facts[0], None, None, [state, None, None, None, None])
    steps = [[1, kind, 0, *unpack_record(change)] for _, kind, change in changes]
    steps.append([1, folding.READ_LINK, 0, 0, 0, 0, 0, 0])
    trained = folding.fold(facts, np.array(steps, np.int64))[0]

    assert state.seq == len(changes)
    assert len(state.seen) == 32 * 24
    assert served[LINKS_START:].tobytes() == trained[LINKS_START:].tobytes()


@pytest.mark.parametrize("order", [(5, 9), (9, 5)])
def test_a_link_keeps_since_when_a_mule_was_known_first(
    link: RedisLink, order: tuple[int, int]
) -> None:
    device = LinkInRedis(link)
    device.apply(pack_link(1, START_MS, 0, 3), Change.SIGHTING)

    for since_ms in order:
        device.apply(pack_link(2, START_MS, START_MS + since_ms, 3), Change.TAINT)

    assert link_row(device.state().seen, 3) == (3, START_MS, START_MS + 5)


def test_a_report_of_a_mule_taints_what_its_account_was_seen_with(link: RedisLink) -> None:
    account, device = AccountInRedis(link), LinkInRedis(link)
    phone = bytes(15) + b"\x13"
    account.attempt(an_event(1, START_MS, 100, 5), links=device.token)
    account.apply(an_event(2, START_MS, 100, 5), Change.RECEIVE, links=phone)
    report = pack_report(3, START_MS, FraudType.ROMANCE, ReportRole.MULE, 5, START_MS + 9)

    account.apply(report, Change.REPORT)
    rows = link.run([("XRANGE", keys.outbox(ACCOUNT[-1]), "-", "+")])[0]
    sent = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in rows]
    device.apply(pack_link(1, START_MS, 0, counterparty_of(ACCOUNT)), Change.SIGHTING)
    device.apply(sent[0][b"c"], Change.TAINT)

    assert {message[b"t"] for message in sent} == {device.token, phone}
    assert link_row(device.state().seen, counterparty_of(ACCOUNT)) == (
        counterparty_of(ACCOUNT), START_MS, START_MS + 9,
    )  # fmt: skip
