"""Reads the columns that a mapping names out of a CSV or Parquet file."""

import csv
import io
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from fanzha.domain.errors import SetupError
from fanzha.mapping.encoding import Encoding, Transcoder
from fanzha.mapping.faults import Faults, RowFault

_PARQUET_MARK: Final = b"PAR1"
_ZIP_MARK: Final = b"PK\x03\x04"
_OTHER_DELIMITERS: Final = (";", "\t", "|")
_ACCOUNT_LIKE: Final = re.compile(r"\d{9,}")
_PARQUET_NAMES: Final = (".parquet", ".pq")
_PARQUET_ROWS: Final = 131_072
_CSV_BLOCK_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class TableBatch:
    """Some rows of a file, with the columns that were asked for."""

    columns: pa.RecordBatch
    rows: npt.NDArray[np.int64]
    """Each line's row in the file, from 1."""


class TableFile:
    """A CSV or Parquet file: its columns' names first, the columns when they are known."""

    def __init__(self, path: Path, encoding: Encoding = "auto") -> None:
        """Look at the file's head.

        Args:
            path: the file.
            encoding: what a CSV is in.

        Raises:
            SetupError: there is no such file, it is empty, cut off, damaged, or neither CSV nor
                Parquet.
        """
        self._path, self._asked = path, encoding
        if path.exists() and not path.is_file():
            raise SetupError(f"{path} is no file but a folder or a pipe; save the table as a file")
        try:
            with path.open("rb") as file:
                head = file.read(4)
        except OSError as error:
            raise SetupError(
                f"cannot read {path}: {error.strerror}; name a readable CSV or Parquet file"
            ) from error
        if not head:
            raise SetupError(f"{path} is empty; name a CSV file with a header, or a Parquet file")
        if head == _ZIP_MARK:
            raise SetupError(f"{path} is an Excel or ZIP file; save it as CSV in UTF-8")
        self.is_parquet = head == _PARQUET_MARK or path.suffix.lower() in _PARQUET_NAMES
        self.schema: pa.Schema = self._parquet_schema() if self.is_parquet else self._csv_header()
        """Names and types of the columns; a CSV's are all text."""
        self.faults = Faults()
        """Rows that could not be read as rows; complete when all batches were taken."""
        self.unreadable = 0
        """How many rows that are; the same."""
        self.repaired: dict[str, int] = {}
        """Rows that were repaired before they were rows, by name."""
        self.encoding: str | None = None
        """What a CSV's rows are in, for most of them; known when all batches were taken."""

    def batches(self, names: Iterable[str]) -> Iterator[TableBatch]:
        """Yield all rows with the columns of these names.

        Args:
            names: columns of the schema.

        Raises:
            SetupError: the file is cut off or damaged, has no rows, or does not fit memory.
        """
        wanted = sorted(set(names))
        count = 0
        try:
            for batch in self._parquet(wanted) if self.is_parquet else self._csv(wanted):
                count += len(batch.rows)
                yield batch
        except (pa.ArrowMemoryError, MemoryError) as error:
            raise SetupError(f"{self._path} does not fit memory; cut it into parts") from error
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error
        if not count:
            raise SetupError(f"{self._path} has no rows that can be read; name a file with rows")

    def row_count(self) -> int | None:
        """Return the number of rows where the file says it."""
        if not self.is_parquet:
            return None
        with pq.ParquetFile(self._path) as file:
            return int(file.metadata.num_rows)

    def _parquet_schema(self) -> pa.Schema:
        try:
            return pq.read_schema(self._path)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _parquet(self, names: list[str]) -> Iterator[TableBatch]:
        start = 1
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(_PARQUET_ROWS, columns=names):
                yield TableBatch(batch, np.arange(start, start + batch.num_rows))
                start += batch.num_rows

    def _csv_header(self) -> pa.Schema:
        try:
            with Transcoder(self._path, self._asked) as source:
                lines = io.TextIOWrapper(io.BufferedReader(source), "utf-8", newline="")
                names = next(csv.reader(lines, strict=True), [])
            if 0 in source.broken:
                raise UnicodeError("its header is in neither UTF-8 nor GB18030")  # noqa: TRY301
        except (UnicodeError, csv.Error) as error:
            raise SetupError(
                f"{self._path} is neither Parquet nor CSV with a header: {error}; save it as "
                "one of them, in UTF-8"
            ) from error
        self._check_header(names)
        return pa.schema([(name, pa.string()) for name in names])

    def _check_header(self, names: list[str]) -> None:
        """Refuse what is no header; what stands there may be identifiers, and is not shown."""
        if not any(names):
            raise SetupError(f"{self._path} does not begin with a header; name the columns there")
        if any(_ACCOUNT_LIKE.search(name) for name in names):
            raise SetupError(
                f"{self._path} begins with data, not with a header: its first line holds numbers "
                "as long as accounts; write the columns' names into the first line"
            )
        found = [mark for mark in _OTHER_DELIMITERS if len(names) == 1 and mark in names[0]]
        if found:
            raise SetupError(
                f"the header of {self._path} is one cell that holds {found[0]!r}; fields are "
                "parted by commas: export the file so"
            )

    def _csv(self, names: list[str]) -> Iterator[TableBatch]:
        skipped: list[int] = []

        def note(row: pa_csv.InvalidRow) -> Literal["skip"]:
            # The header is a row to the reader. The row's text may hold identifiers: never shown.
            text = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
            skipped.append((row.number or 0) - 1)
            self.unreadable += 1
            self.faults.add(RowFault(skipped[-1], text), "row has another number of fields")
            return "skip"

        with (
            Transcoder(self._path, self._asked) as source,
            pa_csv.open_csv(
                source,
                # One thread: only then does the reader know the numbers of broken rows.
                pa_csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK_BYTES),
                pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
                pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    include_columns=names,
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            ) as reader,
        ):
            start = 1
            for batch in reader:
                numbers, start = _numbers(start, batch.num_rows, skipped)
                yield self._without_broken(TableBatch(batch, numbers), source)
            self.encoding = source.encoding or "utf-8"
            if source.others:
                self.repaired["rows_of_another_encoding"] = len(source.others)

    def _without_broken(self, batch: TableBatch, source: Transcoder) -> TableBatch:
        """Take the rows out that are in no encoding; the source is always ahead of the batches."""
        if not source.broken or not len(batch.rows):
            return batch
        is_broken = np.isin(batch.rows, source.broken)
        self.unreadable += int(is_broken.sum())
        for row in batch.rows[is_broken].tolist():
            self.faults.add(
                RowFault(row, "is in neither UTF-8 nor GB18030"), "row in no known encoding"
            )
        kept = batch.columns.filter(pa.array(~is_broken))
        return TableBatch(kept, batch.rows[~is_broken])

    def _damaged(self, error: Exception) -> SetupError:
        form = "Parquet" if self.is_parquet else "CSV"
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        return SetupError(
            f"{self._path} cannot be read as {form}; it is cut off, damaged, or something else "
            f"({cause}); copy or export it again"
        )


def _numbers(start: int, count: int, skipped: list[int]) -> tuple[npt.NDArray[np.int64], int]:
    """Return the rows in the file of the next lines, and the row after them.

    Args:
        start: first row that can be meant.
        count: number of lines.
        skipped: rows that are not among the lines, sorted.
    """
    gaps = [
        row for row in skipped[bisect_left(skipped, start) :] if row < start + count + len(skipped)
    ]
    numbers = np.setdiff1d(np.arange(start, start + count + len(gaps)), gaps)[:count]
    return numbers, int(numbers[-1]) + 1 if count else start


def plain(columns: pa.RecordBatch) -> pa.RecordBatch:
    """Return columns of types that Python reads without loss.

    Narrow floats become the shortest digits that name them (12.34 as a float of 32 bits is
    12.34000015… once it is widened), and times lose what is finer than a microsecond.
    """
    for place, field in enumerate(columns.schema):
        kind: Any = field.type
        target: Any = None
        if (
            (pa.types.is_floating(kind) and kind.bit_width < 64)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
        ):
            target = pa.string()
        elif pa.types.is_dictionary(kind):
            target = kind.value_type
        if target is not None:
            cast = columns.column(place).cast(target, safe=False)
            columns = columns.set_column(place, field.name, cast)
    return columns
