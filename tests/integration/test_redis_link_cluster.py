"""The link on a real Cluster: routing, a slot that moves under traffic, a node that dies."""

import threading
import time
from collections.abc import Iterator

import pytest
from tests.redis_processes import ClusterSet, RedisProcess, wait_until

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_slots import SLOT_OF_BUCKET
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS

_ECHOES = [("SET", keys.tag(bucket) + b"echo", bucket) for bucket in range(BUCKETS)]
_READS = [("GET", keys.tag(bucket) + b"echo") for bucket in range(BUCKETS)]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSet]:
    options = ("--cluster-require-full-coverage", "no")
    with ClusterSet(tmp_path_factory.mktemp("cluster"), *options) as running:
        yield running


@pytest.fixture
def link(cluster: ClusterSet) -> Iterator[RedisLink]:
    link = RedisLink(cluster.url, 150)
    # Also begins the epochs, which may take a new cluster longer than a call.
    wait_until(lambda: _all_answer(link), "all shards answer")
    yield link
    link.close()


def _all_answer(link: RedisLink) -> bool:
    return not any(isinstance(x, StoreUnavailableError) for x in link.try_run(_ECHOES))


def test_every_bucket_is_reached_and_every_reply_is_its_own(
    cluster: ClusterSet, link: RedisLink
) -> None:
    assert link.run(_READS) == [b"%d" % bucket for bucket in range(BUCKETS)]
    held = [len(node.ask("KEYS", "*}:echo")) for node in cluster.masters]
    assert sum(held) == BUCKETS
    assert min(held) > 50, "all masters hold a share"
    mixed = link.run([_READS[3], ("TIME",), ("ZCARD", keys.LIST_IMPORTS), _READS[200]])
    assert (mixed[0], mixed[2], mixed[3]) == (b"3", 0, b"200")


def test_scripts_load_themselves_on_every_shard(cluster: ClusterSet, link: RedisLink) -> None:
    for node in cluster.masters:
        node.ask("SCRIPT", "FLUSH")
    tokens = [bytes(15) + bytes([bucket]) for bucket in range(BUCKETS)]
    gathers = [
        link.scripts.call(
            "gather", (keys.account(t), keys.list_entries(t), keys.epoch(t[-1])), (b"", b"")
        )
        for t in tokens
    ]
    assert all(int(reply[0]) == 0 for reply in link.run(gathers))


def test_a_slot_moves_under_traffic(cluster: ClusterSet, link: RedisLink) -> None:
    bucket = 17
    slot = SLOT_OF_BUCKET[bucket]
    source = cluster.master_of(slot)
    target = next(node for node in cluster.masters if node is not source)
    counters = [keys.tag(bucket) + b"n%d" % n for n in range(200)]
    link.run([("SET", key, 0) for key in counters])
    epoch = int(link.run([("GET", keys.epoch(bucket))])[0])
    told: list[frozenset[int]] = []
    link.on_lineage(lambda buckets, _: told.append(buckets))
    stop = threading.Event()
    rounds, faults = [0], []

    def count() -> None:
        while not stop.is_set():
            replies = link.try_run([("INCR", key) for key in counters], deadline_s=None)
            faults.extend(x for x in replies if isinstance(x, StoreUnavailableError))
            rounds[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    cluster.move_slot(slot, target, between=lambda: time.sleep(0.02))
    reached = rounds[0]
    wait_until(lambda: rounds[0] > reached + 3, "traffic goes on")
    stop.set()
    thread.join()
    assert cluster.master_of(slot) is target
    assert faults == [], "commands with one key are asked for where they are"
    assert link.run([("GET", key) for key in counters]) == [b"%d" % rounds[0]] * 200
    wait_until(lambda: frozenset({bucket}) in told, "told of the bucket")
    assert int(link.run([("GET", keys.epoch(bucket))])[0]) > epoch


def test_one_dead_node_blinds_only_its_own_buckets(cluster: ClusterSet, link: RedisLink) -> None:
    dead = cluster.master_of(SLOT_OF_BUCKET[0])
    lost = {b for b in range(BUCKETS) if cluster.master_of(SLOT_OF_BUCKET[b]) is dead}
    epochs = link.run([("GET", keys.epoch(bucket)) for bucket in range(BUCKETS)])
    assert int(link.run([("WAIT", 1, 5_000)])[0]) >= 0
    dead.kill()
    seen = _missing(link)
    assert seen == lost
    assert {b for b in range(BUCKETS) if not link.is_available(b)} == lost
    with pytest.raises(StoreUnavailableError):
        link.run(_READS)
    cluster.wait_for_promotion(dead, SLOT_OF_BUCKET[0])
    wait_until(lambda: _missing(link) == set(), "the promoted replica is found")
    assert all(link.is_available(bucket) for bucket in range(BUCKETS))
    for bucket, reply in enumerate(link.run([("GET", keys.epoch(b)) for b in range(BUCKETS)])):
        assert (int(reply) > int(epochs[bucket])) == (bucket in lost)


def _missing(link: RedisLink) -> set[int]:
    return {b for b, x in enumerate(link.try_run(_READS)) if isinstance(x, StoreUnavailableError)}


def test_a_frozen_node_delays_nobody_elsewhere(cluster: ClusterSet, link: RedisLink) -> None:
    frozen = cluster.master_of(SLOT_OF_BUCKET[0])
    lost = {b for b in range(BUCKETS) if cluster.master_of(SLOT_OF_BUCKET[b]) is frozen}
    frozen.freeze()
    try:
        # The first call waits for its time-out and still has all that the others replied.
        assert _missing(link) == lost
    finally:
        frozen.resume()
    wait_until(lambda: _missing(link) == set(), "the link recovers")


def test_a_cluster_is_found_through_any_node_that_lives(cluster: ClusterSet) -> None:
    for node in cluster.nodes[3:]:
        node.kill()
    dead: list[RedisProcess] = cluster.nodes[3:]
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in (*dead, cluster.nodes[1]))
    link = RedisLink(f"redis+cluster://{hosts}", 5_000)
    link.run(_ECHOES)
    link.close()
