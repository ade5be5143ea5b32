"""Finds record ids that come twice among any number, in bounded memory: they are sorted on disk."""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

_PARTS: Final = 256
_IN_MEMORY: Final = 1 << 20


class Repetitions:
    """Takes hashes of ids; then says which of them came more than once."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fanzha-audit-")
        self._held: list[int] = []

    def add(self, record_id: str) -> None:
        """Take an id."""
        self._held.append(hash_of_id(record_id))
        if len(self._held) >= _IN_MEMORY:
            self._write()

    def _write(self) -> None:
        hashes = np.array(self._held, np.uint64)
        self._held = []
        part = (hashes >> np.uint64(56)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        hashes, part = hashes[order], part[order]
        ends = np.searchsorted(part, np.arange(_PARTS + 1))
        for number in range(_PARTS):
            some = hashes[ends[number] : ends[number + 1]]
            if len(some):
                with (Path(self._folder.name) / str(number)).open("ab") as file:
                    file.write(some.tobytes())

    def found(self) -> set[int]:
        """Return the hashes of ids that came more than once; a few may only look so."""
        self._write()
        twice: list[npt.NDArray[np.uint64]] = []
        for file in Path(self._folder.name).iterdir():
            hashes = np.sort(np.fromfile(file, np.uint64))
            twice.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
        return {int(x) for some in twice for x in some}

    def close(self) -> None:
        """Remove what was written."""
        self._folder.cleanup()


def hash_of_id(record_id: str) -> int:
    """Return 64 bits that stand for an id."""
    return int.from_bytes(hashlib.blake2b(record_id.encode(), digest_size=8).digest())
