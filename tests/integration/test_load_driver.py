"""The cheap client of the loads, against the library's own server: it counts what happened."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.tls import Pki

from fanzha_loadtest.driver import Driver, DriverLaggedError
from fanzha_loadtest.http2 import Call
from fanzha_loadtest.tls_context import client_context

METHOD = "/test.Service/Method"
Work = Callable[[bytes, grpc.ServicerContext], bytes]


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, work: Work) -> None:
        self._handler = grpc.unary_unary_rpc_method_handler(work)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handler if handler_call_details.method == METHOD else None


@contextmanager
def serving(work: Work, credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(8), options=(("grpc.max_receive_message_length", -1),))
    server.add_generic_rpc_handlers((_Handler(work),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0.5).wait()


def numbered(size: int = 0) -> Iterator[bytes]:
    return (b"%08d" % number + b"x" * size for number in count())


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_a_closed_load_calls_each_message_once_and_gets_its_own_answer(size: int) -> None:
    answers: dict[int, bytes] = {}
    with (
        serving(lambda body, _: body[::-1]) as address,
        Driver([address], Call(METHOD), on_answer=answers.__setitem__) as driver,
    ):
        load = driver.closed(islice(numbered(size), 500), callers=16, seconds=30)
    assert (load.answered, load.begun, load.other) == (500, 500, {})
    assert load.histogram.get_total_count() == 500
    assert answers == dict(enumerate(body[::-1] for body in islice(numbered(size), 500)))


def test_an_open_load_keeps_its_schedule_while_the_server_stalls() -> None:
    began = threading.Event()

    def stalled(body: bytes, _: grpc.ServicerContext) -> bytes:
        # Everybody waits out the first second, whenever they came.
        if not began.is_set():
            time.sleep(1.0)
            began.set()
        return body

    with serving(stalled) as address, Driver([address], Call(METHOD, timeout="9S")) as driver:
        load = driver.open(numbered(), 200.0, 2.0, seed=7)
    assert load.begun == load.answered
    # About half of all calls were due in the stall; a closed loop would have sent eight in it.
    assert 200 < load.begun < 600
    assert load.latency_ms(0.75) > 50


def test_refusals_are_told_from_answers_and_hints_are_counted() -> None:
    numbers = count()

    def refusing(body: bytes, context: grpc.ServicerContext) -> bytes:
        number = next(numbers)
        if number % 4 == 0:
            if number % 8 == 0:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", "100"),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        if number % 4 == 1:
            context.abort(grpc.StatusCode.NOT_FOUND, "nothing there")
        return body

    with serving(refusing) as address, Driver([address], Call(METHOD)) as driver:
        load = driver.closed(islice(numbered(), 400), callers=1, seconds=30)
    assert (load.answered, load.refused, load.hinted) == (200, 100, 50)
    assert load.other == {grpc.StatusCode.NOT_FOUND.value[0]: 100}


def test_a_driver_that_was_late_says_so_loudly() -> None:
    def slow() -> Iterator[bytes]:
        for body in numbered():
            time.sleep(0.03)
            yield body

    with serving(lambda body, _: body) as address, Driver([address], Call(METHOD)) as driver:
        load = driver.open(slow(), 200.0, 1.0, seed=7)
    assert load.has_lagged
    with pytest.raises(DriverLaggedError, match="core of its own"):
        load.check_lag()


def test_a_connection_that_the_server_closes_between_calls_is_opened_anew() -> None:
    with serving(lambda body, _: body) as address:
        host, _, port = address.rpartition(":")
        driver = Driver([address], Call(METHOD), connections=1)
        assert driver.closed(islice(numbered(), 5), callers=1, seconds=9).answered == 5
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Handler(lambda body, _: body),))
    assert server.add_insecure_port(f"{host}:{port}") == int(port)
    server.start()
    load = driver.closed(islice(numbered(), 20), callers=1, seconds=9)
    driver.close()
    server.stop(0.5).wait()
    assert load.answered >= 19


def test_the_same_over_tls(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    (tmp_path / "client.pem").write_bytes((issued := pki.client("client")).certificate)
    (tmp_path / "client.key").write_bytes(issued.key)
    credentials = grpc.ssl_server_credentials(
        [((tmp_path / "server.key").read_bytes(), (tmp_path / "server.pem").read_bytes())],
        root_certificates=(tmp_path / "ca.pem").read_bytes(),
        require_client_auth=True,
    )
    context = client_context(tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "client.key")
    with (
        serving(lambda body, _: body, credentials) as address,
        Driver([address], Call(METHOD), tls=context) as driver,
    ):
        load = driver.closed(islice(numbered(3_000), 300), callers=16, seconds=30)
    assert load.answered == 300
