"""A bank's file together with what it means: read once, batch by batch, each row judged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt

from fanzha.checked_yaml import read_document
from fanzha.domain.errors import SetupError
from fanzha.mapping.batch import Batch
from fanzha.mapping.encoding import Encoding
from fanzha.mapping.faults import Faults, RowFault
from fanzha.mapping.mapping import (
    BASE_CURRENCY,
    Columns,
    Label,
    Mapping,
    columns_of,
    find_mapping,
    load_mapping,
)
from fanzha.mapping.reader import Reader
from fanzha.mapping.repeats import Repeats, content_of, keys_of
from fanzha.mapping.sources import TimeSource
from fanzha.mapping.table import TableFile
from fanzha.mapping.times import ABSENT

Ints = npt.NDArray[np.int64]
Progress = Callable[[int], None]

REPEATED: Final = "request_id given again"


def open_table(file: Path, mapping: Path) -> TableFile:
    """Open a bank's file as its mapping says it is encoded.

    Raises:
        SetupError: the file cannot be read.
    """
    given = read_document(mapping).at("encoding")
    return TableFile(file, given if given in get_args(Encoding) else "auto")


class MappedTable:
    """A file and its mapping."""

    def __init__(self, file: TableFile, reader: Reader, names: list[str]) -> None:
        """Put them together.

        Args:
            file: the bank's file.
            reader: reads its columns.
            names: columns that the reader needs.
        """
        self.file, self._reader, self._names = file, reader, names
        self._repeats = Repeats()
        self.out_of_order = 0
        """Rows whose time is before that of a row above; known when all batches were taken."""

    def batches(self, progress: Progress) -> Iterator[Batch]:
        """Yield the rows in the order of the file.

        Args:
            progress: told of the rows read so far.

        Raises:
            SetupError: the file is cut off, damaged, or has no rows.
        """
        self._repeats = Repeats()
        self.out_of_order = 0
        newest = ABSENT
        done = 0
        for part in self.file.batches(self._names):
            batch = self._reader.read(part.columns, part.rows)
            newest = self._note_order(batch.times.ms, newest)
            if self._reader.has_request_ids:
                # Rows whose id's cell is empty are named by their number: none is another's again.
                good = np.flatnonzero(batch.good & batch.known("request_id"))
                ids = keys_of(batch.coded["request_id"])[good]
                self._repeats.add(ids, content_of(batch)[good], batch.rows[good])
            yield batch
            done += len(part.rows)
            progress(done)

    def _note_order(self, times_ms: Ints, newest: int) -> int:
        """Count times that are before one above; return the newest of all so far."""
        ms = np.append(newest, times_ms[times_ms != ABSENT])
        newest_above = np.maximum.accumulate(ms)
        self.out_of_order += int(np.count_nonzero(ms[1:] < newest_above[:-1]))
        return int(newest_above[-1])

    def repeats(self) -> tuple[Ints, Ints]:
        """Return the rows that came before, and those that give an id again to other content.

        Both are rows in the file, known when all batches were taken; the second are pairs, int64
        (rows, 2): the row, and the first one with its id.
        """
        return self._repeats.find()


def note_repeats(pairs: Ints, faults: Faults) -> None:
    """Note rows that give a request id again to other content."""
    for row, first in pairs.tolist():
        text = f"request_id is that of row {first}, with other content"
        faults.add(RowFault(row, text), REPEATED)


def open_mapped(
    file: Path,
    given: str,
    *,
    needs_labels: bool,
    base_currency: str = BASE_CURRENCY,
) -> tuple[MappedTable, Mapping]:
    """Open a file and its mapping.

    Args:
        file: the bank's file.
        given: path of a mapping, or the name of one that comes with the service.
        needs_labels: whether a label that says neither yes nor no is a fault.
        base_currency: ISO 4217 code of base amounts, of balances, and of amounts whose own currency
            is not said.

    Raises:
        SetupError: the file or the mapping cannot be read, or the mapping has faults.
    """
    path = find_mapping(given)
    table = open_table(file, path)
    mapping = load_mapping(path, table.schema)
    sources = {
        name: source
        for name in Columns.model_fields
        if name != "time" and (source := getattr(mapping.columns, name)) is not None
    }
    reader = reader_of(
        sources,
        mapping.columns.time,
        mapping.label,
        table,
        needs_labels=needs_labels,
        base_currency=base_currency,
    )
    return MappedTable(table, reader, columns_of(mapping, table.schema)), mapping


def reader_of(
    sources: dict[str, Any],
    time: TimeSource | None,
    label: Label | None,
    table: TableFile,
    *,
    needs_labels: bool,
    base_currency: str,
) -> Reader:
    """Return the reader of a table's columns; see `Reader`."""
    return Reader(
        sources,
        time,
        label,
        set(table.schema.names),
        needs_labels=needs_labels,
        base_currency=base_currency,
    )


def refuse_without_rows(count: int, file: Path, faults: Faults) -> None:
    """Refuse a file in which nothing is a transfer.

    Raises:
        SetupError: `count` is 0.
    """
    if not count:
        raise SetupError(
            f"no row of {file} is a transfer; mend the file or its mapping\n"
            f"{shown(faults)}".rstrip()
        )


def shown(faults: Faults) -> str:
    """Return the first faults for people, and how many more there are, by kind."""
    lines = [f"  row {fault.row}: {fault.text}" for fault in faults.first]
    more = faults.count - len(faults.first)
    if more > 0:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in faults.kinds.most_common())
        lines.append(f"  and {more:,} more; in all: {kinds}")
    return "\n".join(lines)
