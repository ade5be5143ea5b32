"""`fanzha state`: what Redis holds, rebuilt from the archive."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fanzha.adapters.clock import SystemClock
from fanzha.adapters.redis_link import RedisLink
from fanzha.settings import read_settings

state = typer.Typer(help="What Redis holds of accounts and links.", no_args_is_help=True)

_TIMEOUT_MS = 60_000


@state.callback()
def _group() -> None:
    """Keep `rebuild` a command of its own, though it is the only one."""


@state.command()
def rebuild(
    redis: Annotated[str, typer.Option(help="URL of the empty Redis to fill.")],
    archive: Annotated[str, typer.Option(help="Folder or s3:// URL of the archive.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Fill an empty Redis from the archive, so that decisions go on as if nothing had been lost.

    Workers may be running: until all is there they answer as if Redis were away. A rebuild that was
    cut off is started again with the same command. FANZHA_IDEMPOTENCY_WINDOW_S and _MEMORY_S have
    to be those of the service.
    """
    # It loads the kernel; other commands do without it.
    from fanzha.adapters.redis_commit import Lives  # noqa: PLC0415
    from fanzha.archive.rebuild import rebuild as rebuild_state  # noqa: PLC0415

    settings = read_settings()
    lives = Lives(settings.idempotency_window_s * 1000, settings.idempotency_memory_s * 1000)
    link = RedisLink(redis, _TIMEOUT_MS)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("reading", total=None)
            done = rebuild_state(
                link,
                archive,
                lives,
                SystemClock().now_ms(),
                lambda step, part, of: progress.update(
                    task, description=step, completed=part, total=of
                ),
            )
    finally:
        link.close()
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    typer.echo(
        f"rebuilt {done.subjects:,} accounts and links from {done.changes:,} changes, and "
        f"{done.imports:,} imports of lists, out of {done.rows:,} records"
    )
    if done.unreadable:
        typer.echo(f"{done.unreadable:,} records are of another version and were left out")
