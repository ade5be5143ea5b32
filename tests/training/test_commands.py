import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.people import a_person
from tests.training.learnable import a_dataset
from typer.testing import CliRunner

from fanzha.__main__ import app as service
from fanzha_training.__main__ import app
from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.run import simulate
from fanzha_training.simulate.writer import write

WORLD = Parameters(customers=300, days=24, seed=3, fraud_per_million=20_000)


def run(*words: object, code: int = 0, of: typer.Typer = app) -> dict[str, Any]:
    """Run a command with --json and return the last line of its output."""
    result = CliRunner().invoke(of, [*map(str, words), "--json"])
    assert result.exit_code == code, result.output
    summary: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return summary


def test_a_simulated_world_becomes_a_promoted_model(tmp_path: Path) -> None:
    write(simulate(WORLD), tmp_path / "world")
    dataset, models = tmp_path / "dataset.parquet", tmp_path / "models"
    report = tmp_path / "gate.json"
    keys = {}
    for name in ("pipeline", "anna", "bo"):
        a_person(name, tmp_path / "private", models / "keys", is_machine=name == "pipeline")
        keys[name] = tmp_path / "private" / f"{name}.key"

    built = run("build", "--table", tmp_path / "world", "--out", dataset, "--label-delay-days", "3")
    trained = run(
        "train", "--dataset", dataset, "--out", tmp_path / "model", "--trees", "60",
        "--learning-rate", "0.2", "--base-rate", "0.0001",
    )  # fmt: skip
    evaluated = run(
        "evaluate", "--dataset", dataset, "--model", tmp_path / "model",
        "--out", tmp_path / "report", "--assume", "resamples=40",
    )  # fmt: skip
    exported = run(
        "export", "--model", tmp_path / "model", "--name", "fraud", "--version", "1",
        "--models", models, "--as", "pipeline", "--sign-with", keys["pipeline"],
    )  # fmt: skip
    gated = run(
        "gate", "--candidate", models / "fraud" / "1", "--dataset", dataset, "--report", report
    )
    proposed = run(
        "models", "promote", "fraud/1", "--models", models, "--gate-report", report,
        "--as", "anna", "--key", keys["anna"], of=service,
    )  # fmt: skip
    promoted = run(
        "models", "promote", "fraud/1", "--models", models, "--approve",
        "--as", "bo", "--key", keys["bo"], of=service,
    )  # fmt: skip

    assert built["simulated"]
    assert built["rows"] == built["fraud"] + built["legitimate"] + built["unlabelled"]
    assert trained["heads"]["victim"]["calibration"]["base_rate"] == 0.0001
    assert evaluated["base_rate"] == 0.0001
    assert exported["evaluated"]
    assert gated["passed"]
    assert exported["signed_by"] == "pipeline"
    assert proposed["champion"] is None
    assert promoted["champion"] == "fraud/1"
    assert evaluated == json.loads((tmp_path / "report" / "report.json").read_text())
    card = (models / "fraud" / "1" / "card.md").read_text()
    assert "learned from simulated data" in card
    assert str(tmp_path) not in card + (models / "fraud" / "1" / "manifest.json").read_text()


def test_a_gate_that_is_not_passed_exits_with_3_and_keeps_its_report(tmp_path: Path) -> None:
    a_dataset(tmp_path / "d.parquet", rows=4000)
    for version, trees in (("good", 40), ("worse", 1)):
        run(
            "train", "--dataset", tmp_path / "d.parquet", "--out", tmp_path / version,
            "--trees", trees, "--learning-rate", "0.3", "--test-share", "0.4", "--depth", "3",
        )  # fmt: skip
        run("export", "--model", tmp_path / version, "--version", version, "--models", tmp_path)
    fraud = tmp_path / "fraud"

    report = run(
        "gate", "--candidate", fraud / "worse", "--champion", fraud / "good", "--dataset",
        tmp_path / "d.parquet", "--report", tmp_path / "gate.json", code=3,
    )  # fmt: skip
    against = run(
        "evaluate", "--model", fraud / "worse", "--against", fraud / "good", "--dataset",
        tmp_path / "d.parquet", "--assume", "resamples=40",
    )  # fmt: skip

    assert not report["passed"]
    assert json.loads((tmp_path / "gate.json").read_text()) == report
    assert against["average_precision"] < against["against"]["average_precision"]


def test_errors_name_cause_and_remedy_and_exit_with_2(tmp_path: Path) -> None:
    damaged = tmp_path / "d.parquet"
    damaged.write_bytes(b"PAR1 but not really")
    command = [sys.executable, "-m", "fanzha_training", "train", "--dataset", str(damaged)]

    finished = subprocess.run(
        [*command, "--out", str(tmp_path / "model")], capture_output=True, text=True, check=False
    )

    assert finished.returncode == 2
    assert "cannot be read as Parquet" in finished.stderr
    assert "make it with fanzha-training build" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["d.parquet"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build", "--out", "d"], "exactly one of --table, --file and --archive"),
        (["build", "--out", "d", "--table", "t", "--as-of", "soon"], "--as-of is 'soon'"),
        (["build", "--out", "d", "--table", "t", "--label-delay-days", "-1"], "0 to 365"),
        (["build", "--out", "d", "--table", "t", "--currency", "RMB"], "--currency is 'RMB'"),
        (["build", "--out", "d", "--table", "nowhere"], "cannot be read"),
        (["evaluate", "--dataset", "nowhere", "--model", "m"], "cannot be read"),
        (["evaluate", "--dataset", "d", "--model", "m", "--base-rate", "2"], "--base-rate is 2"),
        (["evaluate", "--dataset", "d", "--model", "m", "--assume", "x=1"], "no such assumption"),
        (["export", "--model", "m", "--version", "1", "--models", "x", "--as", "a"], "give both"),
    ],
)
def test_wrong_options_are_explained(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, words)

    assert message in str(result.exception)
    assert not list(tmp_path.iterdir())
