"""`fanzha-training simulate`: writes a simulated world of transfers and outcomes."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fanzha_training.simulate.parameters import FRAUD_MIX, Parameters, parse_fraud_mix
from fanzha_training.simulate.run import STEPS, Simulation
from fanzha_training.simulate.run import simulate as run_simulation
from fanzha_training.simulate.writer import check_writable, write

_DEFAULTS = Parameters()
_START = datetime.combine(_DEFAULTS.start, datetime.min.time())
_DEFAULT_MIX = ",".join(f"{name}={weight:g}" for name, weight in FRAUD_MIX.items())


def simulate(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the tables; made if it does not exist.")],
    customers: Annotated[
        int, typer.Option(help="Persons who bank here, 100 to 100000.")
    ] = _DEFAULTS.customers,
    days: Annotated[int, typer.Option(help="Days in Asia/Shanghai, 1 to 366.")] = _DEFAULTS.days,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = _DEFAULTS.seed,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="First day.")
    ] = _START,
    fraud_per_million: Annotated[
        float,
        typer.Option(
            help="Payments of victims per million ordinary transfers. Real banks see 50 to 100; "
            "the default is over-sampled for a small world."
        ),
    ] = _DEFAULTS.fraud_per_million,
    fraud_mix: Annotated[
        str,
        typer.Option(
            help="Weights of the scripts among episodes, name=weight with commas between; a "
            "script that is not named does not occur."
        ),
    ] = _DEFAULT_MIX,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON in the last line.")
    ] = False,
) -> None:
    """Simulate customers, their daily life, and four kinds of fraud with mules behind them.

    Writes transfers.parquet and outcomes.parquet, whose columns `fanzha_training.table` describes,
    and world.json with parameters, counts and SHA-256 of the tables.
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
    seconds = time.perf_counter() - began
    _print_summary(world, out, seconds)
    if as_json:
        summary = {"out": str(out), "seconds": round(seconds, 2), **world["counts"]}
        typer.echo(json.dumps({**summary, "sha256": world["sha256"]}, ensure_ascii=False))


def _with_progress(parameters: Parameters) -> Simulation:
    columns = (
        TextColumn("simulating {task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # On stderr, so that stdout holds the summary alone.
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(STEPS))
        begun = 0

        def on_step(name: str) -> None:
            nonlocal begun
            progress.update(task, description=name, completed=begun)
            begun += 1

        simulation = run_simulation(parameters, on_step)
        progress.update(task, description="done", completed=len(STEPS))
    return simulation


def _print_summary(world: dict[str, Any], out: Path, seconds: float) -> None:
    counts = world["counts"]
    typer.echo(
        f"{counts['transfers']:,} transfers in {out}, of which {counts['fraud_payments']:,} by "
        f"victims of fraud ({counts['fraud_per_million']:g} per million) and "
        f"{counts['mule_movements']:,} by mules; {counts['outcomes']:,} outcomes; {seconds:.1f} s"
    )
