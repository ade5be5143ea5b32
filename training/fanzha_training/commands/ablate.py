"""`fanzha-training ablate`: what each family of features adds."""

from pathlib import Path
from typing import Annotated

import typer

from fanzha_training.ablation import ablate
from fanzha_training.atomic import replaced_file
from fanzha_training.commands.console import AsJson, counted, show
from fanzha_training.dataset import load_dataset
from fanzha_training.grow import TrainOptions
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
    """Train without each family of features, and with it alone; measure on later days."""
    options = TrainOptions(command="ablate", seed=seed)
    with counted("training") as tell:
        found = ablate([load_dataset(file) for file in dataset], options, tell)
    if out is not None:
        with replaced_file(out) as draft:
            draft.write_text(json_text(found), encoding="utf-8")
    if as_json:
        show(found, as_json=True)
        return
    for family, figures in found["families"].items():
        lost, alone = figures["lost_without"], figures["alone"]
        typer.echo(
            f"{family:<14} {figures['features']:>4} features  without it {-lost['mean']:+.3f} "
            f"({-lost['most']:+.3f} to {-lost['least']:+.3f})  alone {alone['mean']:.3f}"
        )
    typer.echo(f"average precision of all {found['all']['average_precision']['mean']:.3f}")
