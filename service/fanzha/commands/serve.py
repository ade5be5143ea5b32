"""`fanzha serve`: runs one worker until it is told to stop."""

import resource
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fanzha.log_output import write_log
from fanzha.settings import read_settings, warn_of_unread

if TYPE_CHECKING:
    from fanzha.app import App

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
    threads: Annotated[int | None, typer.Option(help="Calls served at once.")] = None,
) -> None:
    """Serve decisions over gRPC. Every option can also be given as FANZHA_<NAME>."""
    # The service's parts take a second to load; other commands do without them.
    from fanzha.app import App  # noqa: PLC0415

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
    )
    # A core would hold what the door has just read; children take the limit over.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Every connection is an open file; the usual soft limit of 1,024 is for other programs.
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= files < _FILES:
        enough = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))
    _run(App(settings), settings.address)


def _run(app: "App", address: str) -> None:
    """Serve until told to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        app.start()
    except BaseException:
        app.stop()
        raise
    host = address.rpartition(":")[0]
    where = address if host == "unix" else f"{host}:{app.server.port}"
    typer.echo(f"fanzha: serving on {where}; stop with Ctrl-C")
    # In short waits: a signal that arrives just before a long one would not be noticed.
    while not stop.wait(timeout=0.5):
        pass
    app.stop()
    typer.echo("fanzha: stopped")
