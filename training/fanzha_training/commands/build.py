"""`fanzha-training build`: makes a data set from a table, a bank's own file, or an archive."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fanzha.domain.currency import CURRENCIES
from fanzha.domain.errors import SetupError
from fanzha.mapping.sources import is_zone
from fanzha_training.building.from_archive import build_from_archive
from fanzha_training.building.from_file import build_from_file
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.numbered_transfers import Spread, one_after_another
from fanzha_training.building.on_cluster import on_cluster
from fanzha_training.building.options import BuildOptions
from fanzha_training.cluster import cluster, workers_of
from fanzha_training.commands.console import AsJson, command_text, show, stages, time_ms_of

_Out = Annotated[Path, typer.Option(help="Data set to write, a Parquet file.")]
_Table = Annotated[
    Path | None,
    typer.Option(help="Folder with transfers.parquet and outcomes.parquet; cut by time."),
]
_Archive = Annotated[
    Path | None,
    typer.Option(help="Folder of a service's archive; cut by sequence, compared bit by bit."),
]
_File = Annotated[
    Path | None, typer.Option(help="A bank's own CSV or Parquet file of transfers; cut by time.")
]
_Mapping = Annotated[
    str | None,
    typer.Option(help="What the file's columns mean: a mapping, or the name of a shipped one."),
]
_SkipBadRows = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Leave out a file's rows that are no transfers.")
]
_AsOf = Annotated[
    str | None,
    typer.Option(help="Use nothing known later than this time (ISO 8601). [newest record]"),
]
_LabelDelayDays = Annotated[
    float, typer.Option(help="Age at which a transfer without report counts as legitimate.")
]
_Zone = Annotated[
    str, typer.Option(help="The bank's time zone, an IANA name; an archive has its own.")
]
_Currency = Annotated[
    str, typer.Option(help="Base currency, an ISO 4217 code; transfers in others are left out.")
]
_Simulated = Annotated[
    bool | None,
    typer.Option(
        "--simulated/--real",
        help="State that the data were simulated, or were not. [a simulated table says so]",
    ),
]
_AllowDifferences = Annotated[
    bool, typer.Option(help="Build even if served vectors differ from recomputed ones.")
]

_Dask = Annotated[
    str | None,
    typer.Option(
        help="Compute vectors of --table or --file on a cluster: local:N, or a scheduler's "
        "tcp://HOST:PORT. They are the same."
    ),
]


def build(
    *,
    out: _Out,
    table: _Table = None,
    archive: _Archive = None,
    file: _File = None,
    mapping: _Mapping = None,
    skip_bad_rows: _SkipBadRows = False,
    as_of: _AsOf = None,
    label_delay_days: _LabelDelayDays = 7.0,
    zone: _Zone = "Asia/Shanghai",
    currency: _Currency = "CNY",
    simulated: _Simulated = None,
    allow_differences: _AllowDifferences = False,
    dask: _Dask = None,
    as_json: AsJson = False,
) -> None:
    """Build a data set: one row for each transfer, with its vector, its label and what was served.

    Give one of --table, --file with --mapping, and --archive.
    """
    _check_sources(table, file, mapping, archive)
    _check_values(label_delay_days, zone, currency)
    if dask is not None and archive is not None:
        raise SetupError("--dask is for --table and --file; build an archive's data set without it")
    command = command_text(
        "build",
        {
            "--table": table,
            "--archive": archive,
            "--file": file,
            "--mapping": Path(mapping) if mapping and Path(mapping).exists() else mapping,
            "--skip-bad-rows": skip_bad_rows,
            "--out": out,
            "--as-of": as_of,
            "--label-delay-days": label_delay_days,
            "--zone": zone if zone != "Asia/Shanghai" else None,
            "--currency": currency if currency != "CNY" else None,
            "--allow-differences": allow_differences,
        },
    )
    options = BuildOptions(
        command=command,
        as_of_ms=time_ms_of(as_of, "--as-of"),
        label_delay_days=label_delay_days,
        zone=zone,
        currency=currency,
        simulated=simulated,
        allow_differences=allow_differences,
    )
    start = time.monotonic()
    with _spread(dask) as (spread, parts_min), stages() as say:
        options = replace(options, parts_min=parts_min)
        if table is not None:
            summary = build_from_table(table, out, options, say, spread)
        elif file is not None and mapping is not None:
            summary = build_from_file(
                file, mapping, out, options, say, spread, skip_bad_rows=skip_bad_rows
            )
        elif archive is not None:
            summary = build_from_archive(archive, out, options, say)
    seconds = time.monotonic() - start
    summary["rows_per_s"] = round(int(str(summary["rows"])) / seconds)
    show({"dataset": str(out), **summary}, as_json=as_json)


@contextmanager
def _spread(dask: str | None) -> Iterator[tuple[Spread, int]]:
    """Yield what computes the parts, and how many there should be at least."""
    if dask is None:
        yield one_after_another, 1
    else:
        with cluster(dask) as client:
            yield on_cluster(client), len(workers_of(client))


def _check_sources(
    table: Path | None, file: Path | None, mapping: str | None, archive: Path | None
) -> None:
    if [table, archive, file].count(None) != 2:
        raise SetupError("give exactly one of --table, --file and --archive")
    if (file is None) != (mapping is None):
        raise SetupError("give --mapping with --file, and only with it")


def _check_values(label_delay_days: float, zone: str, currency: str) -> None:
    if not 0 <= label_delay_days <= 365:
        raise SetupError(f"--label-delay-days is {label_delay_days:g}; it must be 0 to 365")
    if not is_zone(zone):
        raise SetupError(f"--zone is {zone!r}; give an IANA time zone such as Asia/Shanghai")
    if currency not in CURRENCIES:
        raise SetupError(f"--currency is {currency!r}; give an ISO 4217 code in use, such as CNY")
