"""`fanzha token-key`: makes, wraps and shows the key that tokens are made with; never prints it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from fanzha.domain.errors import SetupError
from fanzha.secrets.digests import Algorithm
from fanzha.secrets.opening import wrapper_of
from fanzha.secrets.private_file import read_private, write_private_once
from fanzha.secrets.token_key import (
    KeyFile,
    TokenKey,
    new_key,
    plain_key,
    read_key_file,
    replace_key,
    wrapped_content,
    write_new_key,
)
from fanzha.secrets.wrapping import KEY_BYTES, Wrapper

token_key = typer.Typer(
    help="The key that tokens are made with: new, wrap, rotate, show.", no_args_is_help=True
)

KeyPath = Annotated[Path, typer.Argument(help="File of the token key.")]
KekFile = Annotated[Path | None, typer.Option(help="File of 32 random bytes that wraps it.")]
KmsCommand = Annotated[str | None, typer.Option(help="Command that asks the bank's KMS.")]
WrappedKek = Annotated[
    Path | None, typer.Option("--kms-wrapped-kek", help="File of the key that the KMS wrapped.")
]
Passphrase = Annotated[Path | None, typer.Option(help="File of a passphrase.")]
OldKekFile = Annotated[Path | None, typer.Option(help="As --kek-file, for what wraps it now.")]
OldKms = Annotated[str | None, typer.Option(help="As --kms-command, for what wraps it now.")]
OldPassphrase = Annotated[
    Path | None, typer.Option(help="As --passphrase-file, for what wraps it now.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@token_key.command()
def kek(out: Annotated[Path, typer.Argument(help="File for the key that wraps.")]) -> None:
    """Make a key to wrap token keys with: 32 random bytes. Keep it apart from what it wraps."""
    if not write_private_once(out, os.urandom(KEY_BYTES), "the key that wraps"):
        raise SetupError(f"{out} exists already; keys are never overwritten, choose another place")
    typer.echo(f"a wrapping key is in {out}; only you may read it")


@token_key.command()
def new(
    out: KeyPath,
    algorithm: Annotated[Algorithm, typer.Option(help="What makes tokens.")] = Algorithm.BLAKE2B,
    kek_file: KekFile = None,
    kms_command: KmsCommand = None,
    kms_wrapped_kek: WrappedKek = None,
    passphrase_file: Passphrase = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a new token key, wrapped. A file that exists is never overwritten."""
    wrapper = _to_wrap_with(kek_file, kms_command, kms_wrapped_kek, passphrase_file)
    key = new_key(algorithm)
    write_new_key(out, wrapped_content(key, wrapper))
    _tell(out, key, wrapper.method, as_json=as_json)


@token_key.command()
def wrap(
    plain: KeyPath,
    out: Annotated[Path, typer.Option(help="File for the wrapped key.")],
    algorithm: Annotated[
        Algorithm, typer.Option(help="What makes tokens of the plain key.")
    ] = Algorithm.BLAKE2B,
    kek_file: KekFile = None,
    kms_command: KmsCommand = None,
    kms_wrapped_kek: WrappedKek = None,
    passphrase_file: Passphrase = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Wrap a plain key of 32 bytes into another file. Tokens stay the same."""
    found = read_key_file(plain)
    if found.is_wrapped:
        raise SetupError(f"{plain} is wrapped already; fanzha token-key rotate wraps it anew")
    wrapper = _to_wrap_with(kek_file, kms_command, kms_wrapped_kek, passphrase_file)
    key = plain_key(found.content, algorithm)
    write_new_key(out, wrapped_content(key, wrapper))
    _tell(out, key, wrapper.method, as_json=as_json)


@token_key.command()
def rotate(
    file: KeyPath,
    old_kek_file: OldKekFile = None,
    old_kms_command: OldKms = None,
    old_passphrase_file: OldPassphrase = None,
    kek_file: KekFile = None,
    kms_command: KmsCommand = None,
    kms_wrapped_kek: WrappedKek = None,
    passphrase_file: Passphrase = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Wrap the same key with another wrapping key, in one step. Tokens stay the same."""
    found = read_key_file(file)
    if not found.is_wrapped:
        raise SetupError(f"{file} is not wrapped; fanzha token-key wrap does it")
    key = _unwrapped(found, old_kek_file, old_kms_command, old_passphrase_file)
    wrapper = _to_wrap_with(kek_file, kms_command, kms_wrapped_kek, passphrase_file)
    replace_key(file, wrapped_content(key, wrapper))
    _tell(file, key, wrapper.method, as_json=as_json)


@token_key.command()
def extend(
    file: KeyPath,
    out: Annotated[Path, typer.Option(help="File for the new key.")],
    algorithm: Annotated[
        Algorithm, typer.Option(help="What makes the new tokens.")
    ] = Algorithm.BLAKE2B,
    plain_algorithm: Annotated[
        Algorithm, typer.Option(help="What makes tokens of a plain old key.")
    ] = Algorithm.BLAKE2B,
    old_kek_file: OldKekFile = None,
    old_kms_command: OldKms = None,
    old_passphrase_file: OldPassphrase = None,
    kek_file: KekFile = None,
    kms_command: KmsCommand = None,
    kms_wrapped_kek: WrappedKek = None,
    passphrase_file: Passphrase = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a new key that goes on from an old one, for fanzha rekey. Tokens become others."""
    found = read_key_file(file)
    if found.is_wrapped:
        old = _unwrapped(found, old_kek_file, old_kms_command, old_passphrase_file)
    else:
        old = plain_key(found.content, plain_algorithm)
    wrapper = _to_wrap_with(kek_file, kms_command, kms_wrapped_kek, passphrase_file)
    key = old.with_new(algorithm)
    write_new_key(out, wrapped_content(key, wrapper))
    _tell(out, key, wrapper.method, as_json=as_json)


@token_key.command()
def show(
    file: KeyPath,
    kek_file: KekFile = None,
    kms_command: KmsCommand = None,
    passphrase_file: Passphrase = None,
    algorithm: Annotated[
        Algorithm, typer.Option(help="What makes tokens of a plain key.")
    ] = Algorithm.BLAKE2B,
    *,
    as_json: AsJson = False,
) -> None:
    """Unwrap a key and say which one it is: its fingerprint, never the key."""
    found = read_key_file(file)
    if found.is_wrapped:
        key = found.unwrap(wrapper_of(kek_file, kms_command, passphrase_file))
    else:
        key = plain_key(found.content, algorithm)
    _tell(file, key, found.method, as_json=as_json)


def _unwrapped(
    found: KeyFile, kek_file: Path | None, kms_command: str | None, passphrase: Path | None
) -> TokenKey:
    """Return a key by what wraps it now. Raises SetupError when that was not given."""
    wrapper = wrapper_of(kek_file, kms_command, passphrase)
    if wrapper is None:
        raise SetupError(
            f"{found.path} is wrapped by {found.method}; say what unwraps it now: --old-kek-file, "
            "--old-kms-command or --old-passphrase-file"
        )
    return found.unwrap(wrapper)


def _to_wrap_with(
    kek_file: Path | None, kms_command: str | None, wrapped: Path | None, passphrase: Path | None
) -> Wrapper:
    kek = b""
    if wrapped is not None:
        kek = read_private(wrapped, "the wrapped key", "have the KMS make one")
    wrapper = wrapper_of(kek_file, kms_command, passphrase, kek)
    if wrapper is None:
        raise SetupError(
            "say what wraps the key: --kek-file, --kms-command with --kms-wrapped-kek, or "
            "--passphrase-file"
        )
    return wrapper


def _tell(file: Path, key: TokenKey, method: str, *, as_json: bool) -> None:
    told: Mapping[str, object] = {
        "file": str(file),
        "fingerprint": key.fingerprint,
        "algorithms": ", ".join(each.algorithm.value for each in key.keys),
        "wrapped_by": method or "nothing",
    }
    if as_json:
        typer.echo(json.dumps(told))
        return
    for field, value in told.items():
        typer.echo(f"{field.replace('_', ' '):<14} {value}")
