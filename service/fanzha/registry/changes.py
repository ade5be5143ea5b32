"""The changes that people make: propose, approve, roll back, shadow.

Each looks at the model's files and signature first, so that nothing is said about a model that no
worker would take; the rules about who may say what stand in `standing.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fanzha.domain.errors import RegistryRefusedError, SetupError
from fanzha.registry.gate_report import passed_report
from fanzha.registry.model_folder import (
    ModelFolder,
    check_signature,
    folder_of,
    read_model_folder,
)
from fanzha.registry.registry_file import add_statement
from fanzha.registry.standing import Standing
from fanzha.registry.statements import Action, GateResult, Statement, iso_time, signed
from fanzha.signing.keys import Signer, TrustedKeys

Changed = tuple[Statement, Standing]
"""The statement that was added, and what follows from it."""


@dataclass(frozen=True, slots=True)
class Registrar:
    """One person at the registry. All methods raise SetupError where the change may not be made."""

    models: Path
    keys: TrustedKeys
    signer: Signer
    now: datetime
    reason: str = ""
    check: Callable[[ModelFolder, int | None], object] = lambda _model, _number: None
    """Looks closer at a model before anything is said for it: the model, and the number of the
    statement that first named it. Raises SetupError."""

    def propose(self, label: str, gate_report: Path) -> Changed:
        """Propose a model that passed the gate."""
        model = read_model_folder(folder_of(self.models, label))
        gate = passed_report(gate_report, model)
        return self._add(lambda standing: self._about(standing, Action.PROPOSE, model, gate))

    def approve(self, label: str) -> Changed:
        """Agree to what another person proposed; the model becomes the champion."""
        model = read_model_folder(folder_of(self.models, label))
        return self._add(lambda standing: self._about(standing, Action.APPROVE, model))

    def roll_back(self, label: str | None) -> Changed:
        """Go back to a former champion, without a name to the one before the present one."""
        return self._add(lambda standing: self._roll_back(standing, label))

    def shadow(self, label: str) -> Changed:
        """Have a model score beside the champion."""
        model = read_model_folder(folder_of(self.models, label))
        return self._add(lambda standing: self._about(standing, Action.SHADOW, model))

    def unshadow(self) -> Changed:
        """Have no model score beside the champion."""
        return self._add(self._unshadow)

    def _roll_back(self, standing: Standing, label: str | None) -> Statement:
        if label is None:
            label = "" if standing.champion is None else standing.champion.before
        if not label:
            raise SetupError(
                f"{standing.champion_label or 'no model'} was promoted over no other model; name a "
                "former champion (fanzha models list shows them)"
            )
        model = read_model_folder(folder_of(self.models, label))
        return self._about(standing, Action.ROLLBACK, model)

    def _unshadow(self, standing: Standing) -> Statement:
        shadow = standing.shadow
        if shadow is None:
            raise RegistryRefusedError("no model scores in shadow; there is nothing to do")
        return self._signed(standing, Action.UNSHADOW, shadow.label, shadow.manifest_sha256)

    def _about(
        self, standing: Standing, action: Action, model: ModelFolder, gate: GateResult | None = None
    ) -> Statement:
        named = standing.first_named(model.label, model.manifest_sha256)
        check_signature(model, self.keys, named)
        self.check(model, named)
        return self._signed(standing, action, model.label, model.manifest_sha256, gate)

    def _signed(
        self,
        standing: Standing,
        action: Action,
        label: str,
        manifest_sha256: str,
        gate: GateResult | None = None,
    ) -> Statement:
        statement = Statement(
            number=standing.number + 1,
            action=action,
            model=label,
            manifest_sha256=manifest_sha256,
            champion_before=standing.champion_label,
            time=iso_time(self.now),
            by=self.signer.name,
            key=self.signer.key,
            previous=standing.digests[-1] if standing.digests else "",
            reason=self.reason,
            gate=gate,
        )
        return signed(statement, self.signer)

    def _add(self, make: Callable[[Standing], Statement]) -> Changed:
        return add_statement(self.models, self.keys, make)
