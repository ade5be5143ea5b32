"""`fanzha audit verify`: whether an archive is what its archivers wrote, byte for byte."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fanzha.archive.check_files import FilesCheck
from fanzha.archive.check_log import LogCheck
from fanzha.archive.found_faults import Findings
from fanzha.archive.log import LOG, ArchiveLog, part_paths
from fanzha.archive.orphans import OURS
from fanzha.archive.part import order_of
from fanzha.archive.storage import Place
from fanzha.archive.writer import NOTHING
from fanzha.domain.errors import SetupError
from fanzha.signing.keys import read_trusted

_STRANGE: Final = "no archiver gives such a name"
_STRANGE_MEANS: Final = "somebody put it there; our readers pass over it, and others may not"


@dataclass(frozen=True, slots=True)
class Outside:
    """What is known from elsewhere: by nothing else can the newest commit be missed."""

    head: tuple[int, str] | None = None
    """Number and hash of a commit that was noted."""
    cursors: dict[int, str] | None = None
    """Bucket to the journal entry up to which Redis was trimmed."""


def verify(
    place: Place,
    keys: Path,
    outside: Outside,
    day: str | None,
    begin: Callable[[int], None],
    progress: Callable[[int], None],
) -> Findings:
    """Check an archive, in bounded memory; every fault is found, not only the first.

    Args:
        place: of the archive.
        keys: trusted folder.
        outside: what is known from elsewhere.
        day: look at the files of this UTC day alone; the log is checked as a whole.
        begin: told how many bytes of files there are to read.
        progress: told of the bytes that were.

    Raises:
        SetupError: the archive cannot be read, or has no log.
    """
    findings = Findings()
    archive = ArchiveLog(place)
    try:
        if not archive.storage.names(LOG):
            raise SetupError(
                f"{place} has no log, so that nothing can be checked; if it had one, put it back "
                "from a copy; if it is from before there was one, or was re-keyed, fanzha audit "
                "adopt takes what lies there into one"
            )
        log = LogCheck(archive.storage, read_trusted(keys), findings)
        log.run()
        _check_outside(log, outside, findings)
        chosen = [path for path, stated in log.files.items() if day in (None, stated.day)]
        if not chosen and day is not None:
            findings.note(f"the archive holds nothing of {day}, so that no file was looked at")
        begin(sum(log.files[path].entry.bytes for path in chosen))
        FilesCheck(archive, log, findings).run(chosen, progress)
        _check_unnamed(archive, log, findings)
        _check_strange(archive, findings)
    except OSError as error:
        raise SetupError(f"cannot read the archive {place}: {error}") from error
    return findings


def _check_outside(log: LogCheck, outside: Outside, findings: Findings) -> None:
    if outside.head is not None:
        number, noted = outside.head
        found = log.hashes.get(number)
        if found is None:
            findings.fault(
                f"commit {number}",
                f"it was noted, and the log ends with commit {max(log.hashes, default=0)}",
                "the newest commits were removed, or an older copy was put in the archive's place",
            )
        elif found != noted:
            findings.fault(
                f"commit {number}",
                "it is another one than the one that was noted",
                "the log was written anew since",
            )
    for bucket, cursor in (outside.cursors or {}).items():
        last = log.heads.get(bucket, NOTHING).last
        if last is None or order_of(cursor) > order_of(last):
            findings.fault(
                f"bucket {bucket}",
                f"Redis was trimmed up to {cursor}, and its chain ends at {last or 'nothing'}",
                "the newest commits were removed, or this is not the archive that Redis was "
                "trimmed for",
            )


def _check_unnamed(archive: ArchiveLog, log: LogCheck, findings: Findings) -> None:
    """Look at the files that no commit names: copies are faults, what was cut off is not."""
    hashes = {stated.entry.sha256: path for path, stated in log.files.items()}
    hashes |= {gone.sha256: path for path, gone in log.gone.items()}
    for path in part_paths(archive.storage):
        if path in log.files:
            continue
        if path in log.gone:
            findings.note(
                f"{path} expired and still lies there, because its removal was cut off: fanzha "
                "audit expire --apply removes it"
            )
            continue
        sha = hashlib.sha256()
        for block in archive.storage.read_blocks(path):
            sha.update(block)
        original = hashes.get(sha.hexdigest())
        if original is None and OURS.fullmatch(path.rpartition("/")[2]) is None:
            findings.fault(path, _STRANGE, _STRANGE_MEANS)
        elif original is not None and _is_of_two_archivers(path, original):
            findings.note(
                f"{path} is named by no commit, and its content is that of {original}: an archiver "
                "was cut off and another did the same round, or somebody put a copy there; readers "
                "pass over it"
            )
        elif original is not None:
            findings.fault(
                path,
                f"no commit names it, and its content is that of {original}",
                "somebody put a copy there, or moved the file; readers pass over it",
            )
        else:
            findings.note(
                f"{path} is named by no commit: an archiver was cut off, or somebody put it there; "
                "readers pass over it"
            )


def _check_strange(archive: ArchiveLog, findings: Findings) -> None:
    """Look for what no archiver writes, in folders that other programs read as they lie there."""
    known = set(part_paths(archive.storage))
    for folder in archive.storage.names(""):
        if not folder.startswith("day="):
            continue
        for name in archive.storage.names(folder):
            path = f"{folder}/{name}"
            # Programs that read folders of Parquet pass over such names.
            if path not in known and not name.startswith((".", "_")):
                findings.fault(path, _STRANGE, _STRANGE_MEANS)


def _is_of_two_archivers(path: str, original: str) -> bool:
    """Say whether two archivers could have written a file and one of the same content."""
    folder, _, name = path.partition("/")
    return folder == original.partition("/")[0] and OURS.fullmatch(name) is not None
