"""Persons behind a front, limits of clients, and addresses, with real services."""

import base64
import json
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from tests.builders import a_request, a_time
from tests.conftest import ROOT, Service
from tests.tls import Pki, TokenKey, channel, entry

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc, watchlists_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import watchlists_pb2 as wire

KEY = TokenKey("k1", Ed25519PrivateKey.generate())
STRANGER = TokenKey("k1", Ed25519PrivateKey.generate())


def token(key: TokenKey = KEY, **claims: Any) -> str:
    now = time.time()
    stated = {"iss": "sso", "aud": "fanzha", "iat": now - 5, "exp": now + 300, **claims}
    parts = [{"alg": "EdDSA", "kid": key.id}, stated]
    signed = ".".join(part(json.dumps(x).encode()) for x in parts)
    return f"{signed}.{part(key.private.sign(signed.encode()))}"


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def bearer(text: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {text}")]


def person(name: str, subject: str, *roles: str) -> dict[str, Any]:
    return {"name": name, "token_subjects": [subject], "roles": list(roles)}


class Bank:
    """A service with a front, persons and a client with a limit."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.pki = Pki(folder / "pki")
        self._stack = stack
        self.pki.roles(
            [
                entry("portal", front=True),
                entry("kiosk", front=True, rate_per_s=0.01, burst=3),
                entry("core", "scorer"),
                entry("second", "scorer"),
                entry("review", "reviewer"),
                entry("slow", "scorer", rate_per_s=0.5, burst=3),
                {
                    "name": "zhang.wei",
                    "token_subjects": ["u-17"],
                    "roles": ["risk-ops", "approver"],
                },
                {"name": "li.na", "token_subjects": ["u-18"], "roles": ["approver"]},
            ],
            tokens={"issuer": "sso", "audience": "fanzha", "keys": [KEY.entry]},
        )
        (folder / "data").mkdir()
        self.service = Service(folder / "data", *self.pki.options)
        stack.callback(self.service.stop)
        self._channels: dict[str, grpc.Channel] = {}

    def channel(self, name: str) -> grpc.Channel:
        if name not in self._channels:
            opened = channel(self.service.address, self.pki.authority, self.pki.client(name))
            self._channels[name] = self._stack.enter_context(opened)
        return self._channels[name]

    def lists(self, name: str) -> Any:
        return watchlists_pb2_grpc.WatchlistServiceStub(self.channel(name))

    def scoring(self, name: str) -> Any:
        return scoring_pb2_grpc.ScoringServiceStub(self.channel(name))


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder, ExitStack() as stack:
        yield Bank(Path(folder), stack)


def refusal(call: Any, *given: Any, **named: Any) -> Any:
    with pytest.raises(grpc.RpcError) as refused:
        call(*given, **named)
    return refused.value


def proposal_messages() -> Iterator[wire.ProposeImportRequest]:
    listed = wire.WatchlistEntry(
        kind=wire.WATCHLIST_KIND_ACCOUNT,
        identifier="621900-1",
        grade=wire.WATCHLIST_GRADE_WATCH,
        source="desk",
    )
    listed.valid_until_time.FromJsonString("2099-01-01T00:00:00Z")
    yield wire.ProposeImportRequest(header=wire.ProposalHeader())
    yield wire.ProposeImportRequest(entries=wire.WatchlistEntries(entries=[listed]))


def test_an_outcome_names_the_client_whose_word_its_source_is(bank: Bank) -> None:
    given = bank.scoring("core").ScoreTransfer(a_request(), timeout=60)
    outcome = outcomes.Outcome(
        outcome_id="case-1",
        decision_id=given.decision_id,
        type=outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
        source=outcomes.OUTCOME_SOURCE_POLICE,
        report_time=a_time(),
    )
    review = outcomes_pb2_grpc.OutcomeServiceStub(bank.channel("review"))

    told = outcomes_pb2_grpc.OutcomeServiceStub(bank.channel("second")).RecordOutcome(
        outcomes.RecordOutcomeRequest(outcome=outcome), timeout=60
    )
    review.WithdrawOutcome(
        outcomes.WithdrawOutcomeRequest(
            decision_id=given.decision_id,
            outcome_id="case-1",
            source=outcomes.OUTCOME_SOURCE_POLICE,
            report_time=a_time(),
        ),
        timeout=60,
    )
    (entry,) = review.ListOutcomes(
        outcomes.ListOutcomesRequest(decision_id=given.decision_id), timeout=60
    ).entries

    assert told.recorded
    assert (entry.caller, entry.withdrawal.caller) == ("second", "review")


def test_two_persons_behind_one_front_are_two(bank: Bank) -> None:
    lists = bank.lists("portal")
    zhang, li = bearer(token(sub="u-17")), bearer(token(sub="u-18"))

    proposed = lists.ProposeImport(proposal_messages(), metadata=zhang, timeout=60).proposal
    request = wire.ApproveImportRequest(proposal_id=proposed.proposal_id)
    own = refusal(lists.ApproveImport, request, metadata=zhang, timeout=60)
    done = lists.ApproveImport(request, metadata=li, timeout=60)

    assert (proposed.proposer.name, proposed.proposer.identity) == ("zhang.wei", "u-17")
    assert proposed.proposer.front == "portal"
    assert own.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "another person must" in own.details()
    assert done.imported_count == 1


@pytest.mark.parametrize(
    ("who", "given", "why"),
    [
        ("portal", lambda: bearer(token(STRANGER, sub="u-17")), "signature"),
        ("portal", lambda: bearer(token(sub="u-17", aud="another")), "audience"),
        ("portal", lambda: bearer(token(sub="u-17", iss="evil")), "issuer"),
        ("portal", lambda: bearer(token(sub="u-17", iat=1.0, exp=2.0)), "expired"),
        ("portal", lambda: bearer("a.b"), "compact"),
        ("portal", lambda: [("authorization", "Basic abc")], "Bearer"),
        ("portal", lambda: bearer(token(sub="u-17")) * 2, "one"),
        ("core", lambda: bearer(token(sub="u-17")), "front"),
    ],
)
def test_a_token_that_does_not_count(
    bank: Bank, who: str, given: Callable[[], Any], why: str
) -> None:
    call = bank.lists(who).ListProposals

    error = refusal(call, wire.ListProposalsRequest(), metadata=given(), timeout=60)

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert why in error.details()
    assert "u-17" not in error.details()


@pytest.mark.parametrize("subject", [None, "u-99"])
def test_a_front_alone_may_nothing_and_a_stranger_neither(bank: Bank, subject: str | None) -> None:
    metadata = subject and bearer(token(sub=subject))
    call = bank.lists("portal").ListProposals

    error = refusal(call, wire.ListProposalsRequest(), metadata=metadata, timeout=60)

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("who", "code"),
    [("nobody", grpc.StatusCode.PERMISSION_DENIED), ("core", grpc.StatusCode.CANCELLED)],
)
def test_who_may_not_is_told_before_a_message_is_sent(
    bank: Bank, who: str, code: grpc.StatusCode
) -> None:
    def never() -> Iterator[bytes]:
        threading.Event().wait(60)
        yield b""

    begin = bank.channel(who).stream_unary("/fanzha.v1.ScoringService/ScoreBatch")

    assert begin.future(never(), timeout=60).code() is code


def test_a_front_is_not_allowed_more_by_bringing_many_persons(bank: Bank) -> None:
    kiosk = bank.lists("kiosk").ListProposals
    for subject in ("u-17", "u-18", "u-17"):
        kiosk(wire.ListProposalsRequest(), metadata=bearer(token(sub=subject)), timeout=60)

    error = refusal(
        kiosk, wire.ListProposalsRequest(), metadata=bearer(token(sub="u-18")), timeout=60
    )

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    bank.lists("portal").ListProposals(
        wire.ListProposalsRequest(), metadata=bearer(token(sub="u-18")), timeout=60
    )


def test_who_calls_too_often_is_told_when_to_come_back(bank: Bank) -> None:
    slow = bank.scoring("slow")
    answered = [slow.ScoreTransfer(a_request(), timeout=60) for _ in range(3)]

    error = refusal(slow.ScoreTransfer, a_request(), timeout=60)
    others = bank.scoring("core").ScoreTransfer(a_request(), timeout=60)

    status: Any = rpc_status.from_call(error)
    retry, info = error_details_pb2.RetryInfo(), error_details_pb2.ErrorInfo()
    for detail in status.details:
        for kind in (retry, info):
            if detail.Is(kind.DESCRIPTOR):
                detail.Unpack(kind)
    hint = dict(error.trailing_metadata())["retry-after-ms"]
    assert all(answer.decision_id for answer in (*answered, others))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info.reason == "ERROR_REASON_RATE_LIMITED"
    assert 0 < int(hint) <= 2_000
    assert retry.retry_delay.ToMilliseconds() == int(hint)


def test_a_batch_counts_as_many_as_it_holds(bank: Bank) -> None:
    slow = bank.scoring("slow")
    call = slow.ScoreBatch
    batch = scoring.ScoreBatchRequest(requests=[a_request() for _ in range(20)])
    deadline = time.monotonic() + 60
    while True:
        try:
            call(batch, timeout=60)
            break
        except grpc.RpcError:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    error = refusal(slow.ScoreTransfer, a_request(), timeout=60)

    # Twenty permits of half a one a second.
    assert int(dict(error.trailing_metadata())["retry-after-ms"]) > 30_000


def test_one_request_id_of_two_callers_is_two(bank: Bank) -> None:
    request = a_request(request_id="the-same")
    first = bank.scoring("core").ScoreTransfer(request, timeout=60)
    again = bank.scoring("core").ScoreTransfer(request, timeout=60)
    other = bank.scoring("second").ScoreTransfer(request, timeout=60)

    assert first.decision_id == again.decision_id != other.decision_id


def test_a_unix_socket_is_for_its_owner_alone(short_dir: Path) -> None:
    address = f"unix:{short_dir}/fz.sock"
    with started(short_dir, "--address", address) as process:
        mode = stat.S_IMODE((short_dir / "fz.sock").stat().st_mode)
        with grpc.insecure_channel(address) as opened:
            stub: Any = scoring_pb2_grpc.ScoringServiceStub(opened)
            answer = stub.ScoreTransfer(a_request(), timeout=60)
        assert process.poll() is None

    assert mode == 0o600
    assert answer.decision_id


def test_beyond_loopback_without_tls_only_where_a_flag_says_so_and_loudly(short_dir: Path) -> None:
    with started(short_dir, "--address", "0.0.0.0:0", "--everyone-is-admin-without-tls"):
        pass

    log = (short_dir / "log").read_text()
    assert "CRITICAL" in log
    assert "NO TLS ON 0.0.0.0" in log


def test_beyond_loopback_with_tls(short_dir: Path) -> None:
    pki = Pki(short_dir / "pki")
    pki.roles([entry("core", "scorer")])
    with started(short_dir, "--address", "0.0.0.0:0", *pki.options) as process:
        assert process.stdout is not None
        port = process.said.split(":")[-1].split(";")[0]
        address = f"localhost:{port}"
        with channel(address, pki.authority, pki.client("core")) as opened:
            stub: Any = scoring_pb2_grpc.ScoringServiceStub(opened)
            assert stub.ScoreTransfer(a_request(), timeout=60).decision_id

    assert "NO TLS" not in (short_dir / "log").read_text()


@pytest.mark.parametrize("is_on", [True, False])
def test_reflection_can_be_turned_on_and_off(
    short_dir: Path,
    start_service: Callable[..., Service],
    monkeypatch: pytest.MonkeyPatch,
    is_on: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    monkeypatch.setenv("FANZHA_REFLECTION", str(is_on))
    pki = Pki(short_dir / "pki")
    pki.roles([entry("core", "scorer")])
    data = short_dir / "data"
    data.mkdir()
    service = start_service(*(pki.options if is_on else ()), data_dir=data)
    with ExitStack() as stack:
        opened = (
            stack.enter_context(channel(service.address, pki.authority, pki.client("core")))
            if is_on
            else service.channel
        )
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        answers = stub.ServerReflectionInfo(iter(asked), timeout=60)
        if is_on:
            names = [x.name for x in next(answers).list_services_response.service]
            assert "fanzha.v1.ScoringService" in names
        else:
            error = refusal(next, answers)
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED


class Started(subprocess.Popen[str]):
    """A service, and the line by which it said that it serves."""

    said = ""


class started:  # noqa: N801 - reads as what it gives
    """A service with an address of its own, stopped at the end."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options

    def __enter__(self) -> Started:
        command = [sys.executable, "-m", "fanzha", "serve", "--embedded"]
        command += ["--data-dir", str(self._folder / "data"), "--models", str(ROOT / "models")]
        with (self._folder / "log").open("w") as log:
            self._process = Started(
                [*command, *self._options],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._process.said = self._process.stdout.readline()
        assert "serving on" in self._process.said, (self._folder / "log").read_text()
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=90)
        assert self._process.stdout is not None
        self._process.stdout.close()


def test_the_demo_certificates_work_as_they_are(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    out = short_dir / "certs"
    command = [sys.executable, "-m", "fanzha", "certs", "demo", "--out", str(out)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    options = [
        "--tls-cert", str(out / "server.pem"), "--tls-key", str(out / "server.key"),
        "--tls-client-ca", str(out / "ca.pem"), "--roles", str(out / "roles.yaml"),
    ]  # fmt: skip
    data = short_dir / "data"
    data.mkdir()
    service = start_service(*options, data_dir=data)
    pair = [(out / name).read_bytes() for name in ("ca.pem", "scorer.key", "scorer.pem")]
    with grpc.secure_channel(service.address, grpc.ssl_channel_credentials(*pair)) as opened:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(opened)
        answer = stub.ScoreTransfer(a_request(), timeout=60)

    assert made.returncode == 0, made.stderr
    assert answer.decision_id
    assert {stat.S_IMODE(key.stat().st_mode) for key in out.glob("*.key")} == {0o600}
    assert not (out / "ca.key").exists()
    assert again.returncode == 1
    assert "exists already" in again.stderr
    host, port = service.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.settimeout(20)
        plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        # What is no TLS is answered with an alert, or with nothing.
        assert b"\x00\x00" not in plain.recv(100)[:2]
