"""The Lua scripts, and the commands that load and run them."""

import hashlib
from collections.abc import Sequence
from importlib import resources

from fanzha.adapters.redis_wire import Command

SCRIPT_NAMES = (
    *("gather", "commit", "execution", "outcome", "apply"),
    *("epoch", "rebuild", "reconcile", "archived"),
)


class Scripts:
    """The Lua scripts and their hashes."""

    def __init__(self) -> None:
        folder = resources.files("fanzha.adapters") / "scripts"
        shared = (folder / "history.lua").read_bytes()
        self.source = {
            name: shared + (folder / f"{name}.lua").read_bytes() for name in SCRIPT_NAMES
        }
        self.sha = {
            name: hashlib.sha1(source, usedforsecurity=False).hexdigest()
            for name, source in self.source.items()
        }

    def call(self, name: str, keys: Sequence[bytes], args: Sequence[object]) -> Command:
        """Return the command that runs a script."""
        return ("EVALSHA", self.sha[name], len(keys), *keys, *args)

    def loads(self) -> list[Command]:
        """Return the commands that load all scripts."""
        return [("SCRIPT", "LOAD", source) for source in self.source.values()]
