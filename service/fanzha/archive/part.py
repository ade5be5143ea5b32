"""Writes one file of the archive, and describes what is in it for the log."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.archive.chain import ROW, SegmentDigest, digest_of
from fanzha.archive.entries import FIRST, FileEntry, Segment
from fanzha.archive.rows import to_table
from fanzha.archive.schema import DECISION_KINDS, OUTCOME_KINDS
from fanzha.archive.storage import Storage
from fanzha.domain.ids import time_ms_of_decision

ROW_GROUP: Final = 2_000
"""Few enough that one decision is read quickly, many enough that files stay small. Rows are sorted
by bucket, so that a group holds few of them."""
NEEDED: Final = ("bucket", "kind", "decision_id", *ROW)
"""The columns that a file is described by."""
_NO_STREAM_ID: Final = "0-0"
_ID_LENGTH: Final = 26


def order_of(stream_id: str | bytes) -> tuple[int, int]:
    """Return what ids of journal entries are ordered by."""
    text = stream_id.decode() if isinstance(stream_id, bytes) else stream_id
    time_ms, _, number = text.partition("-")
    return int(time_ms), int(number or 0)


@dataclass(slots=True)
class _Of:
    """One bucket's rows so far."""

    first: str
    last: str
    rows: int = 0
    digest: SegmentDigest = field(default_factory=SegmentDigest)


@dataclass(slots=True)
class Description:
    """What a file holds; rows are taken in the order in which they lie in it."""

    rows: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    decided: tuple[int, int] | None = None
    judged: tuple[int, int] | None = None
    disorder: list[str] = field(default_factory=list)
    """Journal entries that do not come after the one before them."""
    _buckets: dict[int, _Of] = field(default_factory=dict)

    def add(self, bucket: int, kind: str, decision_id: str | None, values: Sequence[Any]) -> None:
        """Take one row: the columns of `NEEDED`, those of `ROW` in one."""
        self.rows += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        stream_id = values[1] or _NO_STREAM_ID
        held = self._buckets.get(bucket)
        if held is None:
            held = self._buckets[bucket] = _Of(stream_id, stream_id)
        elif order_of(stream_id) > order_of(held.last):
            held.last = stream_id
        else:
            self.disorder.append(stream_id)
            held.first = min(held.first, stream_id, key=order_of)
        held.rows += 1
        held.digest.add(kind, values)
        if decision_id is not None and (time_ms := made_ms(decision_id)) is not None:
            if kind in DECISION_KINDS:
                self.decided = _wider(self.decided, time_ms)
            elif kind in OUTCOME_KINDS:
                self.judged = _wider(self.judged, time_ms)

    def add_table(self, table: pa.Table) -> None:
        """Take the rows of a table that has the columns of `NEEDED`, or lacks new ones."""
        columns = [
            table.column(name).to_pylist() if name in table.column_names else [None] * len(table)
            for name in NEEDED
        ]
        for bucket, kind, decision_id, *values in zip(*columns, strict=True):
            self.add(bucket, kind, decision_id, values)

    @property
    def buckets(self) -> dict[int, dict[str, tuple[int, str]]]:
        """Bucket to rows and digest of each kind."""
        return {bucket: held.digest.kinds for bucket, held in self._buckets.items()}

    def segments(self) -> list[Segment]:
        """Return a link for each bucket, which no chain holds yet."""
        return [
            Segment(
                bucket, 0, held.first, held.last, held.rows, digest_of(held.digest.kinds), FIRST, ""
            )
            for bucket, held in sorted(self._buckets.items())
        ]  # fmt: skip

    def entry(self, path: str, size: int, sha256: str) -> FileEntry:
        """Return the file's entry for the log."""
        return FileEntry(
            path=path,
            bytes=size,
            sha256=sha256,
            rows=self.rows,
            kinds=dict(sorted(self.kinds.items())),
            segments=self.segments(),
            decided=self.decided,
            judged=self.judged,
        )


def made_ms(decision_id: str) -> int | None:
    """Return the time in a decision's id, in milliseconds; None where it is no such id."""
    try:
        return time_ms_of_decision(decision_id) if len(decision_id) == _ID_LENGTH else None
    except ValueError:
        return None


def _wider(span: tuple[int, int] | None, time_ms: int) -> tuple[int, int]:
    if span is None:
        return time_ms, time_ms
    return min(span[0], time_ms), max(span[1], time_ms)


def write_part(storage: Storage, path: str, rows: Iterable[dict[str, Any]]) -> FileEntry:
    """Write rows as one file, which is on the disk when this returns.

    Args:
        storage: of the archive.
        path: of the new file.
        rows: of one day, each bucket's in the order of the journal.

    Raises:
        OSError: it cannot be written; then it is not there.
    """
    ordered = sorted(rows, key=lambda row: int(row["bucket"]))
    description = Description()
    for row in ordered:
        description.add(
            row["bucket"], row["kind"], row.get("decision_id"), [row.get(name) for name in ROW]
        )
    content = parquet_bytes(to_table(ordered))
    storage.write(path, content)
    return description.entry(path, len(content), hashlib.sha256(content).hexdigest())


def parquet_bytes(table: pa.Table) -> pa.Buffer:
    """Return a table as the content of a file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP)
    return sink.getvalue()
