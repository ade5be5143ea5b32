"""`fanzha models`: what people are told, and what happens to commands that may not be."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.model_folders import SHIPPED, Bank, a_bank, make_slow

from fanzha.registry.model_folder import folder_of


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return a_bank(tmp_path)


def models(bank: Bank, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fanzha", "models", *map(str, words)]
    return subprocess.run(
        [*command, "--models", str(bank.models)], capture_output=True, text=True, check=False
    )


def told(bank: Bank, *words: object) -> str:
    done = models(bank, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(bank: Bank, *words: object) -> str:
    done = models(bank, *words)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def by(bank: Bank, name: str) -> tuple[object, ...]:
    return "--as", name, "--key", bank.private / f"{name}.key"


def test_list_says_state_signer_and_why_a_model_would_be_refused(bank: Bank) -> None:
    make_slow(folder_of(bank.models, "fraud/2"), bank.pipeline)

    found = json.loads(told(bank, "list", "--json"))
    text = told(bank, "list")

    assert (found["champion"], found["shadow"], found["statements"]) == ("fraud/1", None, 2)
    first, second = found["models"]
    assert (first["state"], first["signed_by"], first["refused"]) == ("champion", "pipeline", "")
    assert second["state"] == "candidate"
    assert "more than the budget" in second["refused"]
    assert "champion" in text
    assert "fraud/2 would be refused" in text


def test_show_tells_a_models_whole_story(bank: Bank) -> None:
    told(bank, "promote", "fraud/2", "--gate-report", bank.gate_report("fraud/2"),
         "--reason", "finds more", *by(bank, "anna"))  # fmt: skip
    told(bank, "promote", "fraud/2", "--approve", *by(bank, "bo"))
    told(bank, "rollback", *by(bank, "bo"))

    text = told(bank, "show", "fraud/2")
    found = json.loads(told(bank, "show", "fraud/2", "--json"))

    assert found["state"] == "former"
    assert found["champion"] == "fraud/1"
    assert [(x["action"], x["by"]) for x in found["statements"]] == [
        ("propose", "anna"), ("approve", "bo"),
    ]  # fmt: skip
    assert found["statements"][0]["reason"] == "finds more"
    assert found["statements"][0]["gate"]["checks"][0]["name"] == "signature"
    for word in ("former", "finds more", "signature", "by a trusted key", "fraud/1"):
        assert word in text


def test_a_registry_that_does_not_count_is_told_and_is_no_success(bank: Bank) -> None:
    registry = bank.models / "registry.json"
    registry.write_text(registry.read_text().replace('"by": "bo"', '"by": "anna"'))

    for words in (["list"], ["show", "fraud/1"], ["list", "--json"]):
        assert "does not count" in refusal(bank, *words)


def test_a_candidate_that_no_worker_would_take_cannot_be_proposed(bank: Bank) -> None:
    make_slow(folder_of(bank.models, "fraud/2"), bank.pipeline)
    before = (bank.models / "registry.json").read_bytes()

    message = refusal(
        bank, "promote", "fraud/2", "--gate-report", bank.gate_report("fraud/2"), *by(bank, "anna")
    )

    assert "more than the budget" in message
    assert (bank.models / "registry.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["promote", "fraud/2"], "either --gate-report, to propose, or --approve"),
        (["promote", "fraud/2", "--approve"], "nobody proposed fraud/2"),
        (["rollback"], "was promoted over no other model"),
        (["rollback", "--to", "fraud/2"], "no former champion"),
        (["rollback", "--to", "../x"], "names no model"),
        (["shadow"], "name either a model, or --off"),
        (["shadow", "fraud/2", "--off"], "name either a model, or --off"),
        (["shadow", "--off"], "no model scores in shadow"),
        (["shadow", "fraud/9"], "cannot be used"),
    ],
)
def test_what_may_not_be_is_told_with_a_remedy(bank: Bank, words: list[str], message: str) -> None:
    assert message in refusal(bank, *words, *by(bank, "anna"))


def test_without_a_folder_of_models_there_is_one_message(bank: Bank) -> None:
    shutil.rmtree(bank.models)

    assert "--models" in refusal(bank, "list")
    assert "--models" in refusal(bank, "shadow", "--off", *by(bank, "anna"))


def test_a_model_is_signed_again_by_somebody_else(bank: Bank) -> None:
    told(bank, "sign", "fraud/2", *by(bank, "anna"))

    (_, second) = json.loads(told(bank, "list", "--json"))["models"]
    assert (second["signed_by"], second["refused"]) == ("anna", "")


def test_the_shipped_models_are_signed_promoted_and_loadable(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fanzha", "models", "list", "--json"]
    done = subprocess.run(
        [*command, "--models", str(SHIPPED)], capture_output=True, text=True, check=False
    )

    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [each["refused"] for each in found["models"]] == ["", ""]
    assert sorted(each["state"] for each in found["models"]) == ["champion", "former"]
    assert list(SHIPPED.rglob("*.key")) == []
