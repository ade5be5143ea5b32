"""Proposals in a real Redis: they expire, and an approval that was cut off is finished."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.redis_processes import ClusterSet, wait_until

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_proposals import PROPOSAL_KIND, RedisProposals
from fanzha.archive.rebuild_lists import Lists
from fanzha.domain.errors import (
    ProposalClosedError,
    ProposalNotFoundError,
    StoreUnavailableError,
)
from fanzha.domain.evidence import ListSubject, WatchlistEntry
from fanzha.domain.ids import BUCKETS
from fanzha.domain.record import Actor
from fanzha.domain.vocabulary import ListProposalState, WatchlistGrade, WatchlistKind

ONE, TWO, THREE = Actor("one"), Actor("two"), Actor("three")
COUNT = 2_500


def entries(count: int = COUNT) -> Iterator[tuple[bytes, WatchlistEntry]]:
    for number in range(count):
        yield (
            token(number),
            WatchlistEntry(
                kind=WatchlistKind.ACCOUNT,
                grade=WatchlistGrade.INVOLVED,
                source="police",
                case_number="",
                legal_basis="law",
                valid_from_ms=0,
                valid_until_ms=4_000_000_000_000,
                proposed_by="one",
                approved_by="",
            ),
        )


def token(number: int) -> bytes:
    return number.to_bytes(16, "little")


def in_effect(link: RedisLink, number: int) -> list[WatchlistEntry]:
    lists = CommittedLists(link)
    lists.refresh()
    raw = link.run([("HGETALL", keys.list_entries(token(number)))])[0]
    found = lists.entries([ListSubject.PAYEE_ACCOUNT], [raw])
    assert found is not None
    return [entry for _, entry in found]


def a_store(link: RedisLink, life_ms: int = 60_000) -> RedisProposals:
    return RedisProposals(link, life_ms, lambda: time.time_ns() // 1_000_000, lambda: None)


class CutLink:
    """Stands for a link whose process dies after some round trips."""

    def __init__(self, link: RedisLink, trips: int) -> None:
        self._link = link
        self._trips = trips

    def run(self, commands: Any) -> list[Any]:
        if not self._trips:
            raise StoreUnavailableError("killed here")
        self._trips -= 1
        return self._link.run(commands)


def test_nothing_counts_before_the_approval_and_all_of_it_after(link: RedisLink) -> None:
    store = a_store(link)
    proposal = store.propose(ONE, "why", entries())
    before = in_effect(link, 0)

    count, version = store.approve(proposal.record.proposal_id, TWO)

    assert before == []
    assert (count, version) == (COUNT, "lists-000001")
    for number in (0, 999, 1000, COUNT - 1):
        (entry,) = in_effect(link, number)
        assert (entry.proposed_by, entry.approved_by) == ("one", "two")
    assert link.run([("EXISTS", keys.list_proposed(proposal.record.proposal_id))]) == [0]


@pytest.mark.parametrize("trips", range(1, 15))
def test_an_approval_cut_off_anywhere_counts_whole_or_not_at_all_and_is_finished(
    link: RedisLink, trips: int
) -> None:
    proposal_id = a_store(link).propose(ONE, "", entries()).record.proposal_id
    cut: Any = CutLink(link, trips)
    with pytest.raises(StoreUnavailableError):
        a_store(cut).approve(proposal_id, TWO)
    between = [bool(in_effect(link, number)) for number in (0, 999, 1000, COUNT - 1)]

    is_under_way = a_store(link).find(proposal_id).state == ListProposalState.APPLYING
    count, version = a_store(link).approve(proposal_id, THREE if is_under_way else TWO)

    assert len(set(between)) == 1
    assert count == COUNT
    assert all(in_effect(link, number) for number in (0, 999, 1000, COUNT - 1))
    assert {entry.approved_by for entry in in_effect(link, 0)} == {"two"}
    assert a_store(link).find(proposal_id).lists_version == version
    assert link.run([("ZCARD", keys.LIST_IMPORTS)]) == [1]
    journal = link.run([("XRANGE", keys.journal(0), "-", "+")])[0]
    for kind in (b"list_proposal", b"list_verdict", b"list_commit"):
        # Perhaps twice, and then the same: the archive tells records by their content.
        bodies = {
            dict(zip(row[::2], row[1::2], strict=True))[b"b"]
            for _, row in journal
            if row[1] == kind
        }
        assert len(bodies) == 1


def test_a_proposal_that_nobody_decides_expires(link: RedisLink) -> None:
    store = a_store(link, life_ms=200)
    proposal_id = store.propose(ONE, "", entries(5)).record.proposal_id
    deadline = time.monotonic() + 20
    while store.find(proposal_id).state != ListProposalState.EXPIRED:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    with pytest.raises(ProposalClosedError, match="expired"):
        store.approve(proposal_id, TWO)
    with pytest.raises(ProposalClosedError, match="expired"):
        store.reject(proposal_id, TWO, "")

    assert in_effect(link, 0) == []
    assert store.newest()[0].verdict is None


def test_a_proposal_cut_off_while_it_comes_in_leaves_nothing(link: RedisLink) -> None:
    def torn() -> Iterator[tuple[bytes, WatchlistEntry]]:
        yield from entries(1_500)
        raise ConnectionError("the client went away")

    with pytest.raises(ConnectionError):
        a_store(link).propose(ONE, "", torn())

    assert link.run([("KEYS", "{lists}:proposed:*")]) == [[]]
    assert a_store(link).newest() == []


def test_approval_and_rejection_at_once_have_one_winner(link: RedisLink) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - used here alone

    store = a_store(link)
    for _ in range(10):
        name = store.propose(ONE, "", entries(3)).record.proposal_id
        with ThreadPoolExecutor(2) as pool:
            works = [
                pool.submit(store.approve, name, TWO),
                pool.submit(store.reject, name, THREE, ""),
            ]
        failures = [work.exception() for work in works]
        state = store.find(name).state

        assert sum(failure is None for failure in failures) == 1
        expected = "APPROVED" if failures[0] is None else "REJECTED"
        assert state.name == expected


def test_a_proposal_takes_effect_across_the_shards_of_a_cluster(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # The last byte of a token names its bucket, and so its shard.
    tokens = [bytes(15) + bytes([bucket]) for bucket in range(BUCKETS)]
    listed = [(token, entry) for token, (_, entry) in zip(tokens, entries(BUCKETS), strict=True)]
    reads = [("HGETALL", keys.list_entries(token)) for token in tokens]
    with ClusterSet(tmp_path_factory.mktemp("cluster")) as cluster:
        link = RedisLink(cluster.url, 5_000)
        wait_until(lambda: _all_answer(link.try_run(reads)), "all shards answer")
        store, lists = a_store(link), CommittedLists(link)
        proposal_id = store.propose(ONE, "", listed).record.proposal_id
        lists.refresh()
        before = [lists.entries([ListSubject.DEVICE], [raw]) for raw in link.run(reads)]
        count, _ = store.approve(proposal_id, TWO)
        lists.refresh()
        after = [lists.entries([ListSubject.DEVICE], [raw]) for raw in link.run(reads)]
        link.close()

    assert count == BUCKETS
    assert not any(before)
    assert all(after)


def _all_answer(replies: list[Any]) -> bool:
    return not any(isinstance(reply, StoreUnavailableError) for reply in replies)


def test_a_number_that_redis_forgot_names_no_other_proposal(link: RedisLink) -> None:
    """Who approves what a colleague spoke of approves that, and nothing that came later."""
    store = a_store(link)
    spoken_of = store.propose(Actor("one"), "", entries(1)).record.proposal_id
    link.run([("FLUSHALL",)])

    later = store.propose(Actor("another"), "", entries(2)).record.proposal_id

    assert later.rpartition("-")[0] == spoken_of.rpartition("-")[0] == "proposal-000001"
    assert later != spoken_of
    with pytest.raises(ProposalNotFoundError):
        store.find(spoken_of)


@pytest.mark.parametrize("name", ["proposal-000041-482913", "proposal-000041"])
def test_after_a_rebuild_numbers_go_on(link: RedisLink, name: str) -> None:
    def write(commands: list[Command]) -> None:
        link.run(commands)

    store, lists = a_store(link), Lists(write)
    record = replace(store.propose(ONE, "", entries(1)).record, proposal_id=name)

    lists.add(PROPOSAL_KIND, encode(record))
    lists.bring_into_effect()

    assert store.propose(ONE, "", entries(1)).record.proposal_id.startswith("proposal-000042-")
