"""The token key of a real service: wrapped, rotated, and never exchanged in silence."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import a_request
from tests.conftest import ROOT, Service

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc


def fanzha(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fanzha", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def token_key(*arguments: str | Path) -> dict[str, str]:
    done = fanzha("token-key", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def private(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def decision_of(service: Service, request: scoring.ScoreTransferRequest) -> str:
    answer = scoring_pb2_grpc.ScoringServiceStub(service.channel).ScoreTransfer(request)  # type: ignore[no-untyped-call]
    return str(answer.decision_id)


def test_a_key_that_is_wrapped_and_rotated_makes_the_same_tokens(
    start_service: Callable[..., Service], short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start_service()
    request = a_request()
    first = decision_of(service, request)
    service.stop()
    plain, wrapped = short_dir / "token.key", short_dir / "wrapped.json"
    phrase = private(short_dir / "phrase", b"correct horse battery\n")
    kek = short_dir / "kek"
    assert fanzha("token-key", "kek", kek).returncode == 0
    assert fanzha("token-key", "kek", kek).returncode == 1

    shown = token_key("show", plain)
    token_key("wrap", plain, "--out", wrapped, "--passphrase-file", phrase)
    unsaid = fanzha("token-key", "rotate", wrapped, "--kek-file", kek)
    assert "what unwraps it now: --old-kek-file, " in unsaid.stderr
    rotated = token_key("rotate", wrapped, "--old-passphrase-file", phrase, "--kek-file", kek)
    plain.unlink()
    monkeypatch.setenv("FANZHA_TOKEN_KEK_FILE", str(kek))
    service = start_service("--token-key-file", str(wrapped))

    # The same request id of the same payer is found again: its key is made of the payer's token.
    assert decision_of(service, request) == first
    assert shown["fingerprint"] == rotated["fingerprint"]
    assert (shown["wrapped_by"], rotated["wrapped_by"]) == ("nothing", "file")


def test_the_example_of_a_kms_command_unwraps_a_key(tmp_path: Path) -> None:
    # Envelope encryption with openssl stands in for the bank's KMS.
    script = ROOT / "docs" / "operations" / "kms_command.sh"
    kek = os.urandom(32)
    master = private(tmp_path / "master", b"the KMS's own key, which never leaves it\n")
    openssl = ["openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-pass", f"file:{master}"]
    sealed = subprocess.run(openssl, input=kek, capture_output=True, check=True)
    wrapped = private(tmp_path / "kek.wrapped", sealed.stdout)
    command = shlex.join(["sh", str(script), str(master)])

    made = token_key(
        "new", tmp_path / "key", "--algorithm", "hmac-sm3",
        "--kms-command", command, "--kms-wrapped-kek", wrapped,
    )  # fmt: skip
    wrapped.unlink()
    shown = token_key("show", tmp_path / "key", "--kms-command", command)

    assert made["fingerprint"] == shown["fingerprint"]
    assert (shown["algorithms"], shown["wrapped_by"]) == ("hmac-sm3", "kms")
    private(master, b"another key\n")
    refused = fanzha("token-key", "show", tmp_path / "key", "--kms-command", command)
    assert refused.returncode == 1
    assert "the KMS command ended with" in refused.stderr


def test_no_command_prints_a_key(tmp_path: Path) -> None:
    secret = os.urandom(32)
    plain, kek = private(tmp_path / "plain", secret), private(tmp_path / "kek", os.urandom(32))

    said = ""
    for arguments in (
        ("show", plain),
        ("wrap", plain, "--out", tmp_path / "wrapped", "--kek-file", kek),
        ("show", tmp_path / "wrapped", "--kek-file", kek),
        ("wrap", plain, "--out", tmp_path / "wrapped", "--kek-file", kek),
        ("show", tmp_path / "wrapped", "--kek-file", plain),
    ):
        done = fanzha("token-key", *arguments)
        said += done.stdout + done.stderr

    assert "fingerprint" in said
    assert "never overwritten" in said
    assert secret.hex() not in said.lower()
    assert kek.read_bytes().hex() not in said.lower()


def test_a_worker_with_another_key_does_not_start_on_a_redis(
    start_service: Callable[..., Service], short_dir: Path
) -> None:
    start_service().stop()
    (short_dir / "token.key").unlink()

    refused = fanzha(
        "serve", "--embedded", "--data-dir", short_dir, "--models", ROOT / "models",
        "--address", "127.0.0.1:0",
    )  # fmt: skip

    assert refused.returncode == 1
    assert "the same --token-key-file" in refused.stderr
    assert "Traceback" not in refused.stderr
