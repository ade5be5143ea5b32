"""`fanzha-training ablate`: what each family of features adds."""

from pathlib import Path
from typing import Annotated

import typer

from fanzha_training.ablation import NOTHING, ablate
from fanzha_training.atomic import replaced_file
from fanzha_training.commands.console import AsJson, counted, show
from fanzha_training.dataset import load_dataset
from fanzha_training.train import TrainOptions
from fanzha_training.trained import json_text


def ablate_families(
    *,
    dataset: Annotated[
        list[Path], typer.Option(help="Data set; give it several times for several worlds.")
    ],
    out: Annotated[Path | None, typer.Option(help="File for the figures, JSON.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the trainings.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Train without each family of features in turn and measure what is lost on later days."""
    options = TrainOptions(command="ablate", seed=seed)
    with counted("training") as tell:
        found = ablate([load_dataset(file) for file in dataset], options, tell)
    if out is not None:
        with replaced_file(out) as draft:
            draft.write_text(json_text(found), encoding="utf-8")
    if as_json:
        show(found, as_json=True)
        return
    every = found["without"][NOTHING]["average_precision"]["mean"]
    for family, figures in found["without"].items():
        precision = figures["average_precision"]["mean"]
        typer.echo(
            f"without {family:<14} {found['features'][family]:>4} features  "
            f"average precision {precision:.3f} ({precision - every:+.3f})  "
            f"value detection at 1 {figures['value_detection_at_1']['mean']:.3f}  "
            f"recall at 5 {figures['recall_at_5']['mean']:.3f}"
        )
