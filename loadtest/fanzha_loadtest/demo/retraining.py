"""Learns a new model from what was served, and asks the gate whether it may take over."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fanzha_loadtest.commands import CommandError, run
from fanzha_loadtest.demo.options import Options
from fanzha_loadtest.demo.people import People
from fanzha_loadtest.demo.screen import Screen

_TRAINING: Final = "fanzha_training"
_NAME: Final = "fraud"
_VERSION: Final = "demo.1"
_FEW_DAYS: Final = (
    *("--test-share", 0.2, "--calibration-share", 0.15),
    *("--depth", 4, "--learning-rate", 0.08),
)
"""A month is short: most of it is learned from, by trees that need little to grow on."""
_GATE_FAILED: Final = 3
"""Exit code of a gate that was not passed."""


@dataclass(frozen=True, slots=True)
class Retrained:
    """A new model and what the gate says about it."""

    version: str
    """name/version."""
    dataset: dict[str, Any]
    training: dict[str, Any]
    gate: dict[str, Any]
    """The gate's report: `passed`, `checks`, and `figures` of `candidate` and `champion`."""
    gate_report: Path

    @property
    def gate_passed(self) -> bool:
        """Whether every check was passed."""
        return bool(self.gate["passed"])


def retrain(
    archive: Path,
    models: Path,
    champion: str,
    people: People,
    work: Path,
    options: Options,
    screen: Screen,
) -> Retrained:
    """Build, train, evaluate, export and gate, each by its command.

    Args:
        archive: what was served so far.
        models: folder of the models; gains the new one.
        champion: name/version of the model that decides now; empty when there is none.
        people: of whom the modeller signs.
        work: folder for everything in between.
        options: sizes.
        screen: is told of every step.

    Raises:
        CommandError: a step failed.

    """
    dataset, trained = work / "served.parquet", work / "trained"
    with screen.stage("build a data set from the archive") as note:
        built = run(
            _TRAINING, "build", "--archive", archive, "--out", dataset,
            "--label-delay-days", options.label_delay_days, "--simulated",
        )  # fmt: skip
        note(
            f"{built['rows']:,} rows, {built['fraud']:,} fraud, "
            f"{built['vector_differences']} vectors differ from training's"
        )
    with screen.stage("train and calibrate") as note:
        training = run(
            _TRAINING, "train", "--dataset", dataset, "--out", trained, "--trees", options.trees,
            *_FEW_DAYS,
        )  # fmt: skip
        trees = [head["trees"] for head in training["heads"].values()]
        note(f"{len(trees)} heads, {sum(trees)} trees")
    if not options.fast:
        # Only for the model's card: the gate measures both models itself.
        with screen.stage("evaluate on later days"):
            run(_TRAINING, "evaluate", "--dataset", dataset, "--model", trained)
    with screen.stage("export as ONNX"):
        exported = run(
            _TRAINING, "export", "--model", trained, "--models", models,
            "--name", _NAME, "--version", _VERSION, *people.signing("modeller"),
        )  # fmt: skip
    report = work / "gate.json"
    with screen.stage("gate: new against old on later days") as note:
        against = ("--champion", models / champion) if champion else ()
        gate = run(
            _TRAINING, "gate", "--candidate", models / exported["version"], *against,
            "--dataset", dataset, "--report", report,
            *(part for budget in options.alert_budgets for part in ("--alert-budget", budget)),
            good_codes=(0, _GATE_FAILED),
        )  # fmt: skip
        if gate["passed"] != (gate["exit_code"] == 0):
            raise CommandError("gate says one thing and exits with the code of another")
        failed = ", ".join(check["name"] for check in gate["checks"] if not check["passed"])
        note("passed" if gate["passed"] else f"NOT passed: {failed}")
    return Retrained(exported["version"], built, training, gate, report)


def promote(models: Path, people: People, retrained: Retrained) -> None:
    """Have two people make the new model the champion; the service picks it up by itself."""
    run(
        "fanzha", "models promote", retrained.version, "--models", models,
        "--gate-report", retrained.gate_report, *people.speaking("modeller"),
    )  # fmt: skip
    run(
        "fanzha", "models promote", retrained.version, "--models", models,
        "--approve", *people.speaking("lead"),
    )  # fmt: skip
