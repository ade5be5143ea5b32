"""`python -m tests.chaos`: breaks what can break under load, and shows that nothing is lost.

Each fault has a stage of its own: a Redis, workers, archivers, and clients in processes of their
own. The last line is JSON. Exit code 1: a promise was violated; the report says which, and the
stage's logs and archive lie beside it.
"""

import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tests.chaos.faults import FAULTS
from tests.chaos.processes import ROOT
from tests.chaos.report import summary, write_report
from tests.chaos.run import Result, play
from tests.chaos.stage import SMALL, Size

console = Console(stderr=True, highlight=False)


def main(
    fault: Annotated[
        list[str] | None, typer.Option(help="Only this fault; can be given again.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = ROOT / "build/chaos",
    seed: Annotated[int, typer.Option(help="Of what clients do.")] = 1,
    small: Annotated[bool, typer.Option("--small", help="As in CI.")] = False,  # noqa: FBT002
    keep: Annotated[  # noqa: FBT002
        bool, typer.Option("--keep", help="Keep what a stage leaves, also if good.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long each fault holds.")] = None,
) -> None:
    """Play faults one after the other and judge each."""
    known = {one.name: one for one in FAULTS}
    if unknown := set(fault or ()) - set(known):
        console.print(f"no fault {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        raise typer.Exit(2)
    size = SMALL if small else Size()
    size = size if seconds is None else replace(size, during_s=seconds)
    chosen = [known[name] for name in fault] if fault else list(FAULTS)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    results: list[Result] = []
    for number, kind in enumerate(chosen, 1):
        title = f"[{number}/{len(chosen)}] {kind.name}"
        with console.status(title) as status:
            result = play(
                [kind()], size, seed,
                lambda text, title=title, status=status: status.update(f"{title}: {text}"), out,
                keep_good=keep,
            )  # fmt: skip
        results.append(result)
        console.print(f"{title}: {_told(result)}")
        write_report(out, results, _load(size, seed))
    console.print(f"report: {out / 'report.md'}")
    said = summary(results)
    typer.echo(json.dumps(said))
    if not all(result.is_good for result in results):
        raise typer.Exit(1)


def _load(size: Size, seed: int) -> str:
    parts = asdict(size)
    return (
        f"{parts['clients']} client processes with {parts['rate']:.0f} calls a second each over "
        f"{parts['workers']} workers, {parts['archivers']} archivers, seed {seed}, "
        f"{time.strftime('%Y-%m-%d %H:%M')}."
    )


def _told(result: Result) -> str:
    if result.skipped:
        return f"[yellow]skipped[/]: {result.skipped}"
    figures = result.figures
    violated = ", ".join(f"{name} {len(found)}" for name, found in result.violations.items())
    return (
        f"{'[green]good[/]' if result.is_good else f'[red]violated[/] {violated};'} "
        f"{figures['answered']:,} answered, {figures['degraded']:,} degraded, "
        f"{figures['reconciled']:,} reconciled, longest gap {figures['longest_gap_ms']:,} ms "
        f"({result.seconds:.0f} s)"
    )


if __name__ == "__main__":
    typer.run(main)
