"""What counts as listed when Redis answers for all, some or none of a transfer's parts."""

from typing import Any

import pytest
from tests.decision_inputs import a_transfer, an_entry

from fanzha.adapters.codec import encode
from fanzha.adapters.hard_lists import HardLists, hard_rows
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.reads import Reads
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_scripts import Scripts
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.evidence import ListSubject
from fanzha.domain.vocabulary import WatchlistGrade
from fanzha.pipeline.ports import Findings

AWAY = [StoreUnavailableError("away")] * 4
TRANSFER = a_transfer()
PAYER, PAYEE = TRANSFER.payer.account, b"q" * 16
INVOLVED, WATCHED = an_entry(), an_entry(grade=WatchlistGrade.WATCH)


class Redis:
    """Holds one import with one involved account, the payee; `imports` may be lost."""

    imports: list[bytes]

    def __init__(self) -> None:
        self.imports = [b"import-1", b"1"]
        self.is_away = False

    def run(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        if self.is_away:
            raise AWAY[0]
        answers = {
            "EXISTS": 0,
            "ZRANGE": self.imports,
            "GET": b"h1",
            "HKEYS": [b"0"],
            "HMGET": [hard_rows([(PAYEE, INVOLVED)])],
        }
        return [answers[command[0]] for command in commands]


class World:
    def __init__(self) -> None:
        self.redis = Redis()
        self.now_s = 100.0
        link: Any = self.redis
        self.lists = CommittedLists(link, HardLists(link, 10), lambda: 5, lambda: self.now_s)

    def findings(self, *replies: Any) -> Findings:
        reads = Reads(TRANSFER)
        flat = [reply for party in replies for reply in party]
        assert reads.count == len(flat)
        assert not reads.asked_again(0, flat, Scripts())
        return reads.findings(0, flat, self.lists, OutageMemory(7_200_000))


def a_payer(*entries: bytes) -> list[Any]:
    """Return what is read of an account without history, and of a new request."""
    return [[b"1", None], [None] * 7, list(entries), b"1"]


def a_payee(*entries: bytes) -> list[Any]:
    """Return what is read of an account without history."""
    return [b"1", [None] * 5, list(entries), b"1"]


@pytest.fixture
def world() -> World:
    world = World()
    world.lists.refresh()
    return world


def listed(findings: Findings) -> list[tuple[ListSubject, WatchlistGrade]] | None:
    if findings.entries is None:
        return None
    return [(subject, entry.grade) for subject, entry in findings.entries]


def test_what_redis_says_is_all_while_it_answers(world: World) -> None:
    entry = (b"1|import-1", encode(WATCHED))

    findings = world.findings(a_payer(), a_payee(*entry))

    assert listed(findings) == [(ListSubject.PAYEE_ACCOUNT, WatchlistGrade.WATCH)]
    assert (findings.has_all_lists, findings.lists_version) == (True, "lists-000001")


def test_the_copy_speaks_for_a_server_that_is_away(world: World) -> None:
    world.now_s += 7.9

    findings = world.findings(a_payer(), AWAY)

    assert listed(findings) == [(ListSubject.PAYEE_ACCOUNT, WatchlistGrade.INVOLVED)]
    assert (findings.has_all_lists, findings.lists_version) == (False, "lists-000001+copy.7s")


def test_and_for_all_that_are_away(world: World) -> None:
    world.redis.is_away = True
    world.lists.refresh()

    assert listed(world.findings(AWAY, AWAY)) == [
        (ListSubject.PAYEE_ACCOUNT, WatchlistGrade.INVOLVED)
    ]


def test_not_for_one_that_answers(world: World) -> None:
    findings = world.findings(AWAY, a_payee(b"1|import-1", encode(WATCHED)))

    assert listed(findings) == [(ListSubject.PAYEE_ACCOUNT, WatchlistGrade.WATCH)]
    assert not findings.has_all_lists


def test_for_one_that_answers_and_lost_what_it_held(world: World) -> None:
    """A part of a Cluster was emptied, and the imports in effect lie in another one."""
    findings = world.findings(a_payer(), a_payee())

    assert listed(findings) == [(ListSubject.PAYEE_ACCOUNT, WatchlistGrade.INVOLVED)]
    assert (findings.has_all_lists, findings.lists_version) == (False, "lists-000001+copy.0s")


def test_a_worker_that_never_reached_redis_knows_nothing() -> None:
    findings = World().findings(AWAY, AWAY)

    assert (listed(findings), findings.lists_version) == (None, "")


def test_what_redis_forgot_still_counts_and_is_named(world: World) -> None:
    world.redis.imports = []
    world.lists.refresh()

    findings = world.findings(a_payer(), a_payee())

    assert listed(findings) == [(ListSubject.PAYEE_ACCOUNT, WatchlistGrade.INVOLVED)]
    assert not findings.has_all_lists
    assert findings.lists_version.startswith("lists-000001+copy.")
