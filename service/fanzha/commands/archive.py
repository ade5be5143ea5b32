"""`fanzha archive`: moves the journal into the archive."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.collect import collect
from fanzha.archive.drain import drain

_TIMEOUT_MS = 30_000


def archive(
    redis: Annotated[str, typer.Option(help="URL of the Redis that holds the journal.")],
    out: Annotated[Path, typer.Option("--archive", help="Folder of the archive.")],
    spool: Annotated[
        Path | None, typer.Option(help="Folder of spool segments to drop once archived.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Move all journal entries that are there now into day-partitioned Parquet, and trim Redis."""
    link = RedisLink(redis, _TIMEOUT_MS)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("archiving")
        done = drain(
            link, out, lambda rows: progress.update(task, description=f"archived {rows:,} records")
        )
    link.close()
    dropped = collect(spool, out) if spool is not None else 0
    if as_json:
        typer.echo(json.dumps({"rows": done.rows, "files": done.files, "segments": dropped}))
    else:
        typer.echo(f"archived {done.rows:,} records in {done.files} file(s) under {out}")
        if spool is not None:
            typer.echo(f"dropped {dropped} spool segment(s)")
