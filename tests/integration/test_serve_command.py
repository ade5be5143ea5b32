"""`fanzha serve` starts, or says in one message why not and what to do."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import a_request
from tests.conftest import ROOT, Service

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc


def serve(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fanzha", "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(*options: str) -> str:
    done = serve(*options)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_neither_redis_nor_embedded_is_told_with_both_ways_out() -> None:
    message = refusal()

    assert "--redis URL" in message
    assert "--embedded" in message


def test_an_unwritable_data_folder(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")

    message = refusal("--embedded", "--data-dir", str(blocked / "data"))

    assert str(blocked) in message
    assert "--data-dir" in message


def test_a_taken_port(short_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        message = refusal("--embedded", "--data-dir", str(short_dir), "--address", address)

    assert address in message
    assert "--address" in message


def test_a_data_folder_in_use(start_service: Callable[..., Service]) -> None:
    service = start_service()

    message = refusal("--embedded", "--data-dir", str(service.data_dir))

    assert "in use by another instance" in message


def test_a_new_data_folder_is_for_its_owner_alone(
    start_service: Callable[..., Service], short_dir: Path
) -> None:
    """Records in it tell of customers, and not every user of a machine may know of them."""
    start_service("--data-dir", str(short_dir / "new"))

    assert (short_dir / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("address", ["0.0.0.0:7443", "[::]:7443", "10.1.2.3:7443", "nonsense"])
def test_an_address_beyond_loopback(address: str, short_dir: Path) -> None:
    message = refusal("--embedded", "--data-dir", str(short_dir), "--address", address)

    assert "loopback" in message


def test_half_of_tls(short_dir: Path) -> None:
    message = refusal("--embedded", "--data-dir", str(short_dir), "--tls-cert", "server.pem")

    assert "not given: FANZHA_TLS_KEY (--tls-key), " in message


def test_certificates_and_roles_that_are_not_there(short_dir: Path) -> None:
    files = [f"--{name}" for name in ("tls-cert", "tls-key", "tls-client-ca", "roles")]
    options = [part for name in files for part in (name, str(short_dir / name.strip("-")))]

    message = refusal("--embedded", "--data-dir", str(short_dir / "data"), *options)

    assert message.count("No such file or directory") == 3


def test_an_event_clock_without_an_isolated_instance() -> None:
    message = refusal("--redis", "redis://127.0.0.1:1", "--clock", "event")

    assert "--embedded" in message


def test_all_bad_settings_at_once(short_dir: Path) -> None:
    message = refusal("--embedded", "--clock", "moon", "--threads", "0")

    assert "FANZHA_CLOCK" in message
    assert "FANZHA_THREADS" in message


def test_a_memory_shorter_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANZHA_IDEMPOTENCY_MEMORY_S", "1")

    assert "FANZHA_IDEMPOTENCY_MEMORY_S must be at least" in refusal("--embedded")


def test_a_bad_policy_is_refused_with_its_faults(short_dir: Path) -> None:
    policy = short_dir / "policy.yaml"
    policy.write_text("version: 1\nrules: nothing\n")
    data = short_dir / "data"

    message = refusal("--embedded", "--data-dir", str(data), "--policy", str(policy))

    assert f"{policy}:" in message


def test_a_corrupt_model_leaves_rules_and_lists_and_says_so(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    models = short_dir / "models"
    shutil.copytree(ROOT / "models", models)
    for graph in models.rglob("model.onnx"):
        graph.write_bytes(graph.read_bytes()[:-100])

    service = start_service("--models", str(models))
    answer = scoring_pb2_grpc.ScoringServiceStub(service.channel).ScoreTransfer(a_request())

    assert list(answer.degraded_parts) == [scoring.DEGRADED_PART_MODEL]
    assert answer.versions.model_version == ""
    assert not answer.HasField("score")
    assert "SHA-256" in (service.data_dir / "serve.log").read_text()


def test_a_registry_that_is_mended_is_followed_without_a_restart(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    models = short_dir / "models"
    shutil.copytree(ROOT / "models", models)
    registry = models / "registry.json"
    good = registry.read_text()
    registry.write_text('{"champion": "none/at-all"}')
    service = start_service("--models", str(models))
    stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)

    before = stub.ScoreTransfer(a_request()).versions.model_version
    registry.write_text(good)
    _until(lambda: stub.ScoreTransfer(a_request()).versions.model_version != "")

    assert before == ""
    assert "no registry" in (service.data_dir / "serve.log").read_text()


@pytest.mark.parametrize("broken", ["keys", "budget"])
def test_trusted_keys_and_budget_are_settings(
    broken: str,
    short_dir: Path,
    start_service: Callable[..., Service],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The shipped models are refused where their signers are not trusted, or time is too short."""
    if broken == "keys":
        (short_dir / "keys").mkdir()
        monkeypatch.setenv("FANZHA_MODEL_KEYS", str(short_dir / "keys"))
    else:
        monkeypatch.setenv("FANZHA_MODEL_BUDGET_US", "1")

    service = start_service()
    answer = scoring_pb2_grpc.ScoringServiceStub(service.channel).ScoreTransfer(a_request())

    assert answer.versions.model_version == ""
    cause = {"keys": "is not trusted", "budget": "more than the budget of 1 µs"}[broken]
    assert cause in (service.data_dir / "serve.log").read_text()


def _until(condition: Callable[[], bool]) -> None:
    import time  # noqa: PLC0415 - used here alone

    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
