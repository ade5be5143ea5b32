"""A real service takes a policy of its own as two people signed it, and not otherwise."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import a_request
from tests.conftest import ROOT, Service

from fanzha.policy.load import DEFAULT_POLICY
from fanzha.v1 import scoring_pb2_grpc


def fanzha(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fanzha", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """A folder with a policy, two people's private keys, one under a passphrase, and `keys`."""
    policy = DEFAULT_POLICY.read_text().replace("version: ", "version: ours-", 1)
    (tmp_path / "policy.yaml").write_text(policy)
    (tmp_path / "phrase").write_text("correct horse battery\n")
    (tmp_path / "phrase").chmod(0o600)
    (tmp_path / "keys").mkdir()
    for name, more in (("anna", ()), ("bo", ("--key-passphrase-file", tmp_path / "phrase"))):
        done = fanzha("models", "key", "--name", name, "--out", tmp_path / f"{name}.key", *more)
        assert done.returncode == 0, done.stderr
        shutil.move(tmp_path / f"{name}.pub", tmp_path / "keys")
    return tmp_path


def sign(office: Path, name: str, *more: str | Path) -> subprocess.CompletedProcess[str]:
    key = ("--as", name, "--key", office / f"{name}.key")
    return fanzha("policy", "sign", office / "policy.yaml", *key, *more)


def test_a_signed_policy_decides_and_an_altered_one_stops_the_start(
    office: Path, start_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANZHA_POLICY_KEYS", str(office / "keys"))
    policy = office / "policy.yaml"
    assert sign(office, "anna", "--reason", "as agreed").returncode == 0
    without_phrase = sign(office, "bo")
    assert sign(office, "bo", "--key-passphrase-file", office / "phrase").returncode == 0

    service = start_service("--policy", str(policy))
    stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)  # type: ignore[no-untyped-call]
    version = stub.ScoreTransfer(a_request()).versions.policy_version
    service.stop()
    shown = json.loads(fanzha("policy", "show", policy, "--json").stdout)
    policy.write_text(policy.read_text() + "# and a word more\n")
    refused = fanzha(
        "serve", "--embedded", "--data-dir", service.data_dir, "--policy", policy,
        "--models", ROOT / "models", "--address", "127.0.0.1:0",
    )  # fmt: skip
    told = fanzha("policy", "show", policy)

    assert version.startswith("ours-")
    assert (without_phrase.returncode, "--key-passphrase-file" in without_phrase.stderr) == (
        1,
        True,
    )
    assert shown["version"] == version
    assert [each.split(" at ")[0] for each in shown["signed"]] == [
        "propose by anna",
        "approve by bo",
    ]
    assert refused.returncode == 1
    assert "is not the file that was signed" in refused.stderr
    assert told.returncode == 1
    assert "is not the file that was signed" in told.stdout


def test_a_second_person_sees_the_first_and_is_told_of_a_borrowed_key(office: Path) -> None:
    assert sign(office, "anna").returncode == 0

    shown = fanzha("policy", "show", office / "policy.yaml", "--keys", office / "keys")
    key = ("--as", "bo", "--key", office / "anna.key")
    borrowed = fanzha("policy", "sign", office / "policy.yaml", *key)
    again = sign(office, "anna")

    assert shown.returncode == 1
    assert "propose by anna at" in shown.stdout
    assert "one person alone signed" in shown.stdout
    assert "bo has to approve it with a key of their own" in borrowed.stderr
    assert "anna proposed" in again.stderr


def test_a_policy_with_faults_is_not_signed(office: Path) -> None:
    (office / "policy.yaml").write_text("version: 1\n")

    done = sign(office, "anna")

    assert done.returncode == 1
    assert "rules is missing" in done.stderr
    assert not (office / "policy.yaml.sig.json").exists()


def test_prompts_are_signed_as_prompts(office: Path) -> None:
    prompts = office / "policy.yaml"
    shutil.copy(DEFAULT_POLICY.with_name("prompts.yaml"), prompts)

    as_policy = sign(office, "anna")
    as_prompts = sign(office, "anna", "--kind", "prompts")

    assert as_policy.returncode == 1
    assert as_prompts.returncode == 0, as_prompts.stderr
    assert "propose by anna" in as_prompts.stdout
