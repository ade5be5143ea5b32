"""What `fanzha models list` and `show` tell: every version, its state, and who said what of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fanzha.domain.errors import ModelRefusedError, SetupError
from fanzha.registry.model_folder import (
    MANIFEST_FILE,
    folder_of,
    read_model_folder,
    read_signature,
)
from fanzha.registry.registry_file import read_history
from fanzha.registry.standing import Standing, standing_of
from fanzha.registry.statements import Action, Statement
from fanzha.signing.keys import TrustedKeys

Check = Callable[[Path, int | None], object]
"""Checks a model as a worker would: its folder, the number of the statement that first named it;
raises SetupError."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The registry and all models beside it."""

    standing: Standing
    history: tuple[Statement, ...]
    refused: str
    """Why the registry does not count; empty when it does."""
    models: tuple[dict[str, Any], ...]
    """`model`, `state`, `signed_by`, `refused` and `statements` of each, by label."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        shadow = self.standing.shadow
        return {
            "champion": self.standing.champion_label or None,
            "shadow": None if shadow is None else shadow.label,
            "statements": len(self.history),
            "refused": self.refused,
            "models": list(self.models),
        }


def overview_of(models: Path, keys: TrustedKeys, check: Check) -> Overview:
    """Look at the registry and at every model.

    Raises:
        SetupError: there is no folder of models.
    """
    history: tuple[Statement, ...] = ()
    standing, refused = Standing(), ""
    if not models.is_dir():
        raise SetupError(f"there is no folder of models {models}; name it with --models")
    try:
        history = read_history(models)
        standing = standing_of(history, keys)
    except SetupError as error:
        refused = str(error)
    labels = {f"{x.parent.parent.name}/{x.parent.name}" for x in _manifests(models)}
    labels |= {statement.model for statement in history}
    return Overview(
        standing,
        history,
        refused,
        tuple(_model(models, label, standing, history, check) for label in sorted(labels)),
    )


def _manifests(models: Path) -> list[Path]:
    found = models.glob(f"*/*/{MANIFEST_FILE}")
    return [file for file in found if not file.parent.name.startswith(".")]


def _model(
    models: Path,
    label: str,
    standing: Standing,
    history: Sequence[Statement],
    check: Check,
) -> dict[str, Any]:
    signed_by, cause = "", ""
    try:
        folder = folder_of(models, label)
        found = read_model_folder(folder)
        signed_by = read_signature(found).by
        champion = standing.champions.get(label)
        if champion is not None and champion.manifest_sha256 != found.manifest_sha256:
            raise ModelRefusedError(
                f"{folder} holds another model than the one that was the champion"
            )
        check(folder, standing.first_named(label, found.manifest_sha256))
    except SetupError as error:
        cause = str(error)
    return {
        "model": label,
        "state": _state(label, standing),
        "signed_by": signed_by,
        "refused": cause,
        "statements": [_told(each) for each in history if each.model == label],
    }


def _state(label: str, standing: Standing) -> str:
    if label == standing.champion_label:
        return "champion"
    if standing.shadow is not None and standing.shadow.label == label:
        return "shadow"
    if label in standing.proposals:
        return "proposed"
    return "former" if label in standing.champions else "candidate"


def _told(statement: Statement) -> dict[str, Any]:
    told: dict[str, Any] = {
        "number": statement.number,
        "action": statement.action.value,
        "time": statement.time,
        "by": statement.by,
        "reason": statement.reason,
        "champion_before": statement.champion_before or None,
    }
    if statement.action is Action.PROPOSE and statement.gate is not None:
        told["gate"] = asdict(statement.gate)
    return told
