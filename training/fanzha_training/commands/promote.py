"""`fanzha-training promote`: makes a candidate the champion, on the word of two people."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from fanzha_training.commands.console import AsJson, show
from fanzha_training.registry import promote as promote_model


def promote(
    *,
    models: Annotated[Path, typer.Option(help="Folder of all exported models.")],
    candidate: Annotated[str, typer.Option(help="The model, as name/version.")],
    proposed_by: Annotated[str, typer.Option(help="Who wants it.")],
    approved_by: Annotated[str, typer.Option(help="Who agrees: another person.")],
    gate_report: Annotated[Path, typer.Option(help="File that gate --report wrote.")],
    as_json: AsJson = False,
) -> None:
    """Make a candidate that passed the gate the champion; running services pick it up."""
    entry = promote_model(
        models,
        candidate,
        proposed_by=proposed_by,
        approved_by=approved_by,
        gate_report=gate_report,
        now=datetime.now(UTC),
    )
    shown = {name: entry[name] for name in ("version", "time", "proposed_by", "approved_by")}
    show({"champion": entry["version"], **shown}, as_json=as_json)
