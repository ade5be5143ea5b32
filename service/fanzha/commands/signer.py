"""Who signs: the options that name a private key and its passphrase, and how it is asked for."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fanzha.secrets.wrapping import read_passphrase
from fanzha.signing.keys import Passphrase, Signer, load_signer

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--key-passphrase-file",
        help="File of your key's passphrase; asked for at a terminal.",
    ),
]


def signer_of(name: str, key_file: Path, passphrase_file: Path | None) -> Signer:
    """Return the signer of a private key; a person at a terminal is asked for its passphrase.

    Raises:
        SetupError: the key cannot be used.
    """
    return load_signer(name, key_file, _asks(key_file, passphrase_file))


def _asks(key_file: Path, passphrase_file: Path | None) -> Passphrase | None:
    if passphrase_file is not None:
        return lambda: read_passphrase(passphrase_file)
    if not sys.stdin.isatty():
        return None

    def ask() -> bytes:
        asked = f"passphrase of {key_file}"
        return str(typer.prompt(asked, hide_input=True, err=True)).encode()

    return ask
