"""Clients that connect, or begin, and then say nothing; and those that watch the health."""

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.conftest import Service

from fanzha.transport.watching import WATCHES_MAX
from fanzha.v1 import outcomes_pb2, outcomes_pb2_grpc

WATCH = "/grpc.health.v1.Health/Watch"
_PATIENCE_S = 60.0


@contextmanager
def own_channel(service: Service) -> Iterator[grpc.Channel]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(service.address, options=options) as channel:
        yield channel


def is_well(service: Service) -> bool:
    """Say whether a new client is let in and told that the service serves."""
    with own_channel(service) as channel:
        try:
            told = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        except grpc.RpcError:
            return False
        return bool(told.status == health_pb2.HealthCheckResponse.SERVING)


def watch(channel: grpc.Channel, name: str = "") -> Iterator[health_pb2.HealthCheckResponse]:
    asked = health_pb2.HealthCheckRequest(service=name)
    answers: Iterator[health_pb2.HealthCheckResponse] = health_pb2_grpc.HealthStub(channel).Watch(
        asked, timeout=_PATIENCE_S
    )
    return answers


def memory_mib(service: Service) -> int:
    status = Path(f"/proc/{service.process.pid}/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


@contextmanager
def open_files(most: int) -> Iterator[int]:
    """Let this process have so many files open; what it starts takes the limit over."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, before[1]), before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_silent_connections_up_to_the_limit_keep_nobody_out_for_long(service: Service) -> None:
    """For two minutes, if gRPC's own patience counted."""
    host, _, port = service.address.rpartition(":")
    with open_files(8_192):
        silent = [socket.create_connection((host, int(port)), timeout=5) for _ in range(2_100)]
        end = time.monotonic() + _PATIENCE_S
        while not is_well(service):
            assert time.monotonic() < end
            time.sleep(0.5)
        for one in silent:
            one.close()


def test_a_worker_may_open_more_files_than_a_shell(start_service: Callable[..., Service]) -> None:
    """Connections would take those that the spool and the roles need."""
    with open_files(512) as most:
        service = start_service()

    said = Path(f"/proc/{service.process.pid}/limits").read_text("ascii")
    files = next(x for x in said.splitlines() if x.startswith("Max open files"))
    assert int(files.split()[3]) == min(16_384, most)


def test_a_client_that_goes_away_is_no_error_of_the_service(
    start_service: Callable[..., Service],
) -> None:
    service = start_service()
    goes_on, came = threading.Event(), threading.Event()

    def messages() -> Iterator[outcomes_pb2.RecordOutcomesRequest]:
        yield outcomes_pb2.RecordOutcomesRequest()
        came.set()
        goes_on.wait(_PATIENCE_S)

    with own_channel(service) as channel:
        for _ in range(5):
            call = outcomes_pb2_grpc.OutcomeServiceStub(channel).RecordOutcomes.future(messages())
            assert came.wait(_PATIENCE_S)
            call.cancel()
            came.clear()
        goes_on.set()
    assert service.stop() == 0

    said = (service.data_dir / "serve.log").read_text()
    assert "ERROR" not in said
    assert "Traceback" not in said


def test_watches_that_never_say_what_they_watch_take_no_thread_from_others(
    service: Service,
) -> None:
    def never() -> Iterator[bytes]:
        threading.Event().wait(_PATIENCE_S)
        yield b""

    with own_channel(service) as bad, own_channel(service) as good:
        stalled = [bad.stream_stream(WATCH)(never(), timeout=_PATIENCE_S) for _ in range(100)]

        told = next(watch(good))

        assert told.status == health_pb2.HealthCheckResponse.SERVING
        for call in stalled:
            assert call.code() is not grpc.StatusCode.DEADLINE_EXCEEDED


def test_names_that_strangers_watch_are_not_kept(service: Service) -> None:
    with own_channel(service) as channel:
        next(watch(channel, "first"))
        before = memory_mib(service)
        for number in range(200):
            answers = watch(channel, f"{number}" + "x" * 1_900_000)
            # The last ones may still be on their way out.
            with suppress(grpc.RpcError):
                told = next(answers)
                assert told.status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            answers.cancel()  # type: ignore[attr-defined] # the call that the stub returns

    assert memory_mib(service) - before < 150


def test_watchers_that_come_and_go_hold_nobody_up(service: Service) -> None:
    """Sent to under a lock that their going away needs, they ended everything for good."""

    def come_and_go() -> None:
        with own_channel(service) as channel:
            for _ in range(50):
                watching = [watch(channel) for _ in range(20)]
                for place, answers in enumerate(watching):
                    with suppress(grpc.RpcError):
                        if place % 2:
                            next(answers)
                    answers.cancel()  # type: ignore[attr-defined] # the call that the stub returns

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)

    assert not any(thread.is_alive() for thread in threads)
    assert is_well(service)


def test_so_many_may_watch_and_no_more(service: Service) -> None:
    with ExitStack() as stack:
        channels = [stack.enter_context(own_channel(service)) for _ in range(4)]
        watching: list[Iterator[health_pb2.HealthCheckResponse]] = []
        end = time.monotonic() + _PATIENCE_S
        while len(watching) < WATCHES_MAX:
            assert time.monotonic() < end
            answers = watch(channels[len(watching) % 4])
            # Those of other tests may still be on their way out.
            with suppress(grpc.RpcError):
                next(answers)
                watching.append(answers)

        with pytest.raises(grpc.RpcError) as refused:
            next(watch(channels[0]))

        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert is_well(service)
    end = time.monotonic() + _PATIENCE_S
    while True:
        with own_channel(service) as channel:
            try:
                assert next(watch(channel)).status == health_pb2.HealthCheckResponse.SERVING
            except grpc.RpcError:
                assert time.monotonic() < end
                continue
            break
