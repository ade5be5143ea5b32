"""Empty handlers with the messages of the service: what gRPC in Python costs by itself.

`python -m tests.bench.floors sync|aio|direct [PEM files]` serves on a free port of loopback
until it is ended, and prints the port. The request is parsed, the answer is one that was given, and
is serialised anew for each call, as generated code does. `sync` and `aio` are the floors; `direct`
is the same over the service's own way from gRPC's core, and tells what of a decision is gRPC.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import grpc

from fanzha.transport.admission import Admission, Limits
from fanzha.transport.authorise import LocalAdmin
from fanzha.transport.direct import DirectCalls
from fanzha.transport.guard import Guard
from fanzha.transport.intake import Intake
from fanzha.transport.patience import Patience
from fanzha.v1 import scoring_pb2, scoring_pb2_grpc

THREADS = 16
ANSWER = scoring_pb2.ScoreTransferResponse(
    decision_id="01M0F3ZK7B4ZV5W8YQ2N6T9RXC",
    request_id="r-1790000000000000000",
    transfer_id="t-1790000000000000000",
    decision=scoring_pb2.DECISION_ALLOW,
    alert_level=scoring_pb2.ALERT_LEVEL_NONE,
    score=123,
    payee_mule_score=45,
    payer_mule_score=67,
    versions=scoring_pb2.Versions(
        model_version="fraud/2026-11-22.1",
        policy_version="2026-11-24.1",
        lists_version="lists-000000",
        service_version="0.1.0",
    ),
)
ANSWER.decide_time.FromMilliseconds(1_790_000_000_000)


class _Empty(scoring_pb2_grpc.ScoringServiceServicer):
    def ScoreTransfer(self, request: Any, context: Any) -> scoring_pb2.ScoreTransferResponse:  # noqa: N802
        return ANSWER


class _EmptyAio(scoring_pb2_grpc.ScoringServiceServicer):
    async def ScoreTransfer(self, request: Any, context: Any) -> scoring_pb2.ScoreTransferResponse:  # type: ignore[override] # noqa: N802
        return ANSWER


def _credentials(files: list[str]) -> grpc.ServerCredentials | None:
    if not files:
        return None
    certificate, key, ca = (Path(one).read_bytes() for one in files)
    return grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)


def _bind(server: Any, files: list[str]) -> None:
    credentials = _credentials(files)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    print(port, flush=True)  # noqa: T201 - for who started it


def _sync(files: list[str]) -> None:
    server = grpc.server(ThreadPoolExecutor(THREADS))
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(_Empty(), server)
    _bind(server, files)
    server.start()
    server.wait_for_termination()


def _direct(files: list[str]) -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    limits = Limits(THREADS, 1_000, 5.0, 10.0)
    calls = DirectCalls(
        Guard(LocalAdmin()),
        Admission(limits, time.monotonic),
        Patience(64, time.monotonic),
        THREADS,
        {},
        time.monotonic,
    )
    registrar: Any = Intake().on(calls, cast("Any", None))
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(_Empty(), registrar)
    calls.join(server)
    _bind(server, files)
    server.start()
    calls.start()
    server.wait_for_termination()


async def _aio(files: list[str]) -> None:
    server = grpc.aio.server()
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(_EmptyAio(), server)
    _bind(server, files)
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    """Serve."""
    kind, *files = sys.argv[1:]
    if kind == "sync":
        _sync(files)
        return
    if kind == "direct":
        _direct(files)
        return
    import uvloop  # noqa: PLC0415 - the faster of the loops

    uvloop.run(_aio(files))


if __name__ == "__main__":
    main()
