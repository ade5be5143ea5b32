"""`python -m fanzha_loadtest.demo`: plays a bank's month against a real service, and learns."""

import json
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import grpc
import typer
from rich.console import Console

from fanzha_loadtest.clients import ClientError
from fanzha_loadtest.commands import CommandError
from fanzha_loadtest.demo.options import Options, fast, full
from fanzha_loadtest.demo.report import ReportError, prepare_folder, write_report
from fanzha_loadtest.demo.screen import Screen
from fanzha_loadtest.demo.stages import DemoError, tell
from fanzha_loadtest.demo.summary import print_summary, summary_of
from fanzha_loadtest.service import ServiceError

_FAILED: Final = 1
_STOPPED: Final = 130
_FAULTS: Final = (
    *(ClientError, CommandError, DemoError, ReportError, ServiceError),
    *(grpc.RpcError, OSError),
)
_TEMPORARY_PATH_MAX: Final = 50
"""A Unix socket's path may have 107 bytes, and the service needs some of them."""


def main(
    *,
    small: Annotated[
        bool, typer.Option("--fast", help="Small, and one line of JSON as the last line.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("demo-report"),
    models: Annotated[
        Path, typer.Option(help="Folder of the models to start from; it is only read.")
    ] = Path("models"),
    customers: Annotated[int | None, typer.Option(help="Customers of the bank.")] = None,
    days: Annotated[int | None, typer.Option(help="Days, the last one after retraining.")] = None,
    fraud_per_million: Annotated[
        float | None, typer.Option(help="Payments of victims per million transfers.")
    ] = None,
) -> None:
    """Simulate, serve, report, archive, retrain, compare, promote, go on; count every record."""
    began = time.monotonic()
    console = Console(stderr=True)
    sizes = fast(out, models) if small else full(out, models)
    options = replace(
        sizes,
        customers=customers or sizes.customers,
        days=days or sizes.days,
        fraud_per_million=fraud_per_million or sizes.fraud_per_million,
    )
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        summary = _run(options, console, began)
    except KeyboardInterrupt:
        console.print("demo: stopped; everything it started was stopped too")
        sys.exit(_STOPPED)
    except _FAULTS as error:
        console.print(f"demo: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(_FAILED)
    if options.fast:
        typer.echo(json.dumps(summary, ensure_ascii=False))


def _run(options: Options, console: Console, began: float) -> dict[str, object]:
    prepare_folder(options.out)
    with (
        tempfile.TemporaryDirectory(prefix="fz-demo-", dir=_temporary_folder()) as folder,
        Screen(console) as screen,
    ):
        told = tell(options, Path(folder), screen)
        summary = summary_of(told, time.monotonic() - began)
        with screen.stage("draw the report"):
            report = write_report(options.out, told, summary, screen.stages)
    if not options.fast:
        print_summary(Console(), summary, told, str(report))
    else:
        console.print(f"demo: report in {report}", markup=False, highlight=False, soft_wrap=True)
    return summary


def _temporary_folder() -> str | None:
    """Return where to work: the usual place, unless its path is too long for a Unix socket."""
    return None if len(tempfile.gettempdir()) <= _TEMPORARY_PATH_MAX else "/tmp"  # noqa: S108


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
