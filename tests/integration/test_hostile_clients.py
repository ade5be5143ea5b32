"""Clients that mean harm, or do it: the process stays up, and honest clients are served."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from tests.builders import a_request
from tests.conftest import Service
from tests.raw_http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    call_headers,
    connect,
    frame,
    header,
    send,
)

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

SCORE = "/fanzha.v1.ScoringService/ScoreTransfer"


@pytest.fixture
def stub(service: Service) -> Any:
    return scoring_pb2_grpc.ScoringServiceStub(service.channel)


def memory_kib(service: Service) -> int:
    status = Path(f"/proc/{service.process.pid}/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0])


def own_channel(service: Service, *options: tuple[str, object]) -> grpc.Channel:
    """A connection of its own."""
    return grpc.insecure_channel(
        service.address, options=[("grpc.use_local_subchannel_pool", 1), *options]
    )


def is_answered(stub: Any, seconds: float = 10.0) -> bool:
    """Ask as an honest client does: who is refused tries again when told."""
    end = time.monotonic() + seconds
    while True:
        try:
            answer = stub.ScoreTransfer(a_request(), timeout=seconds)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or time.monotonic() > end:
                raise
            hint = dict(error.trailing_metadata())["grpc-retry-pushback-ms"]
            time.sleep(int(hint) / 1000)
        else:
            return bool(answer.decision != scoring.DECISION_UNSPECIFIED)


def never() -> Iterator[bytes]:
    """A stream that begins and never goes on."""
    threading.Event().wait(60)
    yield b""


def test_calls_without_their_message_take_no_thread_from_others(
    service: Service, stub: Any
) -> None:
    """Slow-loris: 400 calls over four connections that never send what they began."""
    channels = [own_channel(service) for _ in range(4)]
    stalled = []
    for channel in channels:
        begin = channel.stream_unary(SCORE)
        stalled += [begin.future(never(), timeout=30) for _ in range(100)]
    time.sleep(0.5)

    assert all(is_answered(stub) for _ in range(20))

    for call in stalled:
        assert isinstance(call.exception(timeout=20), grpc.RpcError)
    ended = {call.code() for call in stalled}
    assert ended <= {grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED,
                     grpc.StatusCode.UNKNOWN}  # fmt: skip
    for channel in channels:
        channel.close()
    assert is_answered(stub)


def test_health_is_told_while_calls_stall(service: Service) -> None:
    channel = own_channel(service)
    stalled = [channel.stream_unary(SCORE).future(never(), timeout=10) for _ in range(200)]
    stalled += [
        channel.stream_unary("/grpc.health.v1.Health/Check").future(never(), timeout=10)
        for _ in range(40)
    ]
    health = health_pb2_grpc.HealthStub(service.channel)
    for _ in range(10):
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    for call in stalled:
        call.cancel()
    channel.close()


def test_a_compressed_message_is_not_unpacked(service: Service, stub: Any) -> None:
    """One that would grow to 200 MiB."""
    request = a_request()
    before = memory_kib(service)
    bomb = b"\x01" + len(packed := gzip.compress(bytes(200 * 2**20), 9)).to_bytes(4) + packed
    opened = connect(service.address)
    headers = call_headers(SCORE, header("grpc-encoding", b"gzip"))
    send(opened, frame(HEADERS, END_HEADERS, 1, headers))
    for start in range(0, len(bomb), 16_000):
        send(opened, frame(DATA, 0, 1, bomb[start : start + 16_000]))
    time.sleep(0.5)
    opened.close()

    with pytest.raises(grpc.RpcError) as failure:
        stub.ScoreTransfer(request, timeout=5, compression=grpc.Compression.Gzip)

    assert failure.value.code() in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL}
    assert memory_kib(service) - before < 50 * 1024
    assert is_answered(stub)


@pytest.mark.parametrize("length", [4 * 2**20, 2**31, 2**32 - 1])
def test_a_message_that_says_to_be_huge_is_refused_by_its_length(
    service: Service, stub: Any, length: int
) -> None:
    before = memory_kib(service)
    opened = connect(service.address)
    send(opened, frame(HEADERS, END_HEADERS, 1, call_headers(SCORE)))
    send(opened, frame(DATA, 0, 1, b"\0" + length.to_bytes(4) + bytes(100)))
    time.sleep(0.2)

    assert is_answered(stub)
    assert memory_kib(service) - before < 20 * 1024
    opened.close()


MARKS = "a" + "\u0315\u0301\u0323" * 300_000
"""Unicode's canonical order of them takes quadratic time to find."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, "@" + "a" * 1_900_000) for name in ("request_id", "branch_id", "account_ref")),
        *((name, MARKS) for name in ("transfer_id", "account", "person", "phone", "remark")),
    ],
    ids=lambda given: given[:12],
)
def test_texts_as_long_as_a_message_hold_nobody_up(
    service: Service, stub: Any, name: str, text: str
) -> None:
    """To search one for what names somebody must not take hours."""
    request = a_request()
    transfer = request.transfer
    place = next(
        x for x in (request, transfer, transfer.payer) if name in x.DESCRIPTOR.fields_by_name
    )
    setattr(place, name, text)

    with pytest.raises(grpc.RpcError) as failure:
        stub.ScoreTransfer(request, timeout=30)

    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert is_answered(stub)


def test_headers_without_end_are_cut_off(service: Service, stub: Any) -> None:
    """A flood of CONTINUATION frames that never says END_HEADERS."""
    before = memory_kib(service)
    opened = connect(service.address)
    send(opened, frame(HEADERS, 0, 1, call_headers(SCORE)))
    piece = frame(CONTINUATION, 0, 1, header("x-flood", b"a" * 8_000))
    for _ in range(5_000):
        if not send(opened, piece):
            break
    opened.close()

    assert is_answered(stub)
    assert memory_kib(service) - before < 50 * 1024


def test_large_metadata_is_refused(service: Service, stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        stub.ScoreTransfer(a_request(), metadata=[("x-large", "a" * 60_000)], timeout=5)

    assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert is_answered(stub)


def test_very_many_tiny_streams_leave_memory_and_service_as_they_were(
    service: Service, stub: Any
) -> None:
    """Rapid reset: each stream is opened and taken back at once, 200,000 times."""
    assert is_answered(stub)
    before = memory_kib(service)
    headers = call_headers(SCORE)
    stream, sent = 1, 0
    opened = connect(service.address)
    while sent < 200_000:
        burst = b"".join(
            frame(HEADERS, END_HEADERS, stream + 2 * i, headers)
            + frame(RST_STREAM, 0, stream + 2 * i, (8).to_bytes(4))
            for i in range(500)
        )
        if not send(opened, burst):
            opened.close()
            opened, stream = connect(service.address), 1
            sent += 500
            continue
        stream, sent = stream + 1_000, sent + 500
        _swallow(opened)
    opened.close()

    assert all(is_answered(stub, 20) for _ in range(5))
    assert memory_kib(service) - before < 100 * 1024


def _swallow(opened: socket.socket) -> None:
    opened.setblocking(False)
    try:
        while opened.recv(65_536):
            pass
    except OSError:
        pass
    opened.settimeout(10)


def test_connections_that_say_nothing_leave_room_for_others(service: Service) -> None:
    host, _, port = service.address.rpartition(":")
    silent = [socket.create_connection((host, int(port)), timeout=5) for _ in range(300)]
    channel = own_channel(service)
    assert is_answered(scoring_pb2_grpc.ScoringServiceStub(channel), 20)
    channel.close()
    for one in silent:
        one.close()


@pytest.mark.parametrize(
    "greeting",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
     PREFACE + b"\xff" * 4_096, bytes(9_000), PREFACE + frame(SETTINGS, 0, 0, bytes(7))],
)  # fmt: skip
def test_what_is_no_http2_is_turned_away(service: Service, stub: Any, greeting: bytes) -> None:
    host, _, port = service.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as opened:
        send(opened, greeting)
        opened.settimeout(2)
        try:
            while opened.recv(4_096):
                pass
        except OSError:
            pass
    assert is_answered(stub)


def test_a_crowd_beyond_the_limit_is_refused_with_a_hint(
    start_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More calls at once than one worker takes in: some are refused, at once, and told when."""
    # As a bank has it; other tests have their services wait longer for a busy machine.
    monkeypatch.delenv("FANZHA_QUEUE_TARGET_MS")
    monkeypatch.delenv("FANZHA_QUEUE_MAX_MS")
    service = start_service()
    channels = [own_channel(service) for _ in range(6)]
    calls = []
    for number in range(3_000):
        body = a_request().SerializeToString()
        calls.append(channels[number % 6].unary_unary(SCORE).future(body, timeout=20))
    errors = [error for call in calls if (error := call.exception()) is not None]

    refused = [e for e in errors if e.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert refused
    assert {error.code() for error in errors} == {grpc.StatusCode.RESOURCE_EXHAUSTED}, errors[:2]
    for error in refused:
        assert 100 <= int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) < 200
        status = rpc_status.from_call(error)
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        status.details[0].Unpack(info)
        status.details[1].Unpack(retry)
        assert info.reason == "ERROR_REASON_OVERLOADED"
        assert 100 <= retry.retry_delay.ToMilliseconds() < 200
    for channel in channels:
        channel.close()
    assert is_answered(scoring_pb2_grpc.ScoringServiceStub(service.channel))
