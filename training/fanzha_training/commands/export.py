"""`fanzha-training export`: publishes a trained model as ONNX, proved against XGBoost."""

from pathlib import Path
from typing import Annotated

import typer

from fanzha.domain.errors import SetupError
from fanzha.policy.load import DEFAULT_POLICY
from fanzha.signing.keys import load_signer
from fanzha_training.commands.console import AsJson, command_text, show, stages
from fanzha_training.export import export as export_model


def export(
    *,
    model: Annotated[Path, typer.Option(help="Folder of a trained model.")],
    version: Annotated[str, typer.Option(help="Version to publish, for example 2026-11-22.1.")],
    models: Annotated[Path, typer.Option(help="Folder of all exported models.")],
    name: Annotated[str, typer.Option(help="Name of the model.")] = "fraud",
    sign_with: Annotated[
        Path | None, typer.Option(help="Private key to sign with; fanzha models key makes one.")
    ] = None,
    signer: Annotated[
        str, typer.Option("--as", help="Who signs: the name of the trusted key.")
    ] = "",
    policy: Annotated[
        Path, typer.Option(help="Policy at whose thresholds golden rows are to lie.")
    ] = DEFAULT_POLICY,
    as_json: AsJson = False,
) -> None:
    """Publish a trained model under <models>/<name>/<version>, or nothing if its graph is wrong.

    Unsigned it is refused by gate and service; fanzha models sign signs it later.
    """
    if (sign_with is None) == bool(signer):
        raise SetupError("give both --sign-with and --as, or neither")
    signed_by = load_signer(signer, sign_with) if sign_with is not None else None
    command = command_text(
        "export", {"--model": model, "--name": name, "--version": version, "--models": models}
    )
    with stages() as say:
        say("converting and comparing with XGBoost")
        summary = export_model(
            model, models, name, version, command=command, signer=signed_by, policy=policy
        )
    show(summary, as_json=as_json)
