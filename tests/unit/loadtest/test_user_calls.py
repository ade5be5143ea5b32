"""Users send a refused call again, unchanged and as often as the service allows, over real gRPC."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from fanzha.v1.scoring_pb2 import ScoreTransferRequest, ScoreTransferResponse
from fanzha.v1.scoring_pb2_grpc import (
    ScoringServiceServicer,
    ScoringServiceStub,
    add_ScoringServiceServicer_to_server,
)
from fanzha_loadtest.users.calls import TRIES, CallError, call


class Refusing(ScoringServiceServicer):
    """Refuses so many calls, with a hint."""

    def __init__(self, refusals: int, code: grpc.StatusCode) -> None:
        self.refusals, self.code = refusals, code
        self.bodies: list[bytes] = []

    def ScoreTransfer(self, request: Any, context: Any) -> ScoreTransferResponse:  # noqa: N802
        self.bodies.append(request.SerializeToString(deterministic=True))
        if len(self.bodies) <= self.refusals:
            context.set_trailing_metadata((("grpc-retry-pushback-ms", "1"),))
            context.abort(self.code, "not now")
        return ScoreTransferResponse(decision_id="d")


@contextmanager
def served(service: Refusing) -> Iterator[ScoringServiceStub]:
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        add_ScoringServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield ScoringServiceStub(channel)
        finally:
            server.stop(None).wait()


def ask(service: Refusing) -> tuple[ScoreTransferResponse | None, list[str]]:
    tries: list[str] = []
    with served(service) as stub:
        request = ScoreTransferRequest(request_id="r-1")
        try:
            answer = call(stub.ScoreTransfer, request, lambda _ms, _got, said: tries.append(said))
        except CallError:
            answer = None
    return answer, tries


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE], ids=str
)
def test_a_refused_call_is_sent_again_in_the_same_words(code: grpc.StatusCode) -> None:
    service = Refusing(TRIES - 1, code)

    answer, tries = ask(service)

    assert answer is not None
    assert tries == [code.name] * (TRIES - 1) + ["OK"]
    assert len(set(service.bodies)) == 1


def test_a_call_is_given_up_after_its_last_try() -> None:
    answer, tries = ask(Refusing(TRIES, grpc.StatusCode.RESOURCE_EXHAUSTED))

    assert answer is None
    assert len(tries) == TRIES


def test_a_call_that_is_wrong_is_not_sent_again() -> None:
    answer, tries = ask(Refusing(1, grpc.StatusCode.INVALID_ARGUMENT))

    assert answer is None
    assert tries == ["INVALID_ARGUMENT"]
