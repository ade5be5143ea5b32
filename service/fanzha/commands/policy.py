"""`fanzha policy`: signs a policy or a catalogue of prompts, and shows who did."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fanzha.commands.policy_degraded import degraded
from fanzha.commands.signer import PassphraseFile, signer_of
from fanzha.domain.errors import NotTrustedError, SetupError
from fanzha.policy.load import load_policy
from fanzha.policy.prompts import load_prompts
from fanzha.policy.signatures import (
    Kind,
    Signature,
    check_signed,
    read_own_file,
    read_signatures,
    sign_file,
)
from fanzha.settings import read_settings
from fanzha.signing.keys import read_trusted

policy = typer.Typer(
    help="Policies and prompts: sign, show, and what is answered when parts are missing.",
    no_args_is_help=True,
)
policy.command()(degraded)

File = Annotated[Path, typer.Argument(help="The policy, or the catalogue of prompts.")]
KindOption = Annotated[Kind, typer.Option("--kind", help="What the file is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@policy.command()
def sign(
    file: File,
    name: Annotated[str, typer.Option("--as", help="Who you are: the name of your trusted key.")],
    key_file: Annotated[Path, typer.Option("--key", help="Your private key.")],
    kind: KindOption = Kind.POLICY,
    reason: Annotated[str, typer.Option(help="Why; it is signed and kept.")] = "",
    key_passphrase_file: PassphraseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Sign a file as it is: the first person proposes it, the second approves it.

    A file with faults is not signed. A changed file has to be signed anew by both.
    """
    content = read_own_file(file, kind, None, is_near=True)
    version = _version(file, content, kind)
    signer = signer_of(name, key_file, key_passphrase_file)
    done = sign_file(file, content, kind, signer, reason, datetime.now(UTC))
    _tell(
        {
            "file": str(file),
            "kind": kind.value,
            "version": version,
            "sha256": done.sha256,
            "signed": _told(done.signatures),
        },
        as_json=as_json,
    )


@policy.command()
def show(
    file: File,
    kind: KindOption = Kind.POLICY,
    keys: Annotated[
        Path | None, typer.Option(help="Folder of the trusted keys; FANZHA_POLICY_KEYS.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell a file's version, its SHA-256, who signed it, and whether a worker would take it."""
    content = read_own_file(file, kind, None, is_near=True)
    folder = read_settings(policy_keys=keys).policy_keys
    if folder is None:
        raise SetupError("name the folder of the trusted keys: --keys, or FANZHA_POLICY_KEYS")
    fault, signatures = "", list[Signature]()
    try:
        # Also those that do not count are shown, so that a second person sees the first.
        found = read_signatures(file)
        signatures = [] if found is None else found.signatures
        check_signed(file, content, kind, read_trusted(folder))
    except NotTrustedError as error:
        fault = str(error)
    _tell(
        {
            "file": str(file),
            "kind": kind.value,
            "version": _version(file, content, kind),
            "sha256": hashlib.sha256(content).hexdigest(),
            "signed": _told(signatures),
            "counts": not fault,
            "refused_because": fault,
        },
        as_json=as_json,
    )
    if fault:
        raise typer.Exit(1)


def _version(file: Path, content: bytes, kind: Kind) -> str:
    """Return the file's own version. Raises FileRefusedError with all its faults."""
    if kind is Kind.POLICY:
        return load_policy(file, content=content).version
    return load_prompts(file, content).version


def _told(signatures: list[Signature]) -> list[str]:
    return [f"{each.part.value} by {each.by} at {each.time}" for each in signatures]


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for field, value in told.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{field.replace('_', ' '):<16} {'none' if shown in (None, '') else shown}")
