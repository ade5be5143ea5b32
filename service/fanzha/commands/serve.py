"""`fanzha serve`: runs the service until it is told to stop."""

import resource
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from fanzha.log_output import write_log
from fanzha.settings import read_settings, warn_of_unread
from fanzha.workers.start import serve as serve_with

_FILES: Final = 16_384
"""So many files a worker may have open, where the machine allows it."""


def serve(
    address: Annotated[
        str | None, typer.Option(help="host:port, or unix:path; TLS beyond loopback.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="The server's certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="CA of the clients, PEM.")] = None,
    roles: Annotated[Path | None, typer.Option(help="Who is who and may do what, YAML.")] = None,
    everyone_is_admin_without_tls: Annotated[
        bool | None,
        typer.Option(
            "--everyone-is-admin-without-tls",
            help="Serve beyond loopback without TLS. For closed test networks only.",
        ),
    ] = None,
    redis: Annotated[str | None, typer.Option(help="URL of the Redis to use.")] = None,
    embedded: Annotated[
        bool | None, typer.Option("--embedded", help="Start a private real Redis.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Spool, token key, embedded Redis.")] = None,
    archive: Annotated[Path | None, typer.Option(help="Folder of the archive.")] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of the models.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="Prompt catalogue.")] = None,
    token_key_file: Annotated[Path | None, typer.Option(help="File of 32 random bytes.")] = None,
    clock: Annotated[str | None, typer.Option(help="system, or event for replays.")] = None,
    budget_ms: Annotated[int | None, typer.Option(help="Longest time for one answer.")] = None,
    redis_timeout_ms: Annotated[int | None, typer.Option(help="Longest wait for Redis.")] = None,
    threads: Annotated[int | None, typer.Option(help="Calls served at once by a worker.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes, one a core and a port.")] = None,
    pin: Annotated[str | None, typer.Option(help="auto, off, or the workers' cores: 0,2.")] = None,
) -> None:
    """Serve decisions over gRPC. Every option can also be given as FANZHA_<NAME>."""
    write_log(time.monotonic)
    warn_of_unread()
    settings = read_settings(
        address=address,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        roles=roles,
        everyone_is_admin_without_tls=everyone_is_admin_without_tls,
        redis=redis,
        embedded=embedded,
        data_dir=data_dir,
        archive=archive,
        models=models,
        policy=policy,
        prompts=prompts,
        token_key_file=token_key_file,
        clock=clock,
        budget_ms=budget_ms,
        redis_timeout_ms=redis_timeout_ms,
        threads=threads,
        workers=workers,
        pin=pin,
    )
    # A core would hold what the door has just read; children take the limit over.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Every connection is an open file; the usual soft limit of 1,024 is for other programs.
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= files < _FILES:
        enough = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))
    serve_with(settings)
