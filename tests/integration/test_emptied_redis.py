"""A Redis that comes back empty learns again what was answered in the idempotency window."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import a_request
from tests.conftest import Service
from tests.redis_processes import RedisProcess, wait_until

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.drain import drain
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc


def test_what_is_archived_already_is_answered_the_same_by_an_emptied_redis(
    short_dir: Path, start_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANZHA_SPOOL_SEGMENT_S", "0.1")
    with RedisProcess(short_dir / "redis-apart", "--appendonly", "yes") as store:
        service = start_service("--redis", store.url)
        stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)
        requests = [a_request() for _ in range(5)]
        given = [stub.ScoreTransfer(request) for request in requests]
        time.sleep(0.5)
        stub.ScoreTransfer(a_request())
        link = RedisLink(store.url, 5_000)
        drain(link, short_dir / "archive", progress=lambda _: None)
        # The worker looks every two seconds at what the archive holds.
        time.sleep(5)

        store.kill()
        store.restart(empty=True)

        def is_known_again() -> bool:
            found = [
                stub.GetDecision(scoring.GetDecisionRequest(decision_id=answer.decision_id))
                for answer in given
            ]
            return all(one.source == scoring.DECISION_SOURCE_STORE for one in found)

        wait_until(is_known_again, "Redis knows the answers", 20)
        assert [stub.ScoreTransfer(request) for request in requests] == given
        drain(link, short_dir / "archive", progress=lambda _: None)
        link.close()
        service.stop()
