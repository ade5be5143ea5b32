"""`fanzha-training simulate`: writes a simulated world of transfers and outcomes."""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fanzha_training.commands.console import AsJson, show, stages
from fanzha_training.simulate.parameters import FRAUD_MIX, Parameters, parse_fraud_mix
from fanzha_training.simulate.run import STEPS, Simulation
from fanzha_training.simulate.run import simulate as run_simulation
from fanzha_training.simulate.size import too_small
from fanzha_training.simulate.writer import check_writable, write

_DEFAULTS = Parameters()
_START = datetime.combine(_DEFAULTS.start, datetime.min.time())
_MIX = ",".join(f"{name}={weight:g}" for name, weight in FRAUD_MIX.items())

_Out = Annotated[Path, typer.Option(help="Folder for the tables; made if it does not exist.")]
_Customers = Annotated[int, typer.Option(help="Persons who bank here, 100 to 100000.")]
_Days = Annotated[int, typer.Option(help="Days in Asia/Shanghai, 1 to 366.")]
_Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]
_Start = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")]
_FraudPerMillion = Annotated[
    float,
    typer.Option(
        help="Payments of victims per million ordinary transfers, 0 to 50000. The default is the "
        "true rate; more is over-sampling: more episodes, each as it would be. 2000 gives a small "
        "world fraud to learn from."
    ),
]
_FraudMix = Annotated[
    str,
    typer.Option(
        help="Weights of the scripts among episodes, name=weight with commas between; a script "
        "that is not named does not occur."
    ),
]

_Describe = Annotated[
    bool,
    typer.Option("--describe", help="Also write world.html: plots and figures of the world."),
]


def simulate(
    *,
    out: _Out,
    customers: _Customers = _DEFAULTS.customers,
    days: _Days = _DEFAULTS.days,
    seed: _Seed = _DEFAULTS.seed,
    start: _Start = _START,
    fraud_per_million: _FraudPerMillion = _DEFAULTS.fraud_per_million,
    fraud_mix: _FraudMix = _MIX,
    description: _Describe = False,
    as_json: AsJson = False,
) -> None:
    """Simulate customers, their daily life, thirteen kinds of fraud and the mules behind them.

    Writes transfers.parquet and outcomes.parquet, whose columns `fanzha_training.table` describes,
    and world.json with parameters, counts and SHA-256 of the tables. With --describe also
    world.html.
    """
    parameters = Parameters(
        customers=customers,
        days=days,
        seed=seed,
        start=start.date(),
        fraud_per_million=fraud_per_million,
        fraud_mix=parse_fraud_mix(fraud_mix),
    )
    parameters.check()
    check_writable(out)
    began = time.perf_counter()
    simulation = _with_progress(parameters)
    world = write(simulation, out)
    if description:
        # Matplotlib is not loaded for nothing.
        from fanzha_training.simulate.describe.page import (  # noqa: PLC0415
            DESCRIPTION_FILE,
            describe,
        )

        with stages() as say:
            say("describing the world")
            describe(simulation, out / DESCRIPTION_FILE)
    seconds = round(time.perf_counter() - began, 2)
    summary = {"out": str(out), "seconds": seconds, **world["counts"], "sha256": world["sha256"]}
    if warning := too_small(simulation):
        summary["warning"] = warning
        typer.echo(f"warning: {warning}", err=True)
    show(summary, as_json=as_json)


def _with_progress(parameters: Parameters) -> Simulation:
    columns = (
        TextColumn("simulating {task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # On stderr, so that stdout holds the summary alone.
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(STEPS))
        return run_simulation(
            parameters,
            lambda step: progress.update(task, description=step, completed=STEPS.index(step)),
        )
