"""SIGTERM under traffic: calls that are in finish, new ones go elsewhere, all is kept."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.builders import a_request
from tests.conftest import Service

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

Start = Callable[..., Service]
GONE = {grpc.StatusCode.UNAVAILABLE}


class Client(threading.Thread):
    """Asks one question after the other over a connection of its own, until it is told to go."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options=options)
        self.answers: list[scoring.ScoreTransferResponse] = []
        self.error: grpc.RpcError | None = None

    def run(self) -> None:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(self.channel)
        while self.error is None:
            try:
                self.answers.append(stub.ScoreTransfer(a_request(), timeout=20))
            except grpc.RpcError as error:
                self.error = error


def test_a_worker_that_is_told_to_stop_loses_no_answer(
    start_service: Start, short_dir: Path
) -> None:
    service = start_service()
    clients = [Client(service.address) for _ in range(8)]
    for client in clients:
        client.start()
    while sum(len(client.answers) for client in clients) < 200:
        time.sleep(0.01)

    assert service.stop() == 0

    for client in clients:
        client.join(timeout=30)
        assert client.error is not None
        assert client.error.code() in GONE, client.error.details()
    again = start_service(data_dir=short_dir)
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(again.channel)
    answers = [answer for client in clients for answer in client.answers]
    for answer in answers:
        found = stub.GetDecision(scoring.GetDecisionRequest(decision_id=answer.decision_id))
        assert found.decision == answer


def test_health_says_so_before_calls_are_refused(
    start_service: Start, short_dir: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("FANZHA_DRAIN_NOTICE_S", "2")
    service = start_service()
    health = health_pb2_grpc.HealthStub(service.channel)
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=30)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING

    service.process.terminate()

    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert stub.ScoreTransfer(a_request(), timeout=5).decision_id
    assert service.stop() == 0
