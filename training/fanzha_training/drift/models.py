"""Finds the reference of the model that a decision was served with."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from re import fullmatch

from fanzha.domain.errors import SetupError
from fanzha.features.manifest import manifest_hash
from fanzha_training.drift.reference import REFERENCE_FILE, Reference, read_reference
from fanzha_training.published import MANIFEST_FILE, read_manifest


@dataclass(frozen=True, slots=True)
class NoReference:
    """Why decisions of a model are compared with nothing."""

    reason: str


Found = Reference | NoReference


class References:
    """References of the models in a folder, by `name/version`; each is read once."""

    def __init__(self, models: Path) -> None:
        """Check the folder.

        Raises:
            SetupError: there is no such folder.

        """
        if not models.is_dir():
            raise SetupError(f"{models} is no folder; give the folder of the service's models")
        self.of = cache(lambda label: _find(models, label))
        """Takes `name/version`, returns the reference or why there is none."""


@dataclass(frozen=True, slots=True)
class OneModel:
    """One model that all decisions are compared with, whichever they were served with."""

    label: str
    """name/version."""
    reference: Reference


def load_one(folder: Path) -> OneModel:
    """Return one exported model's reference.

    Raises:
        SetupError: the folder holds none, it is damaged, or the model has other features.

    """
    label = read_manifest(folder).label
    found = _read(folder)
    if isinstance(found, NoReference):
        raise SetupError(f"{folder}: {found.reason}")
    return OneModel(label, found)


def _find(models: Path, label: str) -> Found:
    if not fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*", label):
        return NoReference("it is no name/version")
    folder = models / label
    if not (folder / MANIFEST_FILE).exists():
        return NoReference(f"{models} does not hold it; fetch it, or give another --models")
    return _read(folder)


def _read(folder: Path) -> Found:
    manifest = read_manifest(folder)
    if not (folder / REFERENCE_FILE).exists() and REFERENCE_FILE not in manifest.files_sha256:
        return NoReference(f"it was exported without {REFERENCE_FILE}; train and export it anew")
    reference = read_reference(folder / REFERENCE_FILE)
    if reference.feature_hash != manifest_hash():
        return NoReference("it has other features than this code")
    return reference
