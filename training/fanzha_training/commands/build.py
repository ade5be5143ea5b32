"""`fanzha-training build`: makes a data set from a table of transfers or from a served archive."""

from pathlib import Path
from typing import Annotated

import typer

from fanzha.domain.errors import SetupError
from fanzha_training.build_archive import build_from_archive
from fanzha_training.build_table import build_from_table
from fanzha_training.building import BuildOptions
from fanzha_training.commands.console import AsJson, command_text, show, stages, time_ms_of


def build(
    *,
    out: Annotated[Path, typer.Option(help="Data set to write, a Parquet file.")],
    table: Annotated[
        Path | None,
        typer.Option(help="Folder with transfers.parquet and outcomes.parquet; cut by time."),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="Folder of a service's archive; cut by sequence, compared bit by bit."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Use nothing known later than this time (ISO 8601). [newest record]"),
    ] = None,
    label_delay_days: Annotated[
        float, typer.Option(help="Age at which a transfer without report counts as legitimate.")
    ] = 7.0,
    utc_offset_hours: Annotated[
        float, typer.Option(help="The bank's offset from UTC, for tables.")
    ] = 8.0,
    currency: Annotated[
        str, typer.Option(help="Base currency; a table's transfers in others are left out.")
    ] = "CNY",
    simulated: Annotated[
        bool | None,
        typer.Option(
            "--simulated/--real",
            help="State that the data were simulated, or were not. [a simulated table says so]",
        ),
    ] = None,
    allow_differences: Annotated[
        bool, typer.Option(help="Build even if served vectors differ from recomputed ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build a data set: one row for each transfer, with its vector, its label and what was served.

    Give either --table or --archive.
    """
    if (table is None) == (archive is None):
        raise SetupError("give exactly one of --table and --archive")
    if not 0 <= label_delay_days <= 365:
        raise SetupError(f"--label-delay-days is {label_delay_days:g}; it must be 0 to 365")
    if not -14 <= utc_offset_hours <= 14:
        raise SetupError(f"--utc-offset-hours is {utc_offset_hours:g}; it must be -14 to 14")
    command = command_text(
        "build",
        {
            "--table": table,
            "--archive": archive,
            "--out": out,
            "--as-of": as_of,
            "--label-delay-days": label_delay_days,
            "--utc-offset-hours": utc_offset_hours if utc_offset_hours != 8 else None,
            "--currency": currency if currency != "CNY" else None,
            "--allow-differences": allow_differences,
        },
    )
    options = BuildOptions(
        command=command,
        as_of_ms=time_ms_of(as_of, "--as-of"),
        label_delay_days=label_delay_days,
        utc_offset_s=round(utc_offset_hours * 3600),
        currency=currency,
        simulated=simulated,
        allow_differences=allow_differences,
    )
    with stages() as say:
        if table is not None:
            summary = build_from_table(table, out, options, say)
        elif archive is not None:
            summary = build_from_archive(archive, out, options, say)
    show({"dataset": str(out), **summary}, as_json=as_json)
