"""Speed, measured: `make bench` prints a table, writes a page, and JSON in its last line.

No test asserts a time. Figures are medians over rounds, with their least and most; what can be is
told as a ratio to its own floor, measured in the same rounds. `--only` takes names of parts.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from tests.bench import (
    explanation,
    feature_build,
    one_decision,
    one_row,
    pinning,
    plain_python,
    redis_cost,
    scale,
    serving,
    startup,
    tails,
)
from tests.bench.machine import describe, pin_to_one_core
from tests.bench.parts import measure as parts_of
from tests.bench.report import write_report
from tests.bench.servers import BenchError, Cores, two_cores
from tests.model_folders import champion_folder

ROOT: Final = Path(__file__).parents[2]
HANDBOOK: Final = ROOT.parent / "shared" / "data" / "handbook" / "transactions.parquet"
TARGETS: Final = {
    "unary_ratio": ("at least", 0.45),
    "batch_ratio": ("at least", 1.0),
    "rival_ratio": ("at least", 1.7),
    "p99_ratio": ("at most", 3.0),
    "p99_ratio_tls": ("at most", 3.0),
    "start_to_first_decision_s": ("at most", 3.0),
    "scale_throughput_ratio": ("at least", 0.9),
}
"""What the service wants to keep; a figure that misses it is shown so, and fails nothing."""

Figures = dict[str, Any]
Tell = Callable[[str], None]


def _parts(cores: Cores) -> dict[str, Callable[[Tell], Figures]]:
    champion = champion_folder(ROOT / "models")
    return {
        "serving": lambda tell: serving.measure(cores, champion, tell),
        "tails": lambda tell: _in_folder(lambda folder: tails.measure(cores, folder, tell)),
        "startup": lambda tell: startup.measure(cores, tell),
        "parts": lambda _: _alone(lambda: parts_of(cores, ROOT / "models")),
        "pinning": lambda _: pinning.measure(30.0),
        "redis": lambda _: redis_cost.measure(),
        "one_row": lambda _: _alone(lambda: one_row.measure(champion)),
        "one_decision": lambda _: _alone(lambda: one_decision.measure(champion)),
        "plain_python": lambda _: _alone(plain_python.measure),
        "explanation": lambda _: _alone(lambda: explanation.measure(champion)),
        "feature_build": lambda _: _feature_build(),
    }


def _feature_build() -> Figures:
    if not HANDBOOK.exists():
        return {"skipped": {"feature_build_transfers_per_s": "the handbook set is not here"}}
    return {**feature_build.measure(HANDBOOK)}


def _alone(work: Callable[[], Figures]) -> Figures:
    """Measure on one core, and go back to all of them."""
    before = os.sched_getaffinity(0)
    pin_to_one_core()
    try:
        return work()
    finally:
        os.sched_setaffinity(0, before)


def _in_folder(work: Callable[[Path], Figures]) -> Figures:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        return work(Path(folder))


def main(
    only: Annotated[list[str] | None, typer.Option(help="Names of parts; all without.")] = None,
    report: Annotated[Path, typer.Option(help="The page.")] = Path("build/bench.html"),
    large: Annotated[  # noqa: FBT002 - typer's way
        bool, typer.Option("--scale", help="The long part: large state, many list entries.")
    ] = False,
) -> None:
    """Measure everything, or the parts named."""
    console = Console(stderr=True)
    everything = frozenset(os.sched_getaffinity(0))
    try:
        cores = two_cores()
    except BenchError as error:
        console.print(f"bench: {error}")
        sys.exit(2)
    parts = _parts(cores)
    if large:
        parts = {"scale": lambda tell: scale.measure(cores, tell)}
    if unknown := set(only or ()) - parts.keys():
        console.print(f"bench: no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
        sys.exit(2)
    figures: Figures = {}
    skipped: dict[str, str] = {}
    began = time.time()
    for name, part in parts.items():
        if only and name not in only:
            continue
        with console.status(name) as status:
            found = part(status.update)
        os.sched_setaffinity(0, cores.others)
        skipped |= found.pop("skipped", {})
        figures |= found
        _show(name, found, console)
    os.sched_setaffinity(0, everything)
    for name, cause in skipped.items():
        console.print(f"skipped: {name}: {cause}")
    machine = describe(cores.server)
    report.parent.mkdir(parents=True, exist_ok=True)
    write_report(report, figures, skipped, machine, TARGETS, began)
    console.print(f"report: {report}")
    medians = {name: spread["median"] for name, spread in figures.items()}
    typer.echo(json.dumps({**medians, "spread": figures, "skipped": skipped, "machine": machine}))


def _show(part: str, figures: Figures, console: Console) -> None:
    table = Table(part, "median", "least", "most", "wanted")
    for name, spread in figures.items():
        form = "{:,.0f}" if spread["median"] > 1000 else "{:.3g}"
        values = (form.format(spread[key]) for key in ("median", "least", "most"))
        word, target = TARGETS.get(name, ("", None))
        table.add_row(name, *values, "" if target is None else f"{word} {target:g}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
