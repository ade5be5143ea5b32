"""Notes every record that the service took, and looks each up in the archive afterwards."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

_ID_BYTES: Final = 26
KINDS: Final = ("decision", "execution", "outcome")


class Notes:
    """A file of decision ids for each kind of record, 26 bytes each: a long run fits on a disk."""

    def __init__(self, folder: Path) -> None:
        self.paths = {kind: folder / f"{kind}.ids" for kind in KINDS}
        self._files = {kind: path.open("wb", 2**16) for kind, path in self.paths.items()}

    def note(self, kind: str, decision_id: str) -> None:
        """Note a record that the service has confirmed."""
        self._files[kind].write(decision_id.encode())

    def close(self) -> None:
        """Write everything out."""
        for file in self._files.values():
            file.close()


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind of record: what clients were told, and what the archive holds."""

    kind: str
    told: int
    archived: int
    missing: int
    """Told, and not there."""
    doubled: int
    """There more than once."""
    untold: int
    """There, and told to nobody: a call that failed at the client may have got that far."""

    def agrees(self, failed: int) -> bool:
        """Return whether both hold the same, but for calls that the client saw fail."""
        return self.missing == 0 and self.doubled == 0 and self.untold <= failed


def compare(notes: Notes, archive: Path) -> tuple[list[Compared], dict[str, int]]:
    """Return the comparison of each kind, and all rows of the archive by kind."""
    held: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    rows: dict[str, int] = {}
    for file in _files(archive):
        # One file at a time: the folder's name must not become a column.
        table = pq.ParquetFile(file).read(columns=["kind", "decision_id"])
        kinds = np.asarray(table["kind"].to_pylist())
        names = np.asarray([name or "" for name in table["decision_id"].to_pylist()], "S26")
        for kind, count in zip(*np.unique(kinds, return_counts=True), strict=True):
            rows[str(kind)] = rows.get(str(kind), 0) + int(count)
        for kind in KINDS:
            held[kind].append(names[kinds == kind])
    return [_compare(kind, notes.paths[kind], held[kind]) for kind in KINDS], rows


def _compare(kind: str, path: Path, parts: list[np.ndarray]) -> Compared:
    told = np.fromfile(path, dtype=f"S{_ID_BYTES}")
    archived = np.concatenate(parts) if parts else np.empty(0, f"S{_ID_BYTES}")
    once = np.unique(archived)
    return Compared(
        kind=kind,
        told=len(told),
        archived=len(archived),
        missing=len(np.setdiff1d(told, once)),
        doubled=len(archived) - len(once),
        untold=len(np.setdiff1d(once, told)),
    )


def _files(archive: Path) -> list[Path]:
    """Return the files that the archive's log names."""
    commits = (json.loads(one.read_bytes()) for one in sorted((archive / "_log").glob("*.json")))
    return [archive / file["path"] for commit in commits for file in commit.get("files", ())]
