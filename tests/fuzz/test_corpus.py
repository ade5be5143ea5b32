"""Every input that was ever kept, and a few new ones, by every target."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.seeds import ROOT, seeds
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs_are_borne(target: str) -> None:
    inputs = [*seeds()[target], *(file.read_bytes() for file in (CORPUS / target).iterdir())]
    assert inputs
    for one in inputs:
        TARGETS[target](one)


def test_new_inputs_are_borne(tmp_path: Path) -> None:
    """The command itself, with a small budget: coverage-guided, every target."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--runs", "500", "--work", str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])["targets"]
    assert {each["target"] for each in told} == set(TARGETS)
    assert all(each["runs"] >= 500 for each in told)


def test_a_finding_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness can find: a target with a planted fault ends with code 1 and names the input."""
    monkeypatch.setenv("FANZHA_FUZZ_PLANTED", "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--runs", "200000", "--only", "decision_id",
         "--work", str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    finding = json.loads(done.stdout.splitlines()[-1])["targets"][0]["finding"]
    assert Path(finding).read_bytes()
