"""Reads the columns that a mapping names out of a CSV or Parquet file."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from fanzha.domain.errors import SetupError

_PARQUET_MARK: Final = b"PAR1"
_PARQUET_NAMES: Final = (".parquet", ".pq")
_PARQUET_ROWS: Final = 131_072
_CSV_BLOCK_BYTES: Final = 8 * 2**20

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one row; row 1 is the first after the header."""

    row: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file that were asked for."""

    columns: pa.Table
    rows: npt.NDArray[np.int64]
    """Each line's row in the file, from 1."""
    faults: tuple[RowFault, ...]
    """Rows that could not be read as rows, and are not in `columns`."""


class TableFile:
    """A CSV or Parquet file: its columns' names first, the columns when they are known."""

    def __init__(self, path: Path) -> None:
        """Look at the file's head.

        Raises:
            SetupError: there is no such file, it is empty, cut off, damaged, or neither CSV nor
                Parquet.
        """
        self._path = path
        try:
            with path.open("rb") as file:
                head = file.read(4)
        except OSError as error:
            raise SetupError(
                f"cannot read {path}: {error.strerror}; name a readable CSV or Parquet file"
            ) from error
        if not head:
            raise SetupError(f"{path} is empty; name a CSV file with a header, or a Parquet file")
        self._is_parquet = head == _PARQUET_MARK or path.suffix.lower() in _PARQUET_NAMES
        self.schema: pa.Schema = self._parquet_schema() if self._is_parquet else self._csv_header()
        """Names and types of the columns; a CSV's are all text."""

    def read(self, names: Iterable[str], progress: Progress) -> Table:
        """Read the columns of these names.

        Args:
            names: columns of the schema.
            progress: told of the rows read so far.

        Raises:
            SetupError: the file is cut off or damaged, has no rows, or does not fit memory.
        """
        wanted = sorted(set(names))
        faults: list[RowFault] = []
        try:
            batches = (
                self._parquet_batches(wanted)
                if self._is_parquet
                else self._csv_batches(wanted, faults)
            )
            read = []
            rows = 0
            for batch in batches:
                read.append(batch)
                rows += batch.num_rows
                progress(rows)
        except (pa.ArrowMemoryError, MemoryError) as error:
            raise SetupError(
                f"{self._path} does not fit memory: its {len(wanted)} columns are read as a whole; "
                "cut the file into parts by time"
            ) from error
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error
        if not rows:
            raise SetupError(f"{self._path} has no rows that can be read; name a file with rows")
        broken = np.array([fault.row for fault in faults], np.int64)
        numbers = np.delete(np.arange(1, rows + len(faults) + 1), broken - 1)
        return Table(pa.Table.from_batches(read), numbers, tuple(faults))

    def row_count(self) -> int | None:
        """Return the number of rows where the file says it."""
        if not self._is_parquet:
            return None
        with pq.ParquetFile(self._path) as file:
            return int(file.metadata.num_rows)

    def _parquet_schema(self) -> pa.Schema:
        try:
            return pq.read_schema(self._path)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _parquet_batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self._path) as file:
            yield from file.iter_batches(_PARQUET_ROWS, columns=names)

    def _csv_header(self) -> pa.Schema:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                names = next(csv.reader(file, strict=True), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise SetupError(
                f"{self._path} is neither Parquet nor CSV in UTF-8 with a header: {error}; "
                "save it as one of them"
            ) from error
        if not any(names):
            raise SetupError(f"{self._path} does not begin with a header; name the columns there")
        return pa.schema([(name, pa.string()) for name in names])

    def _csv_batches(self, names: list[str], faults: list[RowFault]) -> Iterator[pa.RecordBatch]:
        def note(row: pa_csv.InvalidRow) -> Literal["skip"]:
            # The header is a row to the reader. The row's text may hold identifiers: never shown.
            text = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
            faults.append(RowFault((row.number or 0) - 1, text))
            return "skip"

        with pa_csv.open_csv(
            self._path,
            # One thread: only then does the reader know the numbers of broken rows.
            pa_csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK_BYTES),
            pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=names,
                strings_can_be_null=True,
                null_values=[""],
            ),
        ) as reader:
            yield from reader

    def _damaged(self, error: Exception) -> SetupError:
        form = "Parquet" if self._is_parquet else "CSV in UTF-8"
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        return SetupError(
            f"{self._path} cannot be read as {form}; it is cut off, damaged, or something else "
            f"({cause}); copy or export it again"
        )


def plain(table: pa.Table) -> pa.Table:
    """Return the table with columns of types that Python reads without loss.

    Narrow floats become the shortest digits that name them (12.34 as a float of 32 bits is
    12.34000015… once it is widened), and times lose what is finer than a microsecond.
    """
    for place, field in enumerate(table.schema):
        kind: Any = field.type
        target: Any = None
        if pa.types.is_floating(kind) and kind.bit_width < 64:
            target = pa.string()
        elif pa.types.is_timestamp(kind) and kind.unit == "ns":
            target = pa.timestamp("us", kind.tz)
        if target is not None:
            table = table.set_column(
                place, field.name, table.column(place).cast(target, safe=False)
            )
    return table
