"""`fanzha rekey`: copies state and archive under the tokens of a new key, offline."""

import json
from pathlib import Path
from typing import Annotated

import redis
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fanzha.adapters.clock import SystemClock
from fanzha.adapters.redis_link import RedisLink
from fanzha.commands.given_folders import segments_left, worker_spools
from fanzha.domain.errors import SetupError
from fanzha.rekey.archive import copy_archive
from fanzha.rekey.readiness import CLIENT, begin, check_sources, check_spools, finish, successors
from fanzha.rekey.state import Copy
from fanzha.secrets.digests import Algorithm
from fanzha.secrets.opening import wrapper_of
from fanzha.secrets.token_key import TokenKey, plain_key, read_key_file
from fanzha.settings import read_settings

_TIMEOUT_MS = 30_000


def rekey(
    source: Annotated[
        list[str],
        typer.Option("--from", help="URL of the Redis to copy from; of each master of a Cluster."),
    ],
    target: Annotated[str, typer.Option("--to", help="URL of an empty Redis, also a Cluster.")],
    archive: Annotated[Path, typer.Option(help="Folder of the archive to copy from.")],
    archive_out: Annotated[Path, typer.Option(help="Folder for the new archive.")],
    old_key: Annotated[Path, typer.Option(help="File of the token key as it is.")],
    new_key: Annotated[Path, typer.Option(help="File that fanzha token-key extend made.")],
    spool: Annotated[
        list[Path] | None, typer.Option(help="The folder spool of a service; has to be empty.")
    ] = None,
    old_algorithm: Annotated[
        Algorithm, typer.Option(help="What makes tokens of a plain old key.")
    ] = Algorithm.BLAKE2B,
    kek_file: Annotated[Path | None, typer.Option(help="Unwraps both keys.")] = None,
    kms_command: Annotated[str | None, typer.Option(help="Unwraps both keys.")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="Unwraps both keys.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Copy state and archive, every token replaced. What is copied from stays as it is.

    Stop all workers, run fanzha archive, then this; afterwards start the workers with the new key,
    the new Redis and the new archive.
    """
    unwrap = (kek_file, kms_command, passphrase_file)
    old = _key(old_key, unwrap, old_algorithm)
    new = _key(new_key, unwrap, old_algorithm)
    steps = successors(old, new)
    if len(steps) > 1:
        raise SetupError("the new token key is several keys ahead; re-key one key at a time")
    segments_left(spool or [])
    clients = [_client(url) for url in source]
    link = RedisLink(target, _TIMEOUT_MS)
    since_ms = SystemClock().now_ms() - read_settings().idempotency_memory_s * 1000
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        check_sources(clients, old)
        check_spools(worker_spools(spool or []))
        begin(link)
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("copying")
            copied = copy_archive(
                archive,
                archive_out,
                steps[0],
                (old.fingerprint, new.fingerprint),
                since_ms,
                lambda rows: progress.update(task, description=f"copied {rows:,} records"),
            )
            states = [Copy(each, link, steps[0], copied.requests) for each in clients]
            for state in states:
                state.run(lambda keys: progress.update(task, description=f"copied {keys:,} keys"))
        finish(link, new)
    except redis.RedisError as error:
        raise SetupError(f"the Redis to copy from cannot be read: {error}") from error
    finally:
        link.close()
        for client in clients:
            client.close()
    told = {
        "records": copied.rows,
        "files": copied.files,
        "keys": sum(state.copied for state in states),
        "forgotten_requests": sum(state.forgotten_requests for state in states),
        "token_key": new.fingerprint,
    }
    if as_json:
        typer.echo(json.dumps(told))
        return
    for field, value in told.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        typer.echo(f"{field.replace('_', ' '):<20} {shown}")


def _client(url: str) -> redis.Redis:
    try:
        return redis.Redis.from_url(url, client_name=CLIENT)
    except ValueError as error:
        raise SetupError(
            "--from is the URL of one server: redis://, rediss:// or unix://; behind Sentinels "
            "give the master's own, of a Cluster each master's"
        ) from error


def _key(
    path: Path, unwrap: tuple[Path | None, str | None, Path | None], algorithm: Algorithm
) -> TokenKey:
    found = read_key_file(path)
    if not found.is_wrapped:
        return plain_key(found.content, algorithm)
    return found.unwrap(wrapper_of(*unwrap))
