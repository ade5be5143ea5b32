"""Looks at a bank's file through a mapping: the first rows as understood, and every fault."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from fanzha.checked_yaml import read_document
from fanzha.domain.errors import FileRefusedError
from fanzha.domain.vocabulary import word_of
from fanzha.mapping.batch import DUPLICATES, OUT_OF_ORDER, Batch
from fanzha.mapping.cells import decimals_of
from fanzha.mapping.faults import Faults
from fanzha.mapping.mapped import MappedTable, Progress, note_repeats, open_table, reader_of
from fanzha.mapping.mapping import (
    BASE_CURRENCY,
    Label,
    columns_of,
    find_mapping,
    load_mapping,
    sound_sources,
)
from fanzha.mapping.masking import IDENTIFIERS, masked
from fanzha.mapping.sources import AmountSource, TimeSource
from fanzha.mapping.table import TableFile

_AMOUNTS: Final = ("amount", "base_amount", "balance_before")


@dataclass(slots=True)
class Checked:
    """What a mapping makes of a file."""

    mapping_faults: tuple[str, ...] = ()
    """What is wrong with the mapping, each with its line and column."""
    encoding: str | None = None
    """What most rows of a CSV are in; None for Parquet."""
    rows: int = 0
    transfers: int = 0
    faults: Faults = field(default_factory=Faults)
    repaired: dict[str, int] = field(default_factory=dict)
    first: list[dict[str, str]] = field(default_factory=list)
    """The first transfers as they are understood, by field, identifiers masked."""

    @property
    def is_faulty(self) -> bool:
        """Whether the mapping or a row has a fault."""
        return bool(self.mapping_faults or self.faults.count)


def check_mapping(file: Path, given: str, shown_rows: int, progress: Progress) -> Checked:
    """Read a whole file through a mapping.

    A mapping with faults is followed as far as its parts are sound, so that the file's faults are
    told in the same round.

    Args:
        file: the bank's file.
        given: path of a mapping, or the name of one that comes with the service.
        shown_rows: how many transfers to keep for showing.
        progress: told of the rows read so far.

    Raises:
        SetupError: the file or the mapping cannot be read at all.
    """
    path = find_mapping(given)
    table = open_table(file, path)
    checked = Checked()
    try:
        mapping = load_mapping(path, table.schema)
    except FileRefusedError as refusal:
        checked.mapping_faults = refusal.faults
        sources = sound_sources(read_document(path), table.schema)
        time, label = sources.pop("time", None), None
        names = [source.column for source in [*sources.values(), time] if source is not None]
        names = [name for name in dict.fromkeys(names) if name in table.schema.names]
    else:
        sources = {
            name: source
            for name, source in mapping.columns
            if name != "time" and source is not None
        }
        time, label = mapping.columns.time, mapping.label
        names = columns_of(mapping, table.schema)
    if names:
        _read(checked, table, sources, time, label, names, shown_rows, progress)
    return checked


def _read(
    checked: Checked,
    table: TableFile,
    sources: dict[str, Any],
    time: TimeSource | None,
    label: Label | None,
    names: list[str],
    shown_rows: int,
    progress: Progress,
) -> None:
    reader = reader_of(sources, time, label, table, needs_labels=True, base_currency=BASE_CURRENCY)
    mapped = MappedTable(table, reader, names)
    checked.faults = table.faults
    for batch in mapped.batches(progress):
        batch.note(checked.faults, checked.repaired, np.arange(len(batch.rows)))
        checked.rows += len(batch.rows)
        checked.transfers += int(batch.good.sum())
        for line in np.flatnonzero(batch.good)[: shown_rows - len(checked.first)].tolist():
            checked.first.append(_understood(batch, line, time, sources))
    same, other = mapped.repeats()
    note_repeats(other, checked.faults)
    checked.transfers -= len(same) + len(other)
    checked.rows += table.unreadable
    checked.encoding = table.encoding
    counted = {OUT_OF_ORDER: mapped.out_of_order, DUPLICATES: len(same), **table.repaired}
    checked.repaired |= {name: count for name, count in counted.items() if count}


def _understood(
    batch: Batch, line: int, time: TimeSource | None, sources: dict[str, Any]
) -> dict[str, str]:
    fields = batch.fields(line)
    shown = {"row": str(int(batch.rows[line]))}
    if time is not None:
        moment = datetime.fromtimestamp(int(batch.times.ms[line]) / 1000, UTC)
        if time.zone is not None:
            shown["time"] = _stamp(moment.astimezone(ZoneInfo(time.zone))) + f" {time.zone}"
        shown["time UTC"] = _stamp(moment)
    currency = fields.pop("currency")
    for name, value in fields.items():
        if name in _AMOUNTS:
            source = sources.get(name)
            unit = f", read as {source.unit}" if isinstance(source, AmountSource) else ""
            money = currency if name == "amount" else batch.base_currency
            shown[name] = f"{Decimal(value).scaleb(-decimals_of(money)):,f} {money}{unit}"
        else:
            shown[name] = _words(name, value)
    if batch.label is not None:
        shown["label"] = {True: "fraud", False: "no fraud", None: "not known"}[batch.label.at(line)]
    return shown


def _stamp(time: datetime) -> str:
    return time.isoformat(sep=" ").removesuffix("+00:00")


def _words(name: str, value: Any) -> str:  # noqa: ANN401 - any field's value
    if name in IDENTIFIERS:
        return masked(str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, IntEnum):
        return word_of(value)
    return value.isoformat() if isinstance(value, date) else str(value)
