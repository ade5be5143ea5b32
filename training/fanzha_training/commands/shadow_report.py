"""`fanzha-training shadow-report`: what the shadow model would have done, beside what was done."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fanzha.domain.errors import SetupError
from fanzha.policy.load import DEFAULT_POLICY
from fanzha_training.commands.console import AsJson, show, stages
from fanzha_training.shadow import compare_shadow, read_labels, read_scores
from fanzha_training.shadow_page import write_shadow_page


def shadow_report(
    *,
    archive: Annotated[Path, typer.Option(help="Folder of a service's archive.")],
    label_delay_days: Annotated[
        float, typer.Option(help="Age at which a transfer without any report is legitimate.")
    ] = 7.0,
    policy: Annotated[
        Path, typer.Option(help="Policy at whose thresholds decisions are compared.")
    ] = DEFAULT_POLICY,
    out: Annotated[Path | None, typer.Option(help="HTML file to write, with plots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the shadow with the champion: agreement, alert rates, changes, and what both find."""
    if not 0 <= label_delay_days <= 365:  # also refuses NaN
        raise SetupError(f"--label-delay-days is {label_delay_days:g}; it must be 0 to 365")
    with stages() as say:
        say("reading the scores")
        scores = read_scores(archive)
        labels = read_labels(archive, label_delay_days, say)
        say("comparing")
        report = compare_shadow(scores, labels, policy)
        if out is not None:
            say("drawing")
            write_shadow_page(out, report, scores)
    if as_json:
        show(report, as_json=True)
        return
    for found in report["comparisons"]:
        _tell(found)


def _tell(found: dict[str, Any]) -> None:
    examples = found.pop("examples")
    show(found, as_json=False)
    for each in examples:
        typer.echo(
            f"decision {each['decision_id']}: {each['champion']} at {each['champion_points']} "
            f"points would be {each['shadow']} at {each['shadow_points']}"
        )
