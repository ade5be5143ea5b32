"""Reads an archive to rebuild Redis: a part of its subjects, or a few rows, at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fanzha.archive.log import ArchiveFile, ArchiveLog, files_of, read_error
from fanzha.archive.schema import SCHEMA
from fanzha.archive.storage import Place
from fanzha.domain.ids import BUCKETS
from fanzha.features.layout import RING_COLUMNS

Ints = npt.NDArray[np.int64]

ROWS_AT_ONCE: Final = 2_000_000
"""Changes of so many rows are held in memory at once, about 0.5 GB."""
_NUMBERS: Final = 2**20
_CHANGES: Final = (
    "bucket",
    "account",
    "seq",
    "previous_seq",
    "change",
    "change_columns",
    "learned_links",
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some subjects: those of some buckets; or of one bucket those of some first bytes."""

    low: int
    high: int
    """Buckets low to high - 1."""
    number: int = 0
    of: int = 1
    """Tokens whose first byte is `number`, modulo `of`."""


@dataclass(slots=True)
class Surveyed:
    """What an archive holds, in numbers."""

    rows: int = 0
    seq_max: int = 0
    newest: dict[int, str] = field(default_factory=dict)
    """Bucket to the id of its newest journal entry."""


class ArchiveRows:
    """The files of an archive, by day."""

    def __init__(self, place: Place) -> None:
        """Find the files.

        Raises:
            SetupError: there are none, or the archive cannot be read.
        """
        self._log, self.files = files_of(place)

    def survey(self) -> Surveyed:
        """Check all files, count rows, and find the newest sequence and journal entries.

        Raises:
            SetupError: a file is not what was archived, or cannot be read.
        """
        found = Surveyed()
        newest = np.full(BUCKETS, -1, np.int64)
        for file in self.files:
            # A state made of changed records would answer wrongly, and nobody would see it.
            self._log.check(file)
            rows = _read(self._log, file, ("bucket", "seq", "stream_id"))
            found.rows += len(rows)
            found.seq_max = max(found.seq_max, pc.max(rows["seq"]).as_py() or 0)
            rows = rows.filter(pc.is_valid(rows["stream_id"]))
            ids = pc.split_pattern(rows["stream_id"], "-")
            times, numbers = (pc.cast(pc.list_element(ids, i), pa.int64()) for i in (0, 1))
            order = times.to_numpy() * _NUMBERS + numbers.to_numpy()
            np.maximum.at(newest, rows["bucket"].to_numpy(), order)
        found.newest = {
            bucket: f"{order // _NUMBERS}-{order % _NUMBERS}"
            for bucket, order in enumerate(newest.tolist())
            if order >= 0
        }
        return found

    def parts(self, rows: int) -> list[Part]:
        """Divide the subjects, so that the changes of each part have room in memory."""
        count = max(1, -(-rows // ROWS_AT_ONCE))
        if count <= BUCKETS:
            cuts = np.linspace(0, BUCKETS, count + 1).astype(int).tolist()
            return [Part(low, high) for low, high in pairwise(cuts)]
        of = -(-count // BUCKETS)
        return [Part(b, b + 1, number, of) for b in range(BUCKETS) for number in range(of)]

    def changes(self, part: Part) -> "PartChanges":
        """Read all changes of a part's subjects. Raises SetupError."""
        tables = [
            _read(self._log, file, _CHANGES, part)
            for file in self.files
            if any(file.holds_bucket(bucket) for bucket in range(part.low, part.high))
        ]
        return _sorted(pa.concat_tables(tables).combine_chunks() if tables else None)

    def groups(self, file: ArchiveFile) -> Iterator[tuple[pa.Table, Any]]:
        """Yield the row groups of a file without bodies, and a function that reads the bodies.

        Raises:
            SetupError: the file cannot be read.
        """
        names = [name for name in SCHEMA.names if name not in ("body", "facts", "vector")]
        try:
            parquet = self._log.parquet(file)
            there = set(parquet.schema_arrow.names)
            for number in range(parquet.num_row_groups):
                yield (
                    parquet.read_row_group(number, [x for x in names if x in there]),
                    lambda number=number: parquet.read_row_group(number, ["body"])["body"],
                )
        except (OSError, pa.ArrowException) as error:
            raise read_error(self._log, file, error) from error


@dataclass(frozen=True, slots=True)
class PartChanges:
    """Changes, sorted by (token, sequence), each once."""

    tokens: npt.NDArray[np.uint8]
    """uint8 (changes, 16)."""
    seq: Ints
    follows: Ints
    records: Ints
    """Kind and columns, int64 (changes, 6), in C order."""
    links: npt.NDArray[np.object_]
    """Tokens of links, 16 bytes each, that an account learned of; None where it did not."""
    starts: Ints
    """Where a subject's changes begin; and their number, last."""


def _sorted(rows: pa.Table | None) -> PartChanges:
    count = 0 if rows is None else len(rows)
    if rows is None or not count:
        none = np.zeros(0, np.int64)
        no_links = np.zeros(0, np.object_)
        return PartChanges(
            np.zeros((0, 16), np.uint8),
            none,
            none,
            none.reshape(0, 6),
            no_links,
            np.zeros(1, np.int64),
        )
    joined = b"".join(rows["account"].to_pylist())
    tokens = np.frombuffer(joined, np.uint8).reshape(count, 16)
    seq = rows["seq"].to_numpy()
    before = rows["previous_seq"].fill_null(-1).to_numpy()
    columns = pc.list_flatten(rows["change_columns"]).to_numpy().reshape(count, RING_COLUMNS)
    records = np.column_stack([rows["change"].to_numpy().astype(np.int64), columns])
    high, low = np.frombuffer(joined, ">u8").reshape(count, 2).T
    order = np.lexsort((seq, low, high))
    names = np.column_stack([high, low])[order]
    tokens, seq, before, records = tokens[order], seq[order], before[order], records[order]
    same = np.zeros(count, np.bool_)
    same[1:] = (names[1:] == names[:-1]).all(axis=1)
    again = same.copy()
    again[1:] &= (seq[1:] == seq[:-1]) & (records[1:] == records[:-1]).all(axis=1)
    kept = ~again
    starts = np.append(np.flatnonzero(~same[kept]), int(kept.sum()))
    seq, before = seq[kept], before[kept]
    return PartChanges(
        tokens=tokens[kept],
        seq=seq,
        follows=np.where(before == -1, seq - 1, before),
        records=np.ascontiguousarray(records[kept]),
        links=rows["learned_links"].to_numpy()[order][kept],
        starts=starts,
    )


def _read(
    log: ArchiveLog, file: ArchiveFile, names: tuple[str, ...], part: Part | None = None
) -> pa.Table:
    """Read columns of a file: all rows, or the changes of a part's subjects."""
    wanted = pa.schema([SCHEMA.field(name) for name in names])
    try:
        parquet = log.parquet(file)
        there = set(parquet.schema_arrow.names)
        groups = list(range(parquet.num_row_groups))
        if part is not None:
            groups = [number for number in groups if _may_hold(parquet, number, part)]
        rows = parquet.read_row_groups(groups, [name for name in names if name in there])
        for name in set(names) - there:
            field_of = wanted.field(name)
            rows = rows.append_column(field_of, pa.nulls(len(rows), field_of.type))
        rows = rows.select(list(names)).cast(wanted)
    except (OSError, pa.ArrowException) as error:
        raise read_error(log, file, error) from error
    if part is None:
        return rows
    is_ours = pc.and_(
        pc.and_(pc.greater_equal(rows["bucket"], part.low), pc.less(rows["bucket"], part.high)),
        pc.and_(pc.is_valid(rows["seq"]), pc.is_valid(rows["account"])),
    )
    rows = rows.filter(pc.and_(is_ours, pc.is_valid(rows["change"])))
    if part.of > 1:
        first = np.frombuffer(b"".join(rows["account"].to_pylist()), np.uint8)[::16]
        rows = rows.filter(pa.array(first % part.of == part.number))
    return rows


def _may_hold(parquet: pq.ParquetFile, group: int, part: Part) -> bool:
    """Say whether a row group may hold rows of a part's buckets."""
    about = parquet.metadata.row_group(group)
    for place in range(about.num_columns):
        column = about.column(place)
        if column.path_in_schema == "bucket" and column.statistics is not None:
            return bool(column.statistics.max >= part.low and column.statistics.min < part.high)
    return True
