"""`fanzha archive`: moves the journal into the archive, once or for good."""

import json
import logging
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.close import Closing, close_days, close_due
from fanzha.archive.collect import collect
from fanzha.archive.drain import Drain, Drained, drain
from fanzha.archive.follow import Pace, follow
from fanzha.archive.left_spools import commit_left_behind
from fanzha.archive.machine_key import signer_for
from fanzha.archive.storage import s3_url
from fanzha.commands.given_folders import segments_left, worker_spools
from fanzha.signing.keys import Signer

_TIMEOUT_MS = 30_000
_BETWEEN_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Segments:
    """What became of the segments of spools."""

    dropped: int
    left: int | None
    """How many are still there; None when no spool was given."""


def archive(
    redis: Annotated[str, typer.Option(help="URL of the Redis that holds the journal.")],
    out: Annotated[Path, typer.Option("--archive", help="Folder or s3:// URL of the archive.")],
    spool: Annotated[
        list[Path] | None,
        typer.Option(
            help="The folder spool of a service: what dead workers left there is sent to Redis "
            "first, and what is archived is dropped. Give it once for each service."
        ),
    ] = None,
    sign_with: Annotated[
        Path | None,
        typer.Option(help="Private key to sign with; one beside a local archive if not given."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", help="Name of that key in the trusted folder.")
    ] = None,
    go_on: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--follow", help="Go on until SIGTERM.")
    ] = False,
    round_rows: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="A round moves about so many records.")
    ] = 20_000,
    round_seconds: Annotated[
        float, typer.Option(min=0.1, help="With --follow: a record waits so long at most.")
    ] = 300.0,
    manifest_after: Annotated[
        float, typer.Option(min=0, help="Hours after its end, and its last record, to close a day.")
    ] = 6.0,
    accept_loss: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--accept-loss",
            help="Go on although the archive's newest commits are gone for good; the gap stays a "
            "fault of fanzha audit verify.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Move all journal entries that are there now into day-partitioned Parquet, and trim Redis.

    Any number of these may run at once, on any machines.
    """
    if go_on:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    place, spools = s3_url(out) or out, spool or []
    segments_left(spools)
    signer = signer_for(place, sign_with, name)
    link = RedisLink(redis, _TIMEOUT_MS)
    handled = set[str]()
    closing = Closing(manifest_after)
    try:
        sent = sum(commit_left_behind(link, place, each, handled) for each in worker_spools(spools))
        if go_on:
            one = Drain(link, place, signer, round_rows=round_rows, may_lack=accept_loss)
            dropped = _follow(one, Pace(round_rows, round_seconds), spools, handled, closing)
            done, closed = one.done, closing.closed
        else:
            done = _once(link, place, signer, round_rows, may_lack=accept_loss)
            closed = close_days(place, signer, closing)
            dropped = sum(collect(folder, place) for folder in worker_spools(spools))
    finally:
        link.close()
    left = segments_left(spools) if spools else None
    _tell(done, out, sent, Segments(dropped, left), closed, as_json=as_json)


def _once(
    link: RedisLink, place: Path | str, signer: Signer, round_rows: int, *, may_lack: bool
) -> Drained:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("archiving")
        return drain(
            link,
            place,
            lambda rows: progress.update(task, description=f"archived {rows:,} records"),
            signer,
            round_rows,
            may_lack=may_lack,
        )


def _follow(one: Drain, pace: Pace, spools: list[Path], handled: set[str], closing: Closing) -> int:
    """Go on until SIGTERM or SIGINT; return how many segments of spools were dropped."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    dropped, due_s = 0, time.monotonic() + _BETWEEN_S

    def between() -> None:
        nonlocal dropped, due_s
        if time.monotonic() < due_s:
            return
        due_s = time.monotonic() + _BETWEEN_S
        close_due(one.log, closing)
        for folder in worker_spools(spools):
            commit_left_behind(one.link, one.log.place, folder, handled)
            dropped += collect(folder, one.log.place)

    typer.echo(f"fanzha: archiving to {one.log.storage.name}", err=True)
    follow(one, pace, stop, lambda rows: log.info("archived %d records", rows), between)
    return dropped


def _tell(
    done: Drained,
    out: Path,
    sent: int,
    segments: Segments,
    closed: int,
    *,
    as_json: bool,
) -> None:
    if as_json:
        said = {"rows": done.rows, "files": done.files, "left_out": done.left_out}
        said |= {"sent": sent, "segments": segments.dropped, "segments_left": segments.left or 0}
        typer.echo(json.dumps(said | {"days_closed": closed}))
        return
    typer.echo(f"archived {done.rows:,} records in {done.files} file(s) under {s3_url(out) or out}")
    if done.left_out:
        typer.echo(f"{done.left_out:,} journal entries were archived already")
    if closed:
        typer.echo(f"closed {closed} day(s)")
    if segments.left is not None:
        typer.echo(f"dropped {segments.dropped} spool segment(s), {segments.left} are left")
