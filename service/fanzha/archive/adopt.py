"""Takes the files of an archive from before there was a log into its first commit."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.archive.entries import ADOPT, Commit, FileEntry
from fanzha.archive.log import part_paths
from fanzha.archive.part import NEEDED, Description, order_of
from fanzha.archive.writer import LogWriter, OvertakenError
from fanzha.domain.errors import SetupError

log = logging.getLogger(__name__)


Cursors = Callable[[], Mapping[int, bytes]]
"""Gives the entry up to which each bucket of Redis was trimmed."""


def adopt(archive: LogWriter, cursors: Cursors | None = None) -> Commit | None:
    """Make the first commit of files that lie there without one; None: there is nothing to do.

    What those files held before, nobody can say: from here on, they are watched.

    Args:
        archive: its log.
        cursors: of its Redis; None: somebody asked for this who knows what lies there.

    Raises:
        SetupError: a file cannot be read, or there was a log, which is gone.
        OSError: the archive cannot be written.
    """
    if archive.head[0]:
        return None
    paths = part_paths(archive.storage)
    if not paths:
        return None
    files, of_a_log = [], False
    for path in paths:
        file, is_of_a_log = _entry(archive, path)
        files.append(file)
        of_a_log = of_a_log or is_of_a_log
    if of_a_log and cursors is not None:
        _refuse_trimmed(archive, files, cursors())
    log.warning("%d file(s) that no log named are taken into one", len(paths))

    def said() -> dict[str, Any]:
        if archive.head[0]:
            raise OvertakenError("another archiver took the files in")
        return {"files": archive.link_files(files, {})}

    try:
        return archive.append(ADOPT, said)
    except OvertakenError:
        return None


def _refuse_trimmed(
    archive: LogWriter, files: Iterable[FileEntry], cursors: Mapping[int, bytes]
) -> None:
    """Refuse files that a log named once, or somebody could remove it and have others signed.

    Redis is trimmed after the commit. So what an archiver left that was killed before its first
    commit, Redis still holds.
    """
    for file in files:
        for segment in file.segments:
            cursor = cursors.get(segment.bucket)
            if cursor is not None and order_of(segment.first) <= order_of(cursor):
                raise SetupError(
                    f"{archive.full_path(file.path)} was written under a log, and the archive has "
                    "none: put _log and _manifests back from a copy; if they are nowhere any more, "
                    "fanzha audit adopt takes in what lies there, which nobody has watched"
                )


def _entry(archive: LogWriter, path: str) -> tuple[FileEntry, bool]:
    """Describe a file, and say whether it is of a time when there was a log."""
    content = archive.storage.read(path)
    description, of_a_log = Description(), False
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        names = [name for name in NEEDED if name in file.schema_arrow.names]
        for batch in file.iter_batches(columns=names):
            table = pa.Table.from_batches([batch])
            description.add_table(table)
            of_a_log = of_a_log or _is_of_a_log(table)
    except (pa.ArrowException, OSError) as error:
        raise SetupError(
            f"{archive.full_path(path)} cannot be read: {error}; move it out of the archive"
        ) from error
    return description.entry(path, len(content), hashlib.sha256(content).hexdigest()), of_a_log


def _is_of_a_log(table: pa.Table) -> bool:
    """Say whether a record is named by what it says; before there was a log, places were names."""
    columns = [table.column(name).to_pylist() for name in ("bucket", "stream_id", "record_id")]
    return any(f"{bucket}-{place}" != name for bucket, place, name in zip(*columns, strict=True))
