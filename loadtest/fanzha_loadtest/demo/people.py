"""The two people who change the demo's models, with keys of their own."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from fanzha_loadtest.commands import run

Role = Literal["modeller", "lead"]
_ROLES: tuple[Role, ...] = ("modeller", "lead")


@dataclass(frozen=True, slots=True)
class People:
    """Where their private keys lie."""

    folder: Path

    @classmethod
    def new(cls, folder: Path, trusted: Path) -> Self:
        """Make a key for each and have them trusted.

        Args:
            folder: for the private keys.
            trusted: folder of the trusted public keys.

        Raises:
            CommandError: a key could not be made.

        """
        trusted.mkdir(exist_ok=True)
        for role in _ROLES:
            file = folder / f"{role}.key"
            made = run("fanzha", "models key", "--name", _name(role), "--out", file)
            shutil.copy(made["public_key"], trusted)
        return cls(folder)

    def speaking(self, role: Role) -> tuple[object, ...]:
        """Return the options by which a person makes a statement about a model."""
        return "--as", _name(role), "--key", self.folder / f"{role}.key"

    def signing(self, role: Role) -> tuple[object, ...]:
        """Return the options by which a person signs an export."""
        return "--as", _name(role), "--sign-with", self.folder / f"{role}.key"


def _name(role: Role) -> str:
    return f"demo.{role}"
