"""Certificates and roles change under traffic: no call fails, and who is out, is out."""

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.builders import a_request
from tests.conftest import Service
from tests.tls import DAY, Pki, channel, entry, expired

from fanzha.access.authority import Authority, Issued
from fanzha.v1 import outcomes_pb2, outcomes_pb2_grpc, scoring_pb2_grpc

CLIENTS = 4
STATED_S = 2.0
"""docs/reference/roles.md: within so long a change of the roles counts."""
_PATIENCE_S = 30.0


class Traffic:
    """Clients that call almost without a pause, over one old connection and many new ones."""

    def __init__(
        self, address: str, trusted: Callable[[], Authority], issued: list[Issued]
    ) -> None:
        self._address = address
        self._trusted = trusted
        self._stop = threading.Event()
        self.failures: list[Any] = []
        self.calls = [0] * len(issued)
        self.connections = [0] * len(issued)
        self.issued = issued
        self._threads = [
            threading.Thread(target=self._work, args=(place,)) for place in range(len(issued))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _work(self, place: int) -> None:
        number = 0
        # One connection lasts from the first call to the last.
        with channel(self._address, self._trusted(), self.issued[place]) as lasting:
            while not self._stop.is_set():
                with channel(self._address, self._trusted(), self.issued[place]) as fresh:
                    self.connections[place] += 1
                    for opened in (lasting, fresh):
                        number += 1
                        self._call(opened, place, number)
                self._stop.wait(0.01)

    def _call(self, opened: grpc.Channel, place: int, number: int) -> None:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(opened)
        try:
            stub.ScoreTransfer(a_request(request_id=f"r-{place}-{number}"), timeout=20)
            self.calls[place] += 1
        except grpc.RpcError as error:
            self.failures.append(error)

    def go_on(self, calls: int = 10) -> None:
        """Return once every client has made some more calls, over old and new connections."""
        before = list(self.calls)
        until(lambda: all(n >= b + calls for n, b in zip(self.calls, before, strict=True)))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def pki(short_dir: Path) -> Pki:
    pki = Pki(short_dir / "pki")
    names = [f"core-{place}" for place in range(CLIENTS)]
    pki.roles([entry(name, "scorer") for name in [*names, "leaver"]])
    return pki


@pytest.fixture
def secured(pki: Pki, short_dir: Path, start_service: Callable[..., Service]) -> Service:
    data = short_dir / "data"
    data.mkdir()
    return start_service(*pki.options, data_dir=data)


def log_of(service: Service) -> str:
    return (service.data_dir / "serve.log").read_text()


def health_of(opened: grpc.Channel, name: str) -> str:
    answer = health_pb2_grpc.HealthStub(opened).Check(
        health_pb2.HealthCheckRequest(service=name), timeout=20
    )
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def serial_of(address: str, trusted: Authority, issued: Issued) -> bytes:
    """Return the server's certificate as a new handshake shows it."""
    context = ssl.create_default_context(cadata=trusted.issued.certificate.decode())
    context.set_alpn_protocols(["h2"])
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(issued.certificate + issued.key)
        pair.flush()
        context.load_cert_chain(pair.name)
    host, port = address.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        shown = wrapped.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_server_certificate_ca_and_roles_are_replaced_without_one_failed_call(
    secured: Service, pki: Pki
) -> None:
    old, new = pki.authority, Authority("new CA", DAY)
    issued = [pki.client(f"core-{place}") for place in range(CLIENTS)]
    trusted = old
    before = serial_of(secured.address, old, issued[0])

    with Traffic(secured.address, lambda: trusted, issued) as traffic:
        traffic.go_on()
        # The server's own certificate; the two files are never replaced at the same instant.
        pki.serve(old)
        until(lambda: serial_of(secured.address, old, issued[0]) != before)
        traffic.go_on()
        # The CA of the clients: first both, then new certificates, then the new one alone.
        both = old.issued.certificate + new.issued.certificate
        pki.write("ca.pem", both)
        until(lambda: log_of(secured).count("certificates: new ones are in use") >= 2)
        traffic.go_on()
        pki.authority = new
        for place in range(CLIENTS):
            traffic.issued[place] = pki.client(f"core-{place}")
        traffic.go_on()
        pki.write("ca.pem", new.issued.certificate)
        until(lambda: log_of(secured).count("certificates: new ones are in use") >= 3)
        # The roles: the same clients, and one more who may ask from now on.
        names = [f"core-{place}" for place in range(CLIENTS)]
        pki.roles([entry(name, "scorer") for name in [*names, "joiner"]])
        until(lambda: "roles: new ones are in use" in log_of(secured))
        traffic.go_on()

    assert traffic.failures == []
    assert min(traffic.connections) >= 20
    with channel(secured.address, old, pki.client("joiner")) as opened:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(opened)
        assert stub.ScoreTransfer(a_request(request_id="joined"), timeout=20).decision_id
    with channel(secured.address, old, old.issue("x", uris=["spiffe://bank.test/core-0"])) as late:
        stub = scoring_pb2_grpc.ScoringServiceStub(late)
        with pytest.raises(grpc.RpcError) as refused:
            stub.ScoreTransfer(a_request(request_id="late"), timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_client_taken_from_the_roles_is_out_on_its_open_connection(
    secured: Service, pki: Pki
) -> None:
    with channel(secured.address, pki.authority, pki.client("leaver")) as opened:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(opened)
        stub.ScoreTransfer(a_request(), timeout=20)
        pki.roles([entry("core-0", "scorer")])
        taken_s = time.monotonic()
        codes: list[grpc.StatusCode] = []
        while not codes and time.monotonic() < taken_s + _PATIENCE_S:
            time.sleep(0.02)
            try:
                stub.ScoreTransfer(a_request(), timeout=20)
            except grpc.RpcError as error:
                failed: Any = error
                codes.append(failed.code())
        effective_s = time.monotonic() - taken_s

    assert codes == [grpc.StatusCode.PERMISSION_DENIED]
    # Far more than is stated: the machine may be busy.
    assert effective_s < 5 * STATED_S


def test_a_client_taken_from_the_roles_cannot_go_on_with_its_stream(
    secured: Service, pki: Pki
) -> None:
    sent = threading.Event()

    def outcomes() -> Iterator[outcomes_pb2.RecordOutcomesRequest]:
        while True:
            yield outcomes_pb2.RecordOutcomesRequest()
            sent.set()
            time.sleep(0.02)

    with channel(secured.address, pki.authority, pki.client("leaver")) as opened:
        stub: Any = outcomes_pb2_grpc.OutcomeServiceStub(opened)
        call = stub.RecordOutcomes.future(outcomes(), timeout=_PATIENCE_S)
        assert sent.wait(_PATIENCE_S)
        pki.roles([entry("core-0", "scorer")])

        assert call.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("fault", ["key of another", "cut short", "expired", "roles", "gone"])
def test_bad_files_leave_the_last_good_ones_and_health_says_so(
    secured: Service, pki: Pki, fault: str
) -> None:
    good = {name: (pki.folder / name).read_bytes() for name in ("server.pem", "server.key")}
    roles = (pki.folder / "roles.yaml").read_bytes()
    name = "fanzha.access.roles" if fault == "roles" else "fanzha.access.tls"
    issued = pki.client("core-0")
    stack = ExitStack()
    opened = stack.enter_context(channel(secured.address, pki.authority, issued))
    well = health_of(opened, name)

    if fault == "key of another":
        pki.write("server.key", pki.client("other").key)
    elif fault == "cut short":
        pki.write("server.pem", good["server.pem"][:200])
    elif fault == "expired":
        pki.serve(pki.authority, valid=expired())
    elif fault == "gone":
        (pki.folder / "ca.pem").unlink()
    else:
        pki.write("roles.yaml", roles.replace(b'"scorer"', b'"emperor"'))
    until(lambda: health_of(opened, name) == "NOT_SERVING")
    overall = health_of(opened, "")
    with channel(secured.address, pki.authority, issued) as fresh:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(fresh)
        answer = stub.ScoreTransfer(a_request(request_id="meanwhile"), timeout=20)

    for file, content in good.items():
        pki.write(file, content)
    pki.write("roles.yaml", roles)
    pki.write("ca.pem", pki.authority.issued.certificate)
    until(lambda: health_of(opened, name) == "SERVING")
    stack.close()

    assert well == overall == "SERVING"
    assert answer.decision_id
    assert "the last good ones stay in use" in log_of(secured)
    if fault == "roles":
        assert "role 'emperor' is not known" in log_of(secured)


def test_old_connections_end_so_that_a_ca_that_was_dropped_counts_no_longer(
    pki: Pki, short_dir: Path, start_service: Callable[..., Service], monkeypatch: Any
) -> None:
    monkeypatch.setenv("FANZHA_CONNECTION_AGE_S", "10")
    data = short_dir / "data"
    data.mkdir()
    service = start_service(*pki.options, data_dir=data)
    with channel(service.address, pki.authority, pki.client("core-0")) as opened:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(opened)
        stub.ScoreTransfer(a_request(), timeout=20)
        pki.write("ca.pem", Authority("another", timedelta(days=1)).issued.certificate)
        until(lambda: "certificates: new ones are in use" in log_of(service))
        codes: list[grpc.StatusCode] = []

        def is_out() -> bool:
            try:
                stub.ScoreTransfer(a_request(), timeout=20)
            except grpc.RpcError as error:
                failed: Any = error
                codes.append(failed.code())
            return bool(codes)

        until(is_out)

    assert codes == [grpc.StatusCode.UNAVAILABLE]
