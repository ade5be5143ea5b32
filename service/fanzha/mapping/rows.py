"""Reads a table's rows as transfers, in order of time, and notes every row that is none."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fanzha.domain.transfer import AMOUNT_MINOR_MAX
from fanzha.domain.vocabulary import KINDS_WITH_PAYEE
from fanzha.mapping.cells import Cell, CellError, to_minor
from fanzha.mapping.fields import cell_reader, constant_of
from fanzha.mapping.mapping import BASE_CURRENCY, Columns, Mapping
from fanzha.mapping.sources import AmountSource
from fanzha.mapping.table import RowFault, Table, plain
from fanzha.mapping.times import in_order, read_times

_CHUNK: Final = 8_192
SHOWN_FAULTS: Final = 20
_REQUIRED: Final = ("kind", "channel", "amount", "payer_account")


@dataclass(frozen=True, slots=True)
class Row:
    """One row as a transfer."""

    line: int
    """Its place in the order played, from 0."""
    number: int
    """Its row in the file, from 1."""
    time_ms: int
    fields: dict[str, Any]
    """Fields by the mapping's names; amounts in minor units; what is not known is left out."""


@dataclass(slots=True)
class Faults:
    """Rows that cannot be played: how many, and the first of them."""

    count: int = 0
    first: list[RowFault] = field(default_factory=list)

    def add(self, fault: RowFault) -> None:
        """Note one row."""
        self.count += 1
        if len(self.first) < SHOWN_FAULTS:
            self.first.append(fault)


class _LeftOutError(Exception):
    """The mapping says to leave the row out."""


class Rows:
    """The rows of a table that a replay plays."""

    def __init__(
        self, table: Table, mapping: Mapping, *, days: int | None, limit: int | None
    ) -> None:
        """Put the rows in order of time.

        Args:
            table: the columns that the mapping names.
            mapping: what they mean.
            days: see `in_order`.
            limit: see `in_order`.
        """
        self.faults = Faults()
        self.repaired: Counter[str] = Counter()
        for fault in table.faults:
            self.faults.add(fault)
        source = mapping.columns.time
        times = read_times(table.columns.column(source.column), source)
        for line, text in sorted(times.faults.items()):
            self.faults.add(RowFault(int(table.rows[line]), f"time {text}"))
        lines, late = in_order(times, days, limit)
        if late:
            self.repaired["rows_out_of_order"] = late
        in_place = np.array_equal(lines, np.arange(len(lines)))
        columns = table.columns.slice(0, len(lines)) if in_place else table.columns.take(lines)
        self._columns = plain(columns)
        self._numbers = table.rows[lines]
        self._times_ms = times.ms[lines]
        self._reader = _RowReader(mapping.columns, columns.schema)
        self.label: pa.ChunkedArray[Any] | None = None
        """The label of each row in the order played."""
        if mapping.label is not None:
            self.label = columns.column(mapping.label.column)

    def __len__(self) -> int:
        return len(self._times_ms)

    def check(self, progress: Callable[[int], None]) -> int:
        """Read all rows once and note faults and repairs; return how many rows are transfers."""
        return sum(1 for _ in self._read(self.faults, self.repaired, progress))

    def read(self) -> Iterator[Row]:
        """Yield the rows that are transfers."""
        return self._read(Faults(), Counter(), lambda _: None)

    def _read(
        self, faults: Faults, repaired: Counter[str], progress: Callable[[int], None]
    ) -> Iterator[Row]:
        names = self._reader.names
        for start in range(0, len(self), _CHUNK):
            chunk = self._columns.slice(start, _CHUNK)
            cells = [chunk.column(name).to_pylist() for name in names]
            # A table of constants alone has no cells but those of its times.
            rows = zip(*cells, strict=True) if cells else iter([()] * chunk.num_rows)
            for line, row in enumerate(rows, start):
                number = int(self._numbers[line])
                try:
                    fields = self._reader.read(number, row, repaired)
                except CellError as error:
                    faults.add(RowFault(number, str(error)))
                except _LeftOutError:
                    repaired["rows_of_amount_zero_left_out"] += 1
                else:
                    yield Row(line, number, int(self._times_ms[line]), fields)
            progress(start + chunk.num_rows)


class _RowReader:
    """Reads cells as fields: one function for each mapped column."""

    def __init__(self, columns: Columns, schema: pa.Schema) -> None:
        self._amounts: dict[str, AmountSource] = {}
        self._constants: dict[str, Any] = {}
        self._columns: list[tuple[str, Callable[[Cell], Any]]] = []
        self.names: list[str] = []
        """Columns to read, in the order of `read`'s cells."""
        for name in Columns.model_fields:
            source = getattr(columns, name)
            if name == "time" or source is None:
                continue
            if isinstance(source, AmountSource):
                self._amounts[name] = source
            if source.column is None:
                self._constants[name] = constant_of(name, source)
            elif source.column in schema.names:
                self.names.append(source.column)
                self._columns.append((name, cell_reader(name, source)))

    def read(self, number: int, cells: tuple[Cell, ...], repaired: Counter[str]) -> dict[str, Any]:
        """Return the fields of one row.

        Raises:
            CellError: with all that is wrong with the row.
            _LeftOutError: the row moves no money, and the mapping leaves such rows out.
        """
        fields = dict(self._constants)
        wrong: list[str] = []
        for (name, read), cell in zip(self._columns, cells, strict=True):
            try:
                value = read(cell)
            except CellError as error:
                wrong.append(f"{name} {error}")
                fields[name] = None
                continue
            if value is not None:
                fields[name] = value
        wrong += [f"{name} is missing" for name in _REQUIRED if name not in fields]
        zero = self._to_minor_units(fields, wrong, repaired)
        _check_parties(fields, wrong)
        if wrong:
            raise CellError("; ".join(wrong))
        if zero:
            raise _LeftOutError
        fields.setdefault("transfer_id", f"row-{number}")
        fields.setdefault("request_id", f"row-{number}")
        return fields

    def _to_minor_units(
        self, fields: dict[str, Any], wrong: list[str], repaired: Counter[str]
    ) -> bool:
        """Put minor units in place of amounts; return whether the row is to be left out."""
        zero = False
        currency = fields.setdefault("currency", BASE_CURRENCY)
        for name, source in self._amounts.items():
            amount = fields.get(name)
            if amount is None or currency is None:
                continue
            try:
                code = currency if name == "amount" else BASE_CURRENCY
                minor, noisy = to_minor(amount, code, source.unit)
            except CellError as error:
                wrong.append(f"{name} {error}")
                continue
            repaired["amounts_rounded"] += noisy
            fields[name] = minor
            least = 0 if name == "balance_before" else 1
            if minor == 0 and source.zero == "leave_out" and least:
                zero = True
            elif not least <= minor <= AMOUNT_MINOR_MAX:
                wrong.append(f"{name} {amount} is not {least} to {AMOUNT_MINOR_MAX} minor units")
        return zero


def _check_parties(fields: dict[str, Any], wrong: list[str]) -> None:
    payee = fields.get("payee_account", "")
    if payee == "" and fields.get("kind") in KINDS_WITH_PAYEE:
        wrong.append("payee_account is missing: a transfer needs it")
    if payee and payee == fields.get("payer_account"):
        wrong.append("payee_account is the payer's own account")
