"""`fanzha-training train`: trains and calibrates a model on the earlier days of a data set."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fanzha.domain.errors import SetupError
from fanzha_training.cluster import cluster
from fanzha_training.commands.console import AsJson, command_text, counted, show
from fanzha_training.dataset import ROWS_IN_MEMORY, load_dataset
from fanzha_training.grow import TrainOptions
from fanzha_training.many_machines import ManyMachines
from fanzha_training.one_machine import Machines, one_machine
from fanzha_training.provenance import Recorder
from fanzha_training.split import Shares
from fanzha_training.train import Trained
from fanzha_training.train import train as train_model
from fanzha_training.trained import save_trained

_DEFAULT = TrainOptions("")

_By = Annotated[
    str | None, typer.Option(help="Who trains, for the card. [the account that runs the command]")
]
_Where = Annotated[str | None, typer.Option(help="Where, for the card. [the machine's name]")]
_Dask = Annotated[
    str | None,
    typer.Option(help="Grow trees on a cluster: local:N, or a scheduler's tcp://HOST:PORT."),
]


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
    by: _By = None,
    where: _Where = None,
    dask: _Dask = None,
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
            "--dask": dask,
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
    recorder = Recorder(by, where, lambda: datetime.now(UTC))
    trained = _trained(dataset, out, options, recorder, dask)
    show({"model": str(out), **_summary(trained)}, as_json=as_json)


def _trained(
    dataset: Path, out: Path, options: TrainOptions, recorder: Recorder, dask: str | None
) -> Trained:
    # On a cluster workers read the file themselves, however small it is.
    data = load_dataset(dataset, ROWS_IN_MEMORY if dask is None else 0)
    with _machines(dask, out.parent) as machines, counted("trees") as progress:
        trained = train_model(data, options, progress, machines)
        made = recorder.ended(machines.processes)
    save_trained(out, trained, made)
    return trained


@contextmanager
def _machines(dask: str | None, folder: Path) -> Iterator[Machines]:
    if dask is None:
        with one_machine(folder) as machine:
            yield machine
    else:
        with cluster(dask) as client:
            yield ManyMachines(client)


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
        **record["data"]["repaired"],
    }
