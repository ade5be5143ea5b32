"""Reads a bank's own file through a mapping, and turns it into numbered transfers."""

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import ExecutionStatus, OutcomeSource, OutcomeType
from fanzha.mapping.batch import DUPLICATES, OUT_OF_ORDER, Batch
from fanzha.mapping.coded import Coded
from fanzha.mapping.faults import Faults
from fanzha.mapping.mapped import (
    MappedTable,
    note_repeats,
    open_mapped,
    refuse_without_rows,
    shown,
)
from fanzha.mapping.mapping import Mapping
from fanzha_training.building.numbered_transfers import NumberedTransfers, tied_order
from fanzha_training.building.options import BuildOptions, Say, rate
from fanzha_training.building.step_blocks import Ints
from fanzha_training.building.table_source import CODES, DATES, FLAGS
from fanzha_training.building.table_subjects import SUBJECT_COLUMNS, linked, subject_number
from fanzha_training.dataset import DAY_MS
from fanzha_training.outcomes import OUTCOME_COLUMNS

_TYPES: Final[dict[str, Any]] = {
    **dict.fromkeys(CODES, pa.int8()),
    **dict.fromkeys(FLAGS, pa.bool_()),
    **dict.fromkeys(DATES, pa.date32()),
}


@dataclass(slots=True)
class _Read:
    """What was read so far, batch by batch in the order of the file."""

    frames: list[pl.DataFrame] = field(default_factory=list)
    subjects: dict[str, list[Ints]] = field(default_factory=dict)
    rows: list[Ints] = field(default_factory=list)
    fraud: list[npt.NDArray[np.int8]] = field(default_factory=list)
    """-1 for no fraud, else the number of its type."""
    constants: dict[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    repaired: dict[str, int] = field(default_factory=dict)


def read_file(
    file: Path, given: str, options: BuildOptions, say: Say, *, skip_bad_rows: bool
) -> tuple[NumberedTransfers, dict[str, int]]:
    """Return the transfers of a bank's file, and its repairs.

    Args:
        file: CSV or Parquet.
        given: path of a mapping, or the name of one that comes with the service.
        options: how to build.
        say: told what is being done.
        skip_bad_rows: leave rows out that are no transfers, instead of refusing the file.

    Raises:
        SetupError: the file or the mapping cannot be used, or rows are no transfers.

    """
    table, mapping = open_mapped(file, given, needs_labels=True, base_currency=options.currency)
    read = _read_batches(table, options, say)
    same, other = table.repeats()
    note_repeats(other, read.faults)
    if read.faults.count and not skip_bad_rows:
        raise SetupError(
            f"{read.faults.count:,} row(s) of {file} cannot be read as transfers (row 1 is the "
            f"first after the header):\n{shown(read.faults)}\nmend the file or its mapping, or "
            "leave such rows out with --skip-bad-rows; fanzha mapping check shows how the others "
            "are understood"
        )
    if read.faults.count:
        read.repaired["rows_skipped"] = read.faults.count
    if len(same):
        read.repaired[DUPLICATES] = len(same)
    _refuse_other_currencies(read, file, options.currency)
    refuse_without_rows(sum(map(len, read.rows)), file, read.faults)
    say("sorting")
    return _numbered(read, mapping, np.concatenate([same, other[:, 0]]), options), read.repaired


def _read_batches(table: MappedTable, options: BuildOptions, say: Say) -> _Read:
    read = _Read(faults=table.file.faults)
    told = rate()
    total = table.file.row_count()
    of_all = "" if total is None else f" of {total:,}"
    for batch in table.batches(lambda done: say(f"reading row {done:,}{of_all}{told(done)}")):
        batch.note(read.faults, read.repaired, np.arange(len(batch.rows)))
        _take(batch, _in_currency(batch, options.currency, read), read)
    if table.out_of_order:
        read.repaired[OUT_OF_ORDER] = table.out_of_order
    for name, count in table.file.repaired.items():
        read.repaired[name] = count
    return read


def _in_currency(batch: Batch, currency: str, read: _Read) -> Ints:
    """Return the lines that are transfers with an amount in the base currency."""
    if "base_amount" in batch.amounts:
        fits = batch.amounts["base_amount"].known.copy()
    else:
        fits = np.zeros(len(batch.rows), np.bool_)
    stated = batch.coded.get("currency")
    if stated is None:
        fits |= batch.constants["currency"] == currency
    else:
        # An empty cell means the base currency.
        own = [value == currency for value in stated.values]
        fits |= np.array([*own, True], np.bool_)[stated.codes]
    other = int((batch.good & ~fits).sum())
    if other:
        read.repaired["rows_other_currency"] = read.repaired.get("rows_other_currency", 0) + other
    return np.flatnonzero(batch.good & fits)


def _refuse_other_currencies(read: _Read, file: Path, currency: str) -> None:
    others = read.repaired.get("rows_other_currency", 0)
    if others and not any(map(len, read.rows)):
        raise SetupError(
            f"none of the {others:,} transfer(s) of {file} is in {currency} or has a base_amount; "
            "name the base currency with --currency, or map base_amount"
        )


def _take(batch: Batch, lines: Ints, read: _Read) -> None:
    columns: dict[str, Any] = {
        "request_id": _request_ids(batch, lines),
        "time_ms": batch.times.ms[lines],
        "amount_minor": batch.amounts["amount"].minor[lines],
    }
    if "base_amount" in batch.amounts:
        base = batch.amounts["base_amount"]
        columns["amount_minor"] = np.where(base.known, base.minor, batch.amounts["amount"].minor)[
            lines
        ]
    if "balance_before" in batch.amounts:
        balance = batch.amounts["balance_before"]
        columns["balance_before_minor"] = pa.array(balance.minor[lines], mask=~balance.known[lines])
    for name, kind in _TYPES.items():
        if name in batch.coded:
            columns[name] = _codes(batch.coded[name], lines, kind)
        elif name in batch.constants:
            read.constants[name] = batch.constants[name]
    for name in SUBJECT_COLUMNS:
        if name in batch.coded:
            read.subjects.setdefault(name, []).append(_subjects(name, batch.coded[name], lines))
        elif name in batch.constants:
            read.constants[name] = batch.constants[name]
    read.frames.append(pl.DataFrame(columns))
    read.rows.append(batch.rows[lines])
    if batch.label is not None:
        read.fraud.append(_fraud(batch, batch.label)[lines])


def _request_ids(batch: Batch, lines: Ints) -> Any:  # noqa: ANN401 - an Arrow array
    coded = batch.coded.get("request_id")
    if coded is None:
        return batch.row_ids(lines)
    codes = coded.codes[lines]
    ids = coded.values.take(pa.array(codes, mask=codes < 0))
    return pc.coalesce(ids, batch.row_ids(lines)) if ids.null_count else ids


def _codes(coded: Coded, lines: Ints, kind: Any) -> Any:  # noqa: ANN401 - Arrow types
    codes = coded.codes[lines]
    values = [int(value) if isinstance(value, IntEnum) else value for value in coded.values]
    taken = pa.array(values, kind).take(pa.array(codes, mask=codes < 0))
    return taken.fill_null(0) if kind == pa.int8() else taken


def _subjects(name: str, coded: Coded, lines: Ints) -> Ints:
    numbers = [subject_number(name, value) for value in coded.values.to_pylist()]
    return np.array([*numbers, 0], np.int64)[coded.codes[lines]]


def _fraud(batch: Batch, label: Coded) -> npt.NDArray[np.int8]:
    is_fraud = np.array([*(value is True for value in label.values), False], np.bool_)[label.codes]
    kind: Any = 0
    if isinstance(batch.fraud_type, Coded):
        numbers = [*(int(value) for value in batch.fraud_type.values), 0]
        kind = np.array(numbers, np.int8)[batch.fraud_type.codes]
    elif batch.fraud_type is not None:
        kind = int(batch.fraud_type)
    return np.where(is_fraud, kind, -1).astype(np.int8)


def _numbered(
    read: _Read, mapping: Mapping, dropped: Ints, options: BuildOptions
) -> NumberedTransfers:
    frame = pl.concat(read.frames, rechunk=True)
    read.frames.clear()
    subjects = {name: np.concatenate(parts) for name, parts in read.subjects.items()}
    read.subjects.clear()
    fraud = np.concatenate(read.fraud) if read.fraud else np.full(len(frame), -1, np.int8)
    order = tied_order(frame["time_ms"].to_numpy(), frame["request_id"])
    if len(dropped):
        kept = ~np.isin(np.concatenate(read.rows), dropped)
        order = np.flatnonzero(kept) if order is None else order[kept[order]]
    if order is not None:
        frame, fraud = frame[order], fraud[order]
        subjects = {name: numbers[order] for name, numbers in subjects.items()}
    for name in SUBJECT_COLUMNS:
        if name not in subjects:
            stated = read.constants.pop(name, None)
            number = 0 if stated is None else subject_number(name, stated)
            subjects[name] = np.broadcast_to(np.int64(number), len(frame))
    channel = (
        frame["channel"].to_numpy()
        if "channel" in frame.columns
        else np.broadcast_to(np.int8(read.constants["channel"]), len(frame))
    )
    known_after_days = 0.0 if mapping.label is None else mapping.label.known_after_days
    return NumberedTransfers(
        frame,
        linked(subjects, channel),
        _outcomes(frame, fraud, round(known_after_days * DAY_MS)),
        options.zone,
        _constants(frame, read.constants, posted=mapping.execution == "posted"),
    )


def _outcomes(frame: pl.DataFrame, fraud: npt.NDArray[np.int8], delay_ms: int) -> pl.DataFrame:
    row = np.flatnonzero(fraud >= 0)
    # The bank's own file says so: its word decides.
    return pl.DataFrame(
        {
            "row": row,
            "outcome_id": frame["request_id"][row],
            "outcome": np.full(len(row), int(OutcomeType.CONFIRMED_FRAUD)),
            "source": np.full(len(row), int(OutcomeSource.BANK_REVIEW)),
            "fraud_type": fraud[row],
            "report_time_ms": frame["time_ms"].to_numpy()[row] + delay_ms,
            "withdrawn_time_ms": None,
        },
        schema=OUTCOME_COLUMNS,
    )


def _constants(
    frame: pl.DataFrame, constants: dict[str, Any], *, posted: bool
) -> dict[str, pl.Expr]:
    """Return the columns that a table has and this file does not, each as one value."""
    status = ExecutionStatus.POSTED if posted else ExecutionStatus.UNSPECIFIED
    given = {**constants, "execution": status}
    filled: dict[str, pl.Expr] = {"execution_time_ms": pl.col("time_ms")}
    kinds: dict[str, Any] = {
        **dict.fromkeys(CODES, pl.Int8),
        **dict.fromkeys(FLAGS, pl.Boolean),
        **dict.fromkeys(DATES, pl.Date),
        "balance_before_minor": pl.Int64,
    }
    for name, kind in kinds.items():
        if name not in frame.columns:
            value = given.get(name, 0 if kind == pl.Int8 else None)
            if isinstance(value, str):
                value = date.fromisoformat(value)
            filled[name] = pl.lit(int(value) if isinstance(value, IntEnum) else value, dtype=kind)
    return filled
