"""People with real keys, whose public halves lie in a trusted folder."""

import shutil
from pathlib import Path

from fanzha.signing.keys import Signer, load_signer, make_key


def a_person(name: str, private: Path, trusted: Path, *, is_machine: bool = False) -> Signer:
    """Return somebody whose key was made in `private` and put into `trusted`."""
    trusted.mkdir(parents=True, exist_ok=True)
    file = private / f"{name}.key"
    shutil.copy(make_key(name, file, is_machine=is_machine), trusted)
    return load_signer(name, file)


def a_stranger(name: str, private: Path) -> Signer:
    """Return somebody whose key nobody trusts."""
    make_key(name, private / f"{name}.key")
    return load_signer(name, private / f"{name}.key")
