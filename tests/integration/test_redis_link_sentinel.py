"""The link behind real Sentinels: the master dies, freezes, or is demoted under traffic."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.redis_processes import MASTER_NAME, SentinelSet, wait_until

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS

_EPOCH = ("GET", keys.epoch(9))


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[SentinelSet]:
    with SentinelSet(tmp_path) as running:
        yield running


@pytest.fixture
def link(sentinels: SentinelSet) -> Iterator[RedisLink]:
    link = RedisLink(sentinels.url, 100)
    yield link
    link.close()


def test_a_promoted_replica_is_used_and_begins_epochs(
    sentinels: SentinelSet, link: RedisLink
) -> None:
    told: list[tuple[frozenset[int], bool]] = []
    link.on_lineage(lambda buckets, was_empty: told.append((buckets, was_empty)))
    before = int(link.run([_EPOCH])[0])
    assert int(link.run([("WAIT", 2, 5_000)])[0]) == 2
    old = sentinels.master
    old.kill()
    refused, longest = 0, 0.0
    while True:
        began = time.process_time()
        reply = link.try_run([_EPOCH])[0]
        longest = max(longest, time.process_time() - began)
        if not isinstance(reply, StoreUnavailableError):
            break
        refused += 1
        time.sleep(0.002)
    # Sentinels take a second to notice: hundreds of calls failed, and none waited for a time-out.
    assert refused > 100
    assert int(reply) > before, "no call was answered before the new master's epoch began"
    new = sentinels.wait_for_promotion(old)
    assert link.servers()[0].name == f"127.0.0.1:{new.port}"
    link.run([("SET", b"{b1}:written", "after")])
    assert new.ask("GET", "{b1}:written") == b"after"
    wait_until(lambda: len(told) == 2, "told of the failover")
    assert told[1] == (frozenset(range(BUCKETS)), False)


def test_a_master_that_is_demoted_while_it_lives_is_left(
    sentinels: SentinelSet, link: RedisLink
) -> None:
    link.run([("SET", b"{b1}:n", "0")])
    old = sentinels.master
    sentinels.sentinels[0].ask("SENTINEL", "FAILOVER", MASTER_NAME)
    new = sentinels.wait_for_promotion(old)
    # The old one still answers reads, and refuses writes once it follows.
    wait_until(lambda: old.role() == "slave", "the old master follows")
    wait_until(
        lambda: not isinstance(link.try_run([("SET", b"{b1}:n", "1")])[0], StoreUnavailableError),
        "writes go to the new master",
    )
    assert new.ask("GET", "{b1}:n") == b"1"
    assert link.run([("GET", b"{b1}:n")]) == [b"1"]


def test_a_frozen_master_is_replaced(sentinels: SentinelSet, link: RedisLink) -> None:
    link.run([("SET", b"{b1}:n", "0")])
    old = sentinels.master
    old.freeze()
    try:
        sentinels.wait_for_promotion(old)
        wait_until(
            lambda: not isinstance(link.try_run([("GET", b"{b1}:n")])[0], StoreUnavailableError),
            "the new master is found",
        )
    finally:
        old.resume()
    # Back from the ice it still takes itself for the master, until a Sentinel tells it.
    for _ in range(200):
        link.run([("INCR", b"{b1}:n")])
        time.sleep(0.005)
    assert sentinels.master.ask("GET", "{b1}:n") == b"200"


def test_dead_sentinels_do_not_matter_while_one_is_left(sentinels: SentinelSet) -> None:
    sentinels.sentinels[0].kill()
    sentinels.sentinels[1].freeze()
    link = RedisLink(sentinels.url, 5_000)
    assert link.run([("ECHO", "found")]) == [b"found"]
    link.close()


def test_no_sentinel_is_named_as_the_cause() -> None:
    link = RedisLink("redis+sentinel://127.0.0.1:1,127.0.0.1:2/fanzha/0", 200)
    with pytest.raises(StoreUnavailableError, match="no Sentinel says"):
        link.run([("TIME",)])
    assert not link.is_available(0)
    assert link.servers() == []
    link.close()
