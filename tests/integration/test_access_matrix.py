"""Every RPC by every role, and by those who have none, over real TLS connections."""

import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from time import monotonic, sleep
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tests.conftest import ROOT, Service
from tests.tls import DAY, Pki, channel, entry, expired

from fanzha import v1
from fanzha.access.authority import Authority, Issued
from fanzha.access.roles import ASSIGNABLE
from fanzha.transport.authorise import OPEN_METHODS, REQUIRED_ROLES
from fanzha.v1 import outcomes_pb2, scoring_pb2, watchlists_pb2

# Written by hand, not taken from the table: whoever changes who may do what, changes two places.
MATRIX = """
                    scorer terminal reviewer approver risk-ops modeler auditor admin
ScoreTransfer       yes    yes      -        -        -        -       -       yes
ScoreBatch          yes    -        -        -        -        -       -       yes
GetDecision         yes    -        yes      -        yes      -       yes     yes
ReportExecution     yes    -        -        -        -        -       -       yes
RecordOutcome       yes    -        yes      -        -        -       -       yes
RecordOutcomes      yes    -        yes      -        -        -       -       yes
WithdrawOutcome     -      -        yes      -        -        -       -       yes
ListOutcomes        -      -        yes      -        -        -       yes     yes
ProposeImport       -      -        -        -        yes      -       -       yes
ApproveImport       -      -        -        yes      -        -       -       yes
RejectImport        -      -        -        yes      yes      -       -       yes
ListProposals       -      -        -        yes      yes      -       yes     yes
ImportEntries       -      -        -        -        -        -       -       -
"""
_HEAD, *_LINES = MATRIX.strip("\n").splitlines()
ROLES = _HEAD.split()
ALLOWED = {
    (line.split()[0], role): word == "yes"
    for line in _LINES
    for role, word in zip(ROLES, line.split()[1:], strict=True)
}
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in (scoring_pb2, outcomes_pb2, watchlists_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
DENIED = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


class Bank:
    """A service with TLS, and clients that are let in or not."""

    def __init__(self, folder: Path) -> None:
        self.pki = Pki(folder / "pki")
        self.pki.roles([entry(role, role) for role in ASSIGNABLE] + [entry("without")])
        (folder / "data").mkdir()
        self.service = Service(folder / "data", *self.pki.options)
        self._open: dict[str, tuple[Any, grpc.Channel]] = {}

    def as_role(self, name: str) -> grpc.Channel:
        if name not in self._open:
            opening = channel(self.service.address, self.pki.authority, self.pki.client(name))
            self._open[name] = (opening, opening.__enter__())
        return self._open[name][1]

    def with_certificate(self, issued: Issued | None) -> Any:
        return channel(self.service.address, self.pki.authority, issued)

    def log(self) -> str:
        return (self.service.data_dir / "serve.log").read_text()

    def close(self) -> None:
        for opening, _ in self._open.values():
            opening.__exit__(None, None, None)
        self.service.stop()


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        bank = Bank(Path(folder))
        yield bank
        bank.close()


def code_of(opened: grpc.Channel, path: str, *, is_stream: bool = False) -> grpc.StatusCode:
    """Call with an empty message, or a stream of none; who is let in meets the next check."""
    stub: Any
    try:
        if is_stream:
            stub = opened.stream_unary(path)
            stub(iter(()), timeout=20)
        else:
            stub = opened.unary_unary(path)
            stub(b"", timeout=20)
    except grpc.RpcError as error:
        failed: Any = error
        code: grpc.StatusCode = failed.code()
        return code
    return grpc.StatusCode.OK


def test_the_matrix_names_every_rpc_and_every_role() -> None:
    names = {path.rpartition("/")[2] for path in METHODS}

    assert {method for method, _ in ALLOWED} == names
    assert sorted(ROLES) == sorted(ASSIGNABLE)
    assert set(REQUIRED_ROLES) == set(METHODS)


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("role", [*ROLES, "without", "unknown"])
def test_an_rpc_is_for_its_roles_alone(bank: Bank, path: str, role: str) -> None:
    is_stream = METHODS[path].client_streaming

    code = code_of(bank.as_role(role), path, is_stream=is_stream)

    if ALLOWED.get((path.rpartition("/")[2], role), False):
        # Let in, and then told of the empty request.
        assert code in (
            grpc.StatusCode.OK,
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.NOT_FOUND,
        )
    else:
        assert code is grpc.StatusCode.PERMISSION_DENIED


def test_every_service_that_is_registered_is_in_a_table() -> None:
    """Reads where services are registered, and finds their methods in whatever protos there are."""
    sources = (ROOT / "service" / "fanzha" / "transport").glob("*.py")
    registered = {
        name
        for source in sources
        for name in re.findall(r"add_(\w+)Servicer_to_server\(", source.read_text())
    }
    ours = [import_module(f"fanzha.v1.{module.name}") for module in iter_modules(v1.__path__)]
    services = {
        service.name: service
        for file in [*ours, health_pb2]
        if hasattr(file, "DESCRIPTOR")
        for service in file.DESCRIPTOR.services_by_name.values()
    }

    assert registered == set(services)
    assert {
        f"/{service.full_name}/{method.name}"
        for service in services.values()
        for method in service.methods
    } | {REFLECTION} == set(REQUIRED_ROLES) | set(OPEN_METHODS)


@pytest.mark.parametrize("who", ["expired", "another CA", "none at all"])
@pytest.mark.parametrize("path", [*METHODS, HEALTH])
def test_nobody_connects_without_a_certificate_that_counts(bank: Bank, who: str, path: str) -> None:
    issued = {
        "expired": bank.pki.client("admin", valid=expired()),
        "another CA": Authority("test CA", DAY).issue("admin", uris=["spiffe://bank.test/admin"]),
        "none at all": None,
    }[who]
    is_stream = path in METHODS and METHODS[path].client_streaming

    with bank.with_certificate(issued) as opened:
        code = code_of(opened, path, is_stream=is_stream)

    assert code is grpc.StatusCode.UNAVAILABLE


def test_nobody_connects_without_tls(bank: Bank) -> None:
    with grpc.insecure_channel(bank.service.address) as opened:
        code = code_of(opened, HEALTH)

    assert code is grpc.StatusCode.UNAVAILABLE


def test_health_is_for_everybody_with_a_certificate_and_reflection_is_off(bank: Bank) -> None:
    opened = bank.as_role("unknown")

    assert code_of(opened, HEALTH) is grpc.StatusCode.OK
    assert code_of(opened, REFLECTION) is grpc.StatusCode.UNIMPLEMENTED


def test_denied_calls_are_logged_with_who_and_what(bank: Bank) -> None:
    code_of(bank.as_role("auditor"), "/fanzha.v1.ScoringService/ScoreBatch")

    log = bank.log()
    assert "denied: auditor to /fanzha.v1.ScoringService/ScoreBatch: role missing" in log


def test_a_certificate_that_expires_on_an_open_connection_stops_counting(bank: Bank) -> None:
    now = datetime.now(UTC)
    issued = bank.pki.client("scorer", valid=(now - DAY, now + timedelta(seconds=4)))
    path = "/fanzha.v1.ScoringService/ScoreTransfer"

    with bank.with_certificate(issued) as opened:
        before = code_of(opened, path)
        deadline = monotonic() + 30
        while (after := code_of(opened, path)) not in DENIED and monotonic() < deadline:
            sleep(0.2)

    assert before is grpc.StatusCode.INVALID_ARGUMENT
    assert after is grpc.StatusCode.UNAUTHENTICATED
