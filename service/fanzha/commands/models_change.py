"""`fanzha models shadow`, `promote`, `rollback`, `sign` and `key`: what people change and sign."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fanzha.commands.models_options import (
    AsJson,
    Folder,
    KeyFile,
    KeysFolder,
    Label,
    Name,
    Reason,
    place_of,
)
from fanzha.commands.signer import PassphraseFile, signer_of
from fanzha.domain.errors import SetupError
from fanzha.registry.changes import Changed, Registrar
from fanzha.registry.model_folder import folder_of, read_model_folder, sign_model
from fanzha.secrets.wrapping import read_passphrase
from fanzha.signing.keys import make_key


def promote(
    label: Label,
    name: Name,
    key_file: KeyFile,
    gate_report: Annotated[
        Path | None, typer.Option(help="File that fanzha-training gate --report wrote: proposes.")
    ] = None,
    approve: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--approve", help="Agree to what another person proposed.")
    ] = False,
    reason: Reason = "",
    folder: Folder = None,
    keys_folder: KeysFolder = None,
    key_passphrase_file: PassphraseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a model the champion: one person proposes it with the gate's report, another approves.

    Every worker takes it over within seconds of the approval.
    """
    registrar = _registrar(name, key_file, key_passphrase_file, reason, folder, keys_folder)
    if approve == (gate_report is not None):
        raise SetupError("give either --gate-report, to propose, or --approve, to agree")
    if gate_report is not None:
        _tell(registrar.propose(label, gate_report), as_json=as_json)
    else:
        _tell(registrar.approve(label), as_json=as_json)


def rollback(
    name: Name,
    key_file: KeyFile,
    to: Annotated[
        str | None,
        typer.Option(help="A former champion; without it, the one before the present one."),
    ] = None,
    reason: Reason = "",
    folder: Folder = None,
    keys_folder: KeysFolder = None,
    key_passphrase_file: PassphraseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a former champion the champion again; one person suffices, so that it can be fast."""
    registrar = _registrar(name, key_file, key_passphrase_file, reason, folder, keys_folder)
    _tell(registrar.roll_back(to), as_json=as_json)


def shadow(
    name: Name,
    key_file: KeyFile,
    label: Annotated[str | None, typer.Argument(help="The model, as name/version.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Have no model score in shadow.")] = False,  # noqa: FBT002 - a flag
    reason: Reason = "",
    folder: Folder = None,
    keys_folder: KeysFolder = None,
    key_passphrase_file: PassphraseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Have a model score beside the champion, on record but without any effect; or none, --off."""
    if off == (label is not None):
        raise SetupError("name either a model, or --off")
    registrar = _registrar(name, key_file, key_passphrase_file, reason, folder, keys_folder)
    changed = registrar.unshadow() if label is None else registrar.shadow(label)
    _tell(changed, as_json=as_json)


def sign(
    label: Label,
    name: Name,
    key_file: KeyFile,
    folder: Folder = None,
    key_passphrase_file: PassphraseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Sign a model's files as they are; whoever signed them before is replaced."""
    place = place_of(folder, None)
    model = read_model_folder(folder_of(place.models, label))
    sign_model(model.folder, signer_of(name, key_file, key_passphrase_file))
    _show({"model": label, "signed_by": name}, as_json=as_json)


def key(
    name: Annotated[str, typer.Option(help="Whose key it is to be.")],
    out: Annotated[Path, typer.Option(help="File for the private key; keep it to yourself.")],
    machine: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--machine", help="For a pipeline: may sign models, nothing else.")
    ] = False,
    key_passphrase_file: Annotated[
        Path | None, typer.Option(help="File of a passphrase to encrypt the private key with.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key pair: the private key, and NAME.pub for the folder of trusted keys."""
    passphrase = read_passphrase(key_passphrase_file) if key_passphrase_file else None
    public = make_key(name, out, is_machine=machine, passphrase=passphrase)
    _show({"name": name, "private_key": str(out), "public_key": str(public)}, as_json=as_json)


def _registrar(
    name: str,
    key_file: Path,
    passphrase_file: Path | None,
    reason: str,
    folder: Path | None,
    keys_folder: Path | None,
) -> Registrar:
    place = place_of(folder, keys_folder)
    return Registrar(
        place.models,
        place.keys,
        signer_of(name, key_file, passphrase_file),
        datetime.now(UTC),
        reason,
        check=lambda model, number: place.load(model.folder, number),
    )


def _tell(changed: Changed, *, as_json: bool) -> None:
    statement, standing = changed
    waiting = list(standing.proposals)
    told = {
        "statement": statement.number,
        "action": statement.action.value,
        "model": statement.model,
        "by": statement.by,
        "time": statement.time,
        "champion": standing.champion_label or None,
        "shadow": None if standing.shadow is None else standing.shadow.label,
        "waiting_for_approval": waiting if as_json else ", ".join(waiting),
    }
    _show(told, as_json=as_json)


def _show(told: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for field, value in told.items():
        typer.echo(f"{field.replace('_', ' '):<22} {'none' if value in (None, '') else value}")
