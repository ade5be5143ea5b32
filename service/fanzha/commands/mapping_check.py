"""`fanzha mapping check`: shows how a bank's file is understood, and every fault at once."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from fanzha.commands.row_progress import row_progress
from fanzha.mapping.checking import Checked, check_mapping
from fanzha.mapping.faults import Faults
from fanzha.mapping.mapped import open_table
from fanzha.mapping.mapping import find_mapping

mapping = typer.Typer(
    help="Look at a bank's own file through a mapping.", no_args_is_help=True, add_completion=False
)


@mapping.callback()
def _group() -> None:
    """Keep `check` a command of its own."""


@mapping.command()
def check(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file of transfers.")],
    mapping_given: Annotated[
        str, typer.Option("--mapping", help="Mapping file, or the name of a shipped one.")
    ],
    rows: Annotated[int, typer.Option(min=1, max=1000, help="Show the first N transfers.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show the first rows as they will be understood, and every fault of mapping and file.

    Reads the whole file. Identifiers are masked. Exit code 1 when there are faults.
    """
    total = open_table(file, find_mapping(mapping_given)).row_count()
    with row_progress() as progress:
        task = progress.add_task("reading", total=total, rate="")
        checked = check_mapping(
            file, mapping_given, rows, lambda done: progress.update(task, completed=done)
        )
    if as_json:
        typer.echo(_json(checked, file))
    else:
        _print(checked)
    if checked.is_faulty:
        raise typer.Exit(1)


def _json(checked: Checked, file: Path) -> str:
    return json.dumps(
        {
            "file": str(file),
            "encoding": checked.encoding,
            "rows": checked.rows,
            "transfers": checked.transfers,
            "repaired": checked.repaired,
            "mapping_faults": list(checked.mapping_faults),
            "faulty_rows": checked.faults.count,
            "faults_by_kind": dict(checked.faults.kinds.most_common()),
            "first_faults": [{"row": x.row, "fault": x.text} for x in checked.faults.first],
            "first": checked.first,
        },
        ensure_ascii=False,
    )


def _print(checked: Checked) -> None:
    console = Console()
    if checked.first:
        # One column for each transfer: rows of many fields would not fit a screen.
        grid = Grid("field", *(f"row {row['row']}" for row in checked.first))
        for name in dict.fromkeys(name for row in checked.first for name in row):
            if name != "row":
                grid.add_row(name, *(row.get(name, "not known") for row in checked.first))
        console.print(grid)
    summary = Grid(show_header=False, box=None)
    summary.add_row("rows", f"{checked.rows:,}")
    summary.add_row("transfers", f"{checked.transfers:,}")
    if checked.encoding is not None:
        summary.add_row("encoding", checked.encoding)
    for name, count in checked.repaired.items():
        summary.add_row(name.replace("_", " "), f"{count:,}")
    console.print(summary)
    for fault in checked.mapping_faults:
        console.print(f"mapping {fault}", markup=False, highlight=False)
    if checked.faults.count:
        _print_faults(checked.faults, console)


def _print_faults(faults: Faults, console: Console) -> None:
    console.print(f"{faults.count:,} faulty row(s); row 1 is the first after the header:")
    for kind, count in faults.kinds.most_common():
        console.print(f"  {count:,} × {kind}", markup=False, highlight=False)
    for fault_row in faults.first:
        console.print(f"  row {fault_row.row}: {fault_row.text}", markup=False, highlight=False)
    if faults.count > len(faults.first):
        console.print(f"  and {faults.count - len(faults.first):,} more")
