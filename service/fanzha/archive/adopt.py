"""Takes the files of an archive from before there was a log into its first commit."""

import hashlib
import logging
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.archive.entries import ADOPT, Commit, FileEntry
from fanzha.archive.log import part_paths
from fanzha.archive.part import NEEDED, Description
from fanzha.archive.writer import LogWriter, OvertakenError
from fanzha.domain.errors import SetupError

log = logging.getLogger(__name__)


def adopt(archive: LogWriter) -> Commit | None:
    """Make the first commit of files that lie there without one; None: there is nothing to do.

    What those files held before, nobody can say: from here on, they are watched.

    Raises:
        SetupError: a file cannot be read.
        OSError: the archive cannot be written.
    """
    if archive.head[0]:
        return None
    paths = part_paths(archive.storage)
    if not paths:
        return None
    log.warning("%d file(s) from before there was a log are taken into it", len(paths))
    files = [_entry(archive, path) for path in paths]

    def said() -> dict[str, Any]:
        if archive.head[0]:
            raise OvertakenError("another archiver took the files in")
        return {"files": archive.link_files(files, {})}

    try:
        return archive.append(ADOPT, said)
    except OvertakenError:
        return None


def _entry(archive: LogWriter, path: str) -> FileEntry:
    content = archive.storage.read(path)
    description = Description()
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        names = [name for name in NEEDED if name in file.schema_arrow.names]
        for batch in file.iter_batches(columns=names):
            description.add_table(pa.Table.from_batches([batch]))
    except (pa.ArrowException, OSError) as error:
        raise SetupError(
            f"{archive.full_path(path)} cannot be read: {error}; move it out of the archive"
        ) from error
    return description.entry(path, len(content), hashlib.sha256(content).hexdigest())
