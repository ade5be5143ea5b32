"""The whole service on a Cluster and behind Sentinels: it answers through a master's death."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from tests.builders import a_request
from tests.conftest import Service
from tests.redis_processes import ClusterSet, SentinelSet, wait_until

from fanzha.adapters import keys
from fanzha.adapters.redis_slots import SLOT_OF_BUCKET
from fanzha.domain.ids import BUCKETS
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

_TIMEOUT = ("--redis-timeout-ms", "50")


def answers(stub: Any, seconds: float) -> list[scoring.ScoreTransferResponse]:
    """Ask for a while, one after the other; every call is answered."""
    until_s = time.monotonic() + seconds
    got = []
    while time.monotonic() < until_s:
        number = len(got)
        request = a_request(payer=f"62220000{number:08}", payee=f"62229999{number:08}")
        got.append(stub.ScoreTransfer(request, timeout=10))
        time.sleep(0.01)
    return got


def whole_again(stub: Any) -> bool:
    """Say whether twenty answers in a row, of as many accounts, lack nothing."""
    requests = [a_request(payer=f"62221111{number:08}") for number in range(20)]
    return not any(stub.ScoreTransfer(request).degraded_parts for request in requests)


def is_found(stub: Any, answer: scoring.ScoreTransferResponse) -> bool:
    asked = scoring.GetDecisionRequest(decision_id=answer.decision_id)
    try:
        return bool(stub.GetDecision(asked).decision == answer)
    except grpc.RpcError:
        # Not there yet, or its shard is not.
        return False


def test_behind_sentinels_no_answer_is_lost_when_the_master_dies(
    tmp_path: Path, start_service: Callable[..., Service]
) -> None:
    with SentinelSet(tmp_path) as sentinels:
        service = start_service("--redis", sentinels.url, *_TIMEOUT)
        stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)
        wait_until(lambda: whole_again(stub), "the service has all it needs")
        before = answers(stub, 0.5)
        sentinels.master.kill()
        during = answers(stub, 1.0)
        wait_until(lambda: whole_again(stub), "the promoted replica is used")
        assert any(answer.degraded_parts for answer in during)
        for answer in (*before, *during):
            wait_until(lambda one=answer: is_found(stub, one), "the decision is found")
        service.stop()


def test_on_a_cluster_one_dead_master_degrades_only_its_share(
    tmp_path: Path, start_service: Callable[..., Service]
) -> None:
    with ClusterSet(tmp_path, "--cluster-require-full-coverage", "no") as cluster:
        service = start_service("--redis", cluster.url, *_TIMEOUT)
        stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)
        wait_until(lambda: whole_again(stub), "the service has all it needs")
        before = answers(stub, 0.5)
        # Receipts of payees in other slots are carried over.
        wait_until(lambda: outboxes(cluster) == 0, "the outboxes are empty")
        dead = cluster.master_of(SLOT_OF_BUCKET[0])
        dead.kill()
        during = answers(stub, 1.0)
        assert any(answer.degraded_parts for answer in during)
        wait_until(lambda: whole_again(stub), "the promoted replica is used")
        for answer in (*before, *during):
            wait_until(lambda one=answer: is_found(stub, one), "the decision is found")
        wait_until(lambda: outboxes(cluster) == 0, "the outboxes are empty")
        service.stop()


def outboxes(cluster: ClusterSet) -> int:
    """Return how many messages wait to be carried over."""
    return sum(
        int(cluster.master_of(SLOT_OF_BUCKET[bucket]).ask("XLEN", keys.outbox(bucket)))
        for bucket in range(0, BUCKETS, 8)
    )
