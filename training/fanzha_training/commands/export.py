"""`fanzha-training export`: publishes a trained model as ONNX, proved against XGBoost."""

from pathlib import Path
from typing import Annotated

import typer

from fanzha_training.commands.console import AsJson, command_text, show, stages
from fanzha_training.export import export as export_model


def export(
    *,
    model: Annotated[Path, typer.Option(help="Folder of a trained model.")],
    version: Annotated[str, typer.Option(help="Version to publish, for example 2026-11-22.1.")],
    models: Annotated[Path, typer.Option(help="Folder of all exported models.")],
    name: Annotated[str, typer.Option(help="Name of the model.")] = "fraud",
    as_json: AsJson = False,
) -> None:
    """Publish a trained model under <models>/<name>/<version>, or nothing if its graph is wrong."""
    command = command_text(
        "export", {"--model": model, "--name": name, "--version": version, "--models": models}
    )
    with stages() as say:
        say("converting and comparing with XGBoost")
        summary = export_model(model, models, name, version, command=command)
    show(summary, as_json=as_json)
