"""Reads which files an archive consists of: its log decides, not what lies in the folder.

`_log/000000000001.json` and so on are commits, each written once and never changed. A file that no
commit names is none of the archive's: an archiver was cut off, or somebody put it there. An archive
from before there was a log is read as it lies there.
"""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import msgspec
import pyarrow.parquet as pq

from fanzha.archive.entries import (
    FIRST,
    Commit,
    FileEntry,
    SeenCommit,
    SeenFile,
    hash_of,
    see_commit,
)
from fanzha.archive.storage import Place, Storage, open_storage
from fanzha.domain.errors import SetupError

LOG: Final = "_log"
"""Named with an underscore, because Arrow, Spark and their like pass over such folders."""
MANIFESTS: Final = "_manifests"
_DAY: Final = "day="
_ALL_BUCKETS: Final = (1 << 256) - 1
_EVER: Final = (0, 1 << 62)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of the archive, and what need not be looked for in it."""

    path: str
    """Relative to the archive: day=YYYY-MM-DD/part-….parquet."""
    day: str
    """The UTC day of its rows, YYYY-MM-DD."""
    rows: int | None
    """None in an archive without a log."""
    buckets: int
    """Bit b is set where it holds rows of bucket b."""
    decided: tuple[int, int] | None
    """Span of the times in the ids of its decisions, milliseconds; None: it holds none."""
    judged: tuple[int, int] | None
    """The same of the decisions that its outcomes speak of."""
    newest_ms: int
    """Redis's time of its newest journal entry."""
    sha256: str | None = None
    """Of its bytes; None in an archive without a log."""

    def holds_bucket(self, bucket: int) -> bool:
        """Say whether rows of a bucket can be in it."""
        return bool(self.buckets >> bucket & 1)


@dataclass(slots=True)
class _State:
    """What follows from the commits read so far."""

    number: int = 0
    hash: str = FIRST
    files: dict[str, ArchiveFile] = field(default_factory=dict)


class ArchiveLog:
    """The log of one archive, read once and then only as far as it grew. For any thread."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.storage: Storage = open_storage(place)
        self._lock = threading.Lock()
        self._state = _State()

    def files(self, first: date | None = None, last: date | None = None) -> list[ArchiveFile]:
        """Return the files of some UTC days, both inclusive, by day and then as they were written.

        Raises:
            SetupError: the archive cannot be read, or a commit is missing or damaged.
        """
        with self._lock:
            try:
                self._refresh()
                found = (
                    list(self._state.files.values())
                    if self._state.number
                    else _files_without_log(self.storage)
                )
            except OSError as error:
                raise SetupError(
                    f"cannot read the archive {self.storage.name}: {error}; "
                    "see that it is there and may be read"
                ) from error
        low = "" if first is None else first.isoformat()
        high = "9999" if last is None else last.isoformat()
        return sorted((x for x in found if low <= x.day <= high), key=lambda x: x.day)

    def known_files(self, day: date) -> list[ArchiveFile]:
        """Return the files of a day, as of the commits that were read."""
        name = day.isoformat()
        return [file for file in self._state.files.values() if file.day == name]

    def parquet(self, file: ArchiveFile | str) -> pq.ParquetFile:
        """Open a file. Raises FileNotFoundError, OSError, pa.ArrowException."""
        path = file if isinstance(file, str) else file.path
        return pq.ParquetFile(self.storage.open(path))

    def check(self, file: ArchiveFile) -> None:
        """Make sure that a file's bytes are those that its commit names.

        Raises:
            SetupError: they are not, or it cannot be read.
        """
        sha = hashlib.sha256()
        try:
            for block in self.storage.read_blocks(file.path):
                sha.update(block)
        except OSError as error:
            raise read_error(self, file, error) from error
        if file.sha256 is not None and sha.hexdigest() != file.sha256:
            raise SetupError(
                f"{self.full_path(file)} is not what was archived; see fanzha audit verify, and "
                "put the file back from a copy"
            )

    def full_path(self, file: ArchiveFile | str) -> str:
        """Return how to name a file to a person."""
        path = file if isinstance(file, str) else file.path
        return f"{self.storage.name}/{path}"

    @property
    def head(self) -> tuple[int, str]:
        """Number and hash of the newest commit read; 0 and zeros without any."""
        return self._state.number, self._state.hash

    def _refresh(self) -> None:
        for number, content in read_commits(self.storage, self._state.number + 1):
            try:
                fault = self._take(number, content)
            except (msgspec.MsgspecError, ValueError) as error:
                fault = str(error)
            if fault is not None:
                raise SetupError(
                    f"{self.storage.name}/{commit_path(number)} is damaged: {fault}; "
                    "run fanzha audit verify"
                )
            self._state.number, self._state.hash = number, hash_of(content)

    def _take(self, number: int, content: bytes) -> str | None:
        """Take in a commit; return what is wrong with it. Raises as its decoder."""
        return self._see(number, see_commit(content))

    def _see(self, number: int, commit: SeenCommit | Commit) -> str | None:
        state = self._state
        if commit.number != number:
            return f"it is commit {commit.number}"
        for entry in commit.files:
            state.files[entry.path] = _file(entry)
        if commit.expiry is not None:
            for gone in commit.expiry.gone:
                state.files.pop(gone.path, None)
                if (new := gone.replaced_by) is not None:
                    state.files[new.path] = _file(new)
        return None


def read_commits(storage: Storage, first: int) -> Iterator[tuple[int, bytes]]:
    """Yield numbers and bytes of the commits from a number on.

    Raises:
        SetupError: a commit is missing.
        OSError: the archive cannot be read.
    """
    number = first
    while True:
        try:
            content = storage.read(commit_path(number))
        except FileNotFoundError:
            # Once is enough: from then on, commits are seen to follow on each other.
            if first == 1 and _has_later(storage, number):
                raise SetupError(
                    f"the archive {storage.name} has commits after {number}, and not that one: a "
                    "part of it is missing; run fanzha audit verify"
                ) from None
            return
        yield number, content
        number += 1


def _has_later(storage: Storage, number: int) -> bool:
    names = storage.names(LOG)
    is_there = storage.size(commit_path(number)) is not None
    return bool(names) and names[-1] > commit_path(number).rpartition("/")[2] and not is_there


def commit_path(number: int) -> str:
    """Return the path of a commit."""
    return f"{LOG}/{number:012d}.json"


def ms_of(stream_id: str) -> int:
    """Return Redis's time in a journal entry's id, in milliseconds."""
    return int(stream_id.partition("-")[0])


def _file(entry: SeenFile | FileEntry) -> ArchiveFile:
    buckets = 0
    for segment in entry.segments:
        buckets |= 1 << segment.bucket
    # Times have thirteen digits until 2286, so that texts sort as they do.
    newest = ms_of(max([segment.last for segment in entry.segments], default="0-0"))
    return ArchiveFile(
        path=entry.path,
        day=day_of_path(entry.path),
        rows=entry.rows,
        buckets=buckets,
        decided=entry.decided,
        judged=entry.judged,
        newest_ms=newest,
        sha256=entry.sha256,
    )


def day_of_path(path: str) -> str:
    """Return the day in a file's path."""
    return path.partition("/")[0].removeprefix(_DAY)


def _files_without_log(storage: Storage) -> list[ArchiveFile]:
    return [
        ArchiveFile(path, day_of_path(path), None, _ALL_BUCKETS, _EVER, _EVER, _EVER[1])
        for path in part_paths(storage)
    ]


def part_paths(storage: Storage) -> list[str]:
    """Return the paths of all files that look like parts, whether a commit names them or not."""
    return [
        f"{folder}/{name}"
        for folder in storage.names("")
        if folder.startswith(_DAY)
        for name in storage.names(folder)
        if name.startswith("part-") and name.endswith(".parquet")
    ]


def files_of(place: Place) -> tuple[ArchiveLog, list[ArchiveFile]]:
    """Return an archive's log and all its files.

    Raises:
        SetupError: there are none, or the archive cannot be read.
    """
    log = ArchiveLog(place)
    files = log.files()
    if not files:
        raise SetupError(
            f"{place} holds no day=YYYY-MM-DD/part-*.parquet; give the folder that the service's "
            "archive was written to"
        )
    return log, files


def read_error(log: ArchiveLog, file: ArchiveFile, error: Exception) -> SetupError:
    """Return what to say of a file that cannot be read."""
    return SetupError(
        f"{log.full_path(file)} cannot be read: {error}; fetch the file again, or archive the day "
        "anew"
    )
