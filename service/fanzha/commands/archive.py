"""`fanzha archive`: moves the journal into the archive, once or for good."""

import json
import logging
import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.close import Closing, close_days
from fanzha.archive.collect import collect
from fanzha.archive.drain import Drain, Drained, Pace, drain, follow
from fanzha.archive.left_spools import commit_left_behind
from fanzha.archive.machine_key import signer_for
from fanzha.archive.storage import s3_url
from fanzha.domain.errors import SetupError

_TIMEOUT_MS = 30_000
_BETWEEN_S = 60.0

log = logging.getLogger(__name__)


def archive(
    redis: Annotated[str, typer.Option(help="URL of the Redis that holds the journal.")],
    out: Annotated[Path, typer.Option("--archive", help="Folder or s3:// URL of the archive.")],
    spool: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of spool segments: what dead workers left there is sent to Redis first, "
            "and what is archived is dropped. Give it once for each folder."
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
    ] = 60.0,
    manifest_after: Annotated[
        float, typer.Option(min=0, help="Hours after its end, and its last record, to close a day.")
    ] = 6.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Move all journal entries that are there now into day-partitioned Parquet, and trim Redis.

    Any number of these may run at once, on any machines.
    """
    if go_on:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    place = s3_url(out) or out
    signer = signer_for(place, sign_with, name)
    link = RedisLink(redis, _TIMEOUT_MS)
    spools = spool or []
    closing = Closing(manifest_after)
    try:
        sent = sum(commit_left_behind(link, folder) for folder in spools)
        if go_on:
            one = Drain(link, place, signer, round_rows=round_rows)
            dropped = _follow(one, Pace(round_rows, round_seconds), spools, closing)
            done, closed = one.done, closing.closed
        else:
            done = _once(link, place, signer, round_rows)
            closed = close_days(place, signer, closing)
            dropped = sum(collect(folder, out) for folder in spools)
    finally:
        link.close()
    _tell(done, out, sent, dropped, closed, as_json=as_json, has_spools=bool(spools))
