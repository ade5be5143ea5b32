"""The folder of one model, `<models>/<name>/<version>`: its files, and the signature over them.

The manifest names the SHA-256 of every file that is read; who signs the manifest signs them all.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fanzha.domain.errors import ModelRefusedError, NotTrustedError
from fanzha.registry.replaced import write_replaced
from fanzha.signing.keys import ALGORITHM, Signer, TrustedKeys, is_signed

MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "signature.json"

_CONTEXT: Final = b"fanzha model\0"
"""What is signed begins with it, so that no signature can be taken for one over a statement."""
_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_LABEL: Final = re.compile(f"{_PART}/{_PART}")
_REMEDY: Final = "copy the folder again, or export the model again"


@dataclass(frozen=True, slots=True)
class Signature:
    """Contents of `signature.json`: who signed the manifest, with which key."""

    by: str
    key: str
    signature: str


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model's folder whose files are those that its manifest names.

    It holds what was read: a file that is exchanged later is never the one that is loaded.
    """

    folder: Path
    label: str
    """name/version."""
    manifest: bytes
    files: Mapping[str, bytes]
    """Name to content, the manifest and its signature aside."""

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of the manifest in hexadecimal: names this model and no other."""
        return hashlib.sha256(self.manifest).hexdigest()


def folder_of(models: Path, label: str) -> Path:
    """Return the folder of a model.

    Raises:
        ModelRefusedError: the label is not of the form name/version.
    """
    if not _LABEL.fullmatch(label):
        raise ModelRefusedError(f"{label!r} names no model; write name/version")
    return models / label


def read_model_folder(folder: Path) -> ModelFolder:
    """Read a model's manifest and check that the files beside it are those that it names.

    Raises:
        ModelRefusedError: a file is missing, damaged or was exchanged, or the model lies in the
            place of another one.
    """
    try:
        manifest = (folder / MANIFEST_FILE).read_bytes()
        stored = json.loads(manifest)
        label = f"{stored['name']}/{stored['version']}"
        files = dict(stored["files_sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelRefusedError(
            f"{folder / MANIFEST_FILE} cannot be used: {error}; {_REMEDY}"
        ) from error
    if folder.absolute().parts[-2:] != tuple(label.split("/")):
        raise ModelRefusedError(f"{folder} holds the model {label}; move it to its own place")
    contents: dict[str, bytes] = {}
    for name, expected in files.items():
        content = _content(folder / name) if Path(name).name == name else None
        if content is None or hashlib.sha256(content).hexdigest() != expected:
            raise ModelRefusedError(
                f"{folder / name} is not the file that {MANIFEST_FILE} names (its SHA-256 "
                f"differs); {_REMEDY}"
            )
        contents[name] = content
    return ModelFolder(folder, label, manifest, contents)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelRefusedError(f"cannot read {file}: {error.strerror}; {_REMEDY}") from error


def sign_model(folder: Path, signer: Signer) -> None:
    """Write `signature.json` of a model whose manifest is in place, in one step.

    Raises:
        ModelRefusedError: the manifest is missing.
        SetupError: the folder cannot be written.
    """
    try:
        manifest = (folder / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise ModelRefusedError(f"cannot read {error.filename}: {error.strerror}") from error
    content = {
        "by": signer.name,
        "algorithm": ALGORITHM,
        "key": signer.key,
        "signature": signer.sign(_CONTEXT + manifest),
    }
    write_replaced(folder / SIGNATURE_FILE, (json.dumps(content, indent=2) + "\n").encode())


def read_signature(model: ModelFolder) -> Signature:
    """Return a model's signature, which is by the key that it names; that key may be anybody's.

    Raises:
        ModelRefusedError: there is none, or it is over another manifest.
    """
    file = model.folder / SIGNATURE_FILE
    try:
        stored = json.loads(file.read_bytes())
        signature = Signature(str(stored["by"]), str(stored["key"]), str(stored["signature"]))
        algorithm = stored["algorithm"]
    except FileNotFoundError as error:
        raise ModelRefusedError(
            f"{model.label} is not signed: there is no {file}; fanzha models sign makes it"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelRefusedError(f"{file} is no signature: {error!r}; sign it again") from error
    if algorithm != ALGORITHM or not is_signed(
        signature.key, _CONTEXT + model.manifest, signature.signature
    ):
        raise ModelRefusedError(
            f"the signature of {model.label} by {signature.by} is not over this manifest: one of "
            "the two was exchanged; restore the folder, or look into it and sign it again"
        )
    return signature


def check_signature(model: ModelFolder, keys: TrustedKeys, number: int | None = None) -> str:
    """Check a model's signature and return who signed it.

    Args:
        model: the model.
        keys: the trusted keys.
        number: of the statement that first named the model; None: none did yet.

    Raises:
        ModelRefusedError: it is unsigned, wrongly signed, or by nobody who is trusted.
    """
    signature = read_signature(model)
    try:
        keys.signer(signature.by, signature.key, number)
    except NotTrustedError as error:
        raise ModelRefusedError(
            f"the signature of {model.label} does not count: {error}"
        ) from error
    return signature.by
