"""`fanzha certs`: certificates to try TLS with."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from fanzha.access.authority import Authority, Issued
from fanzha.access.roles import ASSIGNABLE, ROLE_MEANINGS
from fanzha.domain.errors import SetupError

certs = typer.Typer(help="Certificates to try TLS with; a bank has a CA of its own.")

_DAYS: Final = 30
_TRUST: Final = "spiffe://demo.fanzha/"
_HEAD: Final = """\
# Who is who, and may do what. Changes count within two seconds, without a restart.
clients:
"""
_CLIENT: Final = """\
  # {meaning}
  - name: demo-{role}
    certificates: ["{identity}"]
    roles: [{role}]
"""


@certs.callback()
def _group() -> None:
    """Keep `demo` a command of its own, also while it is the only one."""


@certs.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write to; must not exist yet.")],
    host: Annotated[
        list[str] | None, typer.Option(help="Further name or address of the server.")
    ] = None,
) -> None:
    """Make a CA, a server's certificate, one client for each role, and a roles file."""
    authority = Authority("Fanzha demo CA", timedelta(days=_DAYS))
    hosts = ["localhost", "127.0.0.1", "::1", *(host or [])]
    try:
        out.mkdir(parents=True, mode=0o700)
        (out / "ca.pem").write_bytes(authority.issued.certificate)
        write_pair(out, "server", authority.issue("Fanzha demo server", hosts=hosts))
        for role in ASSIGNABLE:
            write_pair(out, role, authority.issue(f"demo-{role}", uris=[_TRUST + role]))
        (out / "roles.yaml").write_text(_roles(), "utf-8")
    except FileExistsError as error:
        raise SetupError(f"{out} exists already; choose another folder with --out") from error
    except OSError as error:
        raise SetupError(f"cannot write {error.filename}: {error.strerror}") from error
    typer.echo(
        f"{out}: a CA, a server and {len(ASSIGNABLE)} clients for {_DAYS} days, and roles.yaml. "
        "The CA's key was thrown away: to try things out, not for real payments."
    )


def write_pair(folder: Path, name: str, issued: Issued) -> None:
    """Write a certificate, and its key for the owner's eyes only."""
    (folder / f"{name}.pem").write_bytes(issued.certificate)
    place = folder / f"{name}.key"
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(issued.key)


def _roles() -> str:
    return _HEAD + "".join(
        _CLIENT.format(meaning=ROLE_MEANINGS[role], role=role, identity=_TRUST + role)
        for role in ASSIGNABLE
    )
