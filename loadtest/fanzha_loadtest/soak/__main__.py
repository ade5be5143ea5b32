"""`python -m fanzha_loadtest.soak`: a long steady load on a service of its own.

Exit codes: 0 everything stayed flat and every record was found; 1 something did not; 2 nothing is
known, because the driver stood still or something broke. The last line is JSON.
"""

import json
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from fanzha_loadtest.commands import CommandError
from fanzha_loadtest.load.machine import describe_machine
from fanzha_loadtest.load.result import Exit
from fanzha_loadtest.service import ServiceError
from fanzha_loadtest.soak.options import Options, fast, full
from fanzha_loadtest.soak.play import Soaked, SoakError, soak
from fanzha_loadtest.soak.report import write_report
from fanzha_loadtest.soak.verdict import Verdict, judge

_FAULTS: Final = (CommandError, OSError, ServiceError, SoakError)
_STOPPED: Final = 130


def main(
    *,
    minutes: Annotated[float, typer.Option(min=0.1, help="Length of the load.")] = 20.0,
    rate: Annotated[float, typer.Option(min=1, help="Decisions a second.")] = 200.0,
    small: Annotated[
        bool, typer.Option("--fast", help="A few seconds; shows no slow growth.")
    ] = False,
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = Path("models"),
    report: Annotated[Path, typer.Option(help="File for the report, HTML.")] = Path("soak.html"),
    work: Annotated[Path | None, typer.Option(help="Folder to work in, kept afterwards.")] = None,
) -> None:
    """Load a service steadily, and see whether anything grows or is lost."""
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, _interrupt)
    options = fast(8.0, min(rate, 60.0)) if small else full(60 * minutes, rate)
    try:
        soaked = _soak(options, models, work, console)
        verdict = judge(options, soaked)
        write_report(report, options, soaked, verdict)
    except KeyboardInterrupt:
        console.print("soak: stopped")
        sys.exit(_STOPPED)
    except _FAULTS as error:
        console.print(f"soak: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(Exit.VOID)
    _show(verdict, console)
    console.print(f"soak: report in {report}", markup=False, highlight=False, soft_wrap=True)
    exit_ = Exit.VOID if verdict.is_void else Exit.PASSED if verdict.passed else Exit.FAILED
    typer.echo(json.dumps(_as_json(options, soaked, verdict, exit_)))
    sys.exit(exit_)


def _soak(options: Options, models: Path, work: Path | None, console: Console) -> Soaked:
    def told(what: str) -> None:
        console.print(f"soak: {what}", highlight=False)

    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        return soak(options, models, work, told)
    with tempfile.TemporaryDirectory(prefix="fz-soak-") as folder:
        return soak(options, models, Path(folder), told)


def _show(verdict: Verdict, console: Console) -> None:
    table = Table("promise", "seen", "kept")
    for one in verdict.promises:
        table.add_row(one.name, one.said, "yes" if one.kept else "[bold red]NO")
    console.print(table)
    if verdict.is_void:
        console.print("[bold red]soak: VOID. The driver stood still; the load was not steady.")


def _as_json(options: Options, soaked: Soaked, verdict: Verdict, exit_: Exit) -> dict[str, Any]:
    return {
        "exit": exit_.name.lower(),
        "seconds": options.seconds,
        "rate": options.rate,
        "answered": soaked.load.answered,
        "p50_ms": soaked.load.latency_ms(0.5),
        "p99_ms": soaked.load.latency_ms(0.99),
        "promises": {one.name: one.kept for one in verdict.promises},
        "slopes": {
            one.bound.figure: {
                "level": round(one.level, 3),
                "per_hour": round(one.per_hour, 5),
                "per_hour_low": round(one.per_hour_low, 5),
                "rise": round(one.rise, 3),
            }
            for one in verdict.slopes
        },
        "journal_most": max(verdict.series["journal"][1], default=None),
        "archive_rows": soaked.rows,
        "records": {
            one.kind: {
                "told": one.told, "archived": one.archived, "missing": one.missing,
                "doubled": one.doubled, "untold": one.untold,
            }
            for one in soaked.records
        },
        "lasting_markers": soaked.lasting_keys,
        "lasting_bytes": soaked.lasting_bytes,
        "machine": describe_machine(),
    }  # fmt: skip


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
