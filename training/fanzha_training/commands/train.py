"""`fanzha-training train`: trains and calibrates a model on the earlier days of a data set."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fanzha.domain.errors import SetupError
from fanzha_training.commands.console import AsJson, command_text, counted, show
from fanzha_training.dataset import load_dataset
from fanzha_training.grow import TrainOptions
from fanzha_training.one_machine import one_machine
from fanzha_training.split import Shares
from fanzha_training.train import Trained
from fanzha_training.train import train as train_model
from fanzha_training.trained import save_trained

_DEFAULT = TrainOptions("")


def train(
    *,
    dataset: Annotated[Path, typer.Option(help="Data set that build wrote.")],
    out: Annotated[Path, typer.Option(help="Folder to write the trained model to.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = _DEFAULT.seed,
    delay_days: Annotated[
        float | None,
        typer.Option(help="Gap for late labels, in days. [that of the data set]"),
    ] = None,
    base_rate: Annotated[
        float | None,
        typer.Option(
            help="True share of fraud among all transfers, where the data hold more or less. "
            "[that of the calibration days]"
        ),
    ] = None,
    test_share: Annotated[
        float, typer.Option(help="Share of the time left for evaluate and gate; 0 keeps none.")
    ] = _DEFAULT.shares.test,
    calibration_share: Annotated[
        float, typer.Option(help="Share of the time for calibration.")
    ] = _DEFAULT.shares.calibration,
    augment_share: Annotated[
        float, typer.Option(help="Share of rows repeated without history, for each outage.")
    ] = _DEFAULT.augment_share,
    trees: Annotated[int, typer.Option(help="Most trees to grow.")] = _DEFAULT.trees_max,
    depth: Annotated[int, typer.Option(help="Depth of a tree.")] = _DEFAULT.depth,
    learning_rate: Annotated[
        float, typer.Option(help="Weight of each tree.")
    ] = _DEFAULT.learning_rate,
    as_json: AsJson = False,
) -> None:
    """Train on the earlier days, leave the label delay out, and calibrate on the days after it."""
    if out.exists():
        raise SetupError(f"{out} exists already; remove it, or choose another --out")
    command = command_text(
        "train",
        {
            "--dataset": dataset,
            "--out": out,
            "--seed": seed,
            "--delay-days": delay_days,
            "--base-rate": base_rate,
            "--test-share": test_share,
            "--calibration-share": calibration_share,
            "--augment-share": augment_share,
            "--trees": trees,
            "--depth": depth,
            "--learning-rate": learning_rate,
        },
    )
    options = TrainOptions(
        command=command,
        seed=seed,
        delay_days=delay_days,
        base_rate=base_rate,
        shares=Shares(test=test_share, calibration=calibration_share),
        augment_share=augment_share,
        trees_max=trees,
        depth=depth,
        learning_rate=learning_rate,
    )
    data = load_dataset(dataset)
    with counted("trees") as progress, one_machine(out.parent) as machine:
        trained = train_model(data, options, progress, machine)
    save_trained(out, trained)
    show({"model": str(out), **_summary(trained), **data.repaired}, as_json=as_json)


def _summary(trained: Trained) -> dict[str, Any]:
    record = trained.record
    names = ("trees", "tree_count_tuned", "rows", "calibration", "frauds_unknown_in_time")
    return {
        "times": record["times"],
        "heads": {
            head: {name: found[name] for name in names} for head, found in record["heads"].items()
        },
        "heads_left_out": record["heads_left_out"],
        "fraud_types": [] if trained.typology is None else record["typology"]["fraud_types"],
        "data_fingerprint": record["data"]["fingerprint"],
    }
