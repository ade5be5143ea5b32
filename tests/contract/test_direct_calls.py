"""Calls that come straight from gRPC's core, beside the same calls over the library's own server.

What a client sees must not tell which of the two it was: answers, statuses with details and
metadata, deadlines, sizes, calls that end early, draining.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status
from tests.raw_http2 import DATA, END_HEADERS, END_STREAM, HEADERS, call_headers, connect, frame

from fanzha.domain.errors import (
    DecisionNotFoundError,
    FieldFault,
    InvalidFieldsError,
    OverloadedError,
)
from fanzha.transport.admission import Admission, Limits
from fanzha.transport.authorise import Caller, LocalAdmin
from fanzha.transport.direct import DirectCalls
from fanzha.transport.guard import Guard
from fanzha.transport.later import Later
from fanzha.transport.patience import Patience
from fanzha.transport.status import abort, to_failure
from fanzha.v1 import scoring_pb2, scoring_pb2_grpc

METHOD = "/fanzha.v1.ScoringService/ScoreTransfer"
MESSAGE_BYTES = 100_000
OPTIONS = (("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.so_reuseport", 0))
Request, Response = scoring_pb2.ScoreTransferRequest, scoring_pb2.ScoreTransferResponse


class Servicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Does what the request's id says."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.go_on = threading.Event()

    def ScoreTransfer(  # noqa: N802 - named by the proto
        self, request: Request, context: grpc.ServicerContext
    ) -> Response:
        self.seen.append(context)
        word = request.request_id
        if word == "fault":
            raise InvalidFieldsError((FieldFault("transfer", "must be given"),))
        if word == "missing":
            raise DecisionNotFoundError("no-such-decision")
        if word == "full":
            raise OverloadedError("the service is at its limit; try again after a pause")
        if word == "broken":
            raise ZeroDivisionError
        if word == "held":
            self.go_on.wait(20)
        if word == "metadata":
            told = dict(context.invocation_metadata())
            return Response(
                request_id=str(told["x-told"]), transfer_id=str(told["user-agent"])[:11]
            )
        if word == "time":
            left_s = context.time_remaining()
            return Response(request_id="some" if left_s is not None and 5 < left_s < 11 else "?")
        return Response(request_id=word, transfer_id=request.transfer.transfer_id)


class Aborting(Servicer):
    """The same for the library's server, where errors end a call by `abort`."""

    def ScoreTransfer(  # noqa: N802 - named by the proto
        self, request: Request, context: grpc.ServicerContext
    ) -> Response:
        try:
            return super().ScoreTransfer(request, context)
        except Exception as error:
            abort(context, to_failure(error))
            raise


@dataclass
class Running:
    address: str
    servicer: Servicer
    calls: DirectCalls | None = None
    stop: list[Callable[[], object]] = field(default_factory=list)


def _library() -> Running:
    server = grpc.server(ThreadPoolExecutor(8), options=OPTIONS)
    servicer = Aborting()
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return Running(f"127.0.0.1:{port}", servicer, stop=[lambda: server.stop(0.5).wait()])


class Registrar:
    """Takes the unary methods of a service, as the product's intake does."""

    def __init__(self, calls: DirectCalls) -> None:
        self._calls = calls

    def add_generic_rpc_handlers(self, handlers: object) -> None: ...

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        for name, handler in handlers.items():
            self._calls.add(f"/{service}/{name}", handler)


def _direct(turns: int = 4, calls_max: int = 64, servicer: Servicer | None = None) -> Running:
    servicer = Servicer() if servicer is None else servicer
    server = grpc.server(ThreadPoolExecutor(1), options=OPTIONS)
    limits = Limits(turns, calls_max, 5.0, 10.0)
    patience = Patience(64, time.monotonic)
    calls = DirectCalls(
        Guard(LocalAdmin()),
        Admission(limits, time.monotonic),
        patience,
        turns,
        {},
        time.monotonic,
    )
    registrar: Any = Registrar(calls)
    scoring_pb2_grpc.add_ScoringServiceServicer_to_server(servicer, registrar)
    calls.join(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    calls.start()
    stop = [
        calls.stop_asking,
        lambda: server.stop(0.5).wait(),
        calls.close,
        patience.close,
    ]
    return Running(f"127.0.0.1:{port}", servicer, calls, stop)


@contextmanager
def running(made: Callable[[], Running]) -> Iterator[Running]:
    one = made()
    try:
        yield one
    finally:
        one.servicer.go_on.set()
        for step in one.stop:
            step()


@pytest.fixture(params=[_library, _direct], ids=["library", "direct"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(request.param) as one:
        yield one


@contextmanager
def stub_of(server: Running) -> Iterator[scoring_pb2_grpc.ScoringServiceStub]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        yield scoring_pb2_grpc.ScoringServiceStub(channel)


def ended(server: Running, word: str, **more: Any) -> grpc.Call:
    with stub_of(server) as stub, pytest.raises(grpc.RpcError) as caught:
        stub.ScoreTransfer(Request(request_id=word), timeout=10, **more)
    return caught.value  # type: ignore[return-value]


def test_an_answer_is_the_handlers_own(server: Running) -> None:
    with stub_of(server) as stub:
        answer, call = stub.ScoreTransfer.with_call(Request(request_id="plain"), timeout=10)
    assert answer.request_id == "plain"
    assert call.code() is grpc.StatusCode.OK
    assert not call.details()


def test_many_calls_at_once_get_their_own_answers(server: Running) -> None:
    with stub_of(server) as stub, ThreadPoolExecutor(16) as pool:
        answers = pool.map(
            lambda n: stub.ScoreTransfer(Request(request_id=f"r-{n}"), timeout=20).request_id,
            range(400),
        )
        assert list(answers) == [f"r-{n}" for n in range(400)]


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("fault", grpc.StatusCode.INVALID_ARGUMENT),
        ("missing", grpc.StatusCode.NOT_FOUND),
        ("full", grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("broken", grpc.StatusCode.INTERNAL),
    ],
)
def test_errors_are_statuses_with_details(
    server: Running, word: str, code: grpc.StatusCode
) -> None:
    error = ended(server, word)
    status = rpc_status.from_call(error)
    assert error.code() is code
    assert status is not None
    assert status.message == error.details()
    assert status.details
    hints = [key for key, _ in error.trailing_metadata() or () if key == "grpc-retry-pushback-ms"]
    assert hints == (["grpc-retry-pushback-ms"] if word == "full" else [])


def test_handlers_see_metadata(server: Running) -> None:
    with stub_of(server) as stub:
        told = (("x-told", "something"),)
        answer = stub.ScoreTransfer(Request(request_id="metadata"), timeout=10, metadata=told)
    assert (answer.request_id, answer.transfer_id) == ("something", "grpc-python")


def test_handlers_see_the_time_left(server: Running) -> None:
    with stub_of(server) as stub:
        assert stub.ScoreTransfer(Request(request_id="time"), timeout=10).request_id == "some"


def test_a_deadline_that_passes_ends_the_call(server: Running) -> None:
    with stub_of(server) as stub, pytest.raises(grpc.RpcError) as caught:
        stub.ScoreTransfer(Request(request_id="held"), timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    server.servicer.go_on.set()
    with stub_of(server) as stub:
        assert stub.ScoreTransfer(Request(request_id="next"), timeout=10).request_id == "next"


def test_a_client_that_gives_up_hurts_nobody(server: Running) -> None:
    with stub_of(server) as stub:
        calls = [stub.ScoreTransfer.future(Request(request_id="held")) for _ in range(3)]
        deadline = time.monotonic() + 10
        while len(server.servicer.seen) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert all(call.cancel() for call in calls)
        server.servicer.go_on.set()
        assert stub.ScoreTransfer(Request(request_id="next"), timeout=10).request_id == "next"


def test_a_message_that_is_too_large_is_refused(server: Running) -> None:
    request = Request(request_id="plain")
    request.transfer.remark = "x" * (MESSAGE_BYTES + 1)
    with stub_of(server) as stub, pytest.raises(grpc.RpcError) as caught:
        stub.ScoreTransfer(request, timeout=10)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.servicer.seen == []


def test_a_message_that_comes_in_pieces_is_taken_whole(server: Running) -> None:
    request = Request(request_id="plain")
    request.transfer.transfer_id = "t" * 60_000
    body = request.SerializeToString()
    message = b"\0" + len(body).to_bytes(4, "big") + body
    with connect(server.address) as client:
        client.sendall(frame(HEADERS, END_HEADERS, 1, call_headers(METHOD)))
        for at in range(0, len(message), 9_000):
            time.sleep(0.01)
            piece = message[at : at + 9_000]
            client.sendall(frame(DATA, END_STREAM if at + 9_000 >= len(message) else 0, 1, piece))
        received = b""
        while b"grpc-status" not in received:
            part = client.recv(65_536)
            assert part
            received += part
    assert b"plain" in received


def test_a_call_that_ends_without_its_message_gets_an_error() -> None:
    with running(_direct) as server, connect(server.address) as client:
        client.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 1, call_headers(METHOD)))
        received = b""
        while b"grpc-status" not in received:
            part = client.recv(65_536)
            assert part
            received += part
        assert server.servicer.seen == []


def test_an_unknown_method_is_unimplemented(server: Running) -> None:
    with grpc.insecure_channel(server.address) as channel:
        call: Any = channel.unary_unary("/fanzha.v1.ScoringService/NoSuchMethod")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_more_than_there_is_room_for_is_refused_while_all_turns_are_taken() -> None:
    with running(lambda: _direct(turns=2, calls_max=4)) as server, stub_of(server) as stub:
        held = [stub.ScoreTransfer.future(Request(request_id="held")) for _ in range(4)]
        deadline = time.monotonic() + 10
        while len(server.servicer.seen) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        refused = []
        while not refused and time.monotonic() < deadline:
            with pytest.raises(grpc.RpcError) as caught:
                stub.ScoreTransfer(Request(request_id="more"), timeout=10)
            refused.append(caught.value)
        assert refused[0].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        server.servicer.go_on.set()
        assert [call.result(timeout=10).request_id for call in held] == ["held"] * 4


def test_who_waits_for_a_turn_gets_it_when_another_ends() -> None:
    with running(lambda: _direct(turns=1)) as server, stub_of(server) as stub:
        held = [stub.ScoreTransfer.future(Request(request_id="held")) for _ in range(8)]
        deadline = time.monotonic() + 10
        while len(server.servicer.seen) < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(server.servicer.seen) == 1
        server.servicer.go_on.set()
        assert [call.result(timeout=10).request_id for call in held] == ["held"] * 8


class Postponing(Servicer):
    """Answers later, from a thread of its own, ready or late."""

    def ScoreTransfer(  # noqa: N802 - named by the proto
        self, request: Request, context: grpc.ServicerContext
    ) -> Any:
        word = request.request_id

        def wait(ready: Callable[[], None], late: Callable[[], None]) -> None:
            threading.Timer(0.05, late if word == "late" else ready).start()

        def message() -> Response:
            if word == "fault":
                raise InvalidFieldsError((FieldFault("transfer", "must be given"),))
            return Response(request_id=word)

        return Later(wait, message)


def test_answers_that_come_later_hold_no_turn() -> None:
    with (
        running(lambda: _direct(turns=1, servicer=Postponing())) as server,
        stub_of(server) as stub,
    ):
        words = ["ready", "late"] * 10
        calls = [stub.ScoreTransfer.future(Request(request_id=word), timeout=10) for word in words]
        assert [call.result().request_id for call in calls] == words
        assert ended(server, "fault").code() is grpc.StatusCode.INVALID_ARGUMENT


class Spiteful(Servicer):
    """Breaks where handlers should not: in the promise, and in the number of answers."""

    def ScoreTransfer(  # noqa: N802 - named by the proto
        self, request: Request, context: grpc.ServicerContext
    ) -> Any:
        def broken(ready: Callable[[], None], late: Callable[[], None]) -> None:
            raise ZeroDivisionError

        if request.request_id == "promise":
            return Later(broken, Response)
        if request.request_id == "message":
            return Later(lambda ready, _: ready(), lambda: 1 / 0)
        if request.request_id == "kind":
            return "no message"
        return super().ScoreTransfer(request, context)


def test_a_handler_that_breaks_ends_its_own_call_and_no_thread() -> None:
    with running(lambda: _direct(turns=2, servicer=Spiteful())) as server:
        for _ in range(10):
            for word in ("promise", "message", "kind"):
                assert ended(server, word).code() is grpc.StatusCode.INTERNAL
        with stub_of(server) as stub:
            assert stub.ScoreTransfer(Request(request_id="next"), timeout=10).request_id == "next"


class Nobody:
    """Lets nobody in."""

    def identify(self, context: Any) -> Caller:
        return Caller("stranger", frozenset())


def test_who_may_not_is_refused_before_the_message_is_read() -> None:
    with running(_direct) as server:
        assert server.calls is not None
        server.calls._guard = Guard(Nobody())
        assert ended(server, "plain").code() is grpc.StatusCode.PERMISSION_DENIED
        assert server.servicer.seen == []


def test_a_worker_that_stops_says_so_and_ends_all_threads() -> None:
    before = threading.active_count()
    with running(_direct) as server, stub_of(server) as stub:
        assert server.calls is not None
        stub.ScoreTransfer(Request(request_id="plain"), timeout=10)
        server.calls.stop()
        with pytest.raises(grpc.RpcError) as caught:
            stub.ScoreTransfer(Request(request_id="plain"), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [x for x in threading.enumerate() if x.name.startswith("call-")]
