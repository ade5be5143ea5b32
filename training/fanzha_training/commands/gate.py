"""`fanzha-training gate`: says whether a candidate is good enough to replace the champion."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fanzha.domain.errors import SetupError
from fanzha.policy.load import DEFAULT_POLICY
from fanzha.registry.registry_file import KEYS_FOLDER
from fanzha.signing.keys import read_trusted
from fanzha_training.atomic import replaced_file
from fanzha_training.commands.console import AsJson, show, stages
from fanzha_training.dataset import load_dataset
from fanzha_training.gate import Margins
from fanzha_training.gate import gate as gate_models
from fanzha_training.gate_checks import BUDGET_US, Demands
from fanzha_training.trained import json_text

FAILED = 3
"""Exit code of a gate that was not passed; 1 and 2 are errors."""

_DEFAULT = Margins()


def gate(
    *,
    candidate: Annotated[Path, typer.Option(help="Folder <models>/<name>/<version>.")],
    dataset: Annotated[Path, typer.Option(help="Data set with days later than both trainings.")],
    champion: Annotated[
        Path | None,
        typer.Option(help="Folder of the champion; leave it out for the very first model."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="File for the report that promote asks for.")
    ] = None,
    value_detection_margin: Annotated[
        float, typer.Option(help="How much less value detection is still good enough.")
    ] = _DEFAULT.value_detection,
    precision_margin: Annotated[
        float, typer.Option(help="How much less average precision is still good enough.")
    ] = _DEFAULT.average_precision,
    calibration_margin: Annotated[
        float, typer.Option(help="How much more calibration error is still good enough.")
    ] = _DEFAULT.calibration,
    min_frauds: Annotated[
        int, typer.Option(help="Frauds that the later days must hold at least.")
    ] = _DEFAULT.frauds_min,
    alert_budget: Annotated[
        list[float],
        typer.Option(help="Alerts for each 1,000 transfers to compare value detection at."),
    ] = list(_DEFAULT.budgets_per_1000),  # noqa: B006 - typer copies it
    keys: Annotated[
        Path | None,
        typer.Option(
            envvar="FANZHA_MODEL_KEYS", help="Folder of the trusted keys; <models>/keys without it."
        ),
    ] = None,
    policy: Annotated[
        Path, typer.Option(help="Policy at whose thresholds decisions must agree.")
    ] = DEFAULT_POLICY,
    budget_us: Annotated[
        int,
        typer.Option(
            min=1, envvar="FANZHA_MODEL_BUDGET_US", help="Microseconds that one transfer may take."
        ),
    ] = BUDGET_US,
    as_json: AsJson = False,
) -> None:
    """Compare a candidate with the champion on days that neither has learned from.

    Exits with 0 if every check is passed, with 3 if one is not.
    """
    margins = Margins(
        value_detection=value_detection_margin,
        average_precision=precision_margin,
        calibration=calibration_margin,
        frauds_min=min_frauds,
        budgets_per_1000=tuple(_checked_budget(budget) for budget in alert_budget),
    )
    trusted = read_trusted(keys or candidate.parent.parent / KEYS_FOLDER)
    demands = Demands(trusted, policy, budget_us)
    with stages() as say:
        say("loading and scoring")
        found = gate_models(candidate, champion, load_dataset(dataset), margins, demands)
    if report is not None:
        with replaced_file(report) as draft:
            draft.write_text(json_text(found), encoding="utf-8")
    if as_json:
        show(found, as_json=True)
    else:
        _tell(found)
    if not found["passed"]:
        raise typer.Exit(FAILED)


def _checked_budget(per_1000: float) -> float:
    if not 0 < per_1000 <= 1000:  # also refuses NaN
        raise SetupError(f"--alert-budget {per_1000:g} is no number of alerts in 1,000 transfers")
    return per_1000


def _tell(found: dict[str, Any]) -> None:
    for check in found["checks"]:
        sign = "pass" if check["passed"] else "FAIL"
        figure = _text(check["candidate"])
        against = "" if check["champion"] is None else f", champion {_text(check['champion'])}"
        typer.echo(f"{sign}  {check['name']}: {figure}{against} ({check['limit']})")
    verdict = "passed" if found["passed"] else "NOT passed"
    typer.echo(f"{found['candidate']}: gate {verdict}")


def _text(figure: float | str) -> str:
    return f"{figure:.4g}" if isinstance(figure, float) else str(figure)
