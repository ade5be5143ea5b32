"""Reads a column of times: as milliseconds of UTC, with every fault and every doubt."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.mapping.cells import (
    ABSURD_TIME,
    TIME_MS_MAX,
    TIME_MS_MIN,
    UNITS_MS,
    Cell,
    CellError,
    Moment,
    moment_reader,
    start_ms,
)
from fanzha.mapping.layouts import layouts_of, read_layout
from fanzha.mapping.sources import TimeSource
from fanzha.mapping.zones import zone_rules

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_PER_MS: Final = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
_COUNTED: Final = {"epoch_s": 1000, "epoch_ms": 1, **UNITS_MS}
_COUNT_MAX: Final = 10**12
ABSENT: Final = -1


@dataclass(slots=True)
class Times:
    """Times of a table's lines."""

    ms: Ints
    """Milliseconds since 1970 UTC of each line; ABSENT where there is a fault."""
    faults: dict[int, CellError] = field(default_factory=dict)
    """What is wrong, by line from 0."""
    ambiguous: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    """Local times that the clock showed twice; the first is taken."""
    skipped: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    """Local times that the clock never showed."""


def read_times(column: "pa.Array[Any]", source: TimeSource) -> Times:
    """Return the times of a column."""
    ms = np.zeros(len(column), np.int64)
    is_local = np.zeros(len(column), np.bool_)
    done = np.zeros(len(column), np.bool_)
    if pa.types.is_timestamp(column.type):
        _read_timestamps(column, source, ms, is_local, done)
    elif source.format[0] in _COUNTED and pa.types.is_integer(column.type):
        _read_counts(column, source, ms, done)
    elif source.zone is not None and pa.types.is_string(column.type):
        for form in source.format:
            for layout in layouts_of(form):
                local, fits = read_layout(column, layout)
                fits &= ~done
                ms[fits], is_local[fits] = local[fits], True
                done |= fits
    times = Times(ms)
    _read_others(column, source, times, is_local, done)
    return _in_utc(times, source, is_local)


def _read_timestamps(
    column: "pa.Array[Any]", source: TimeSource, ms: Ints, is_local: Mask, done: Mask
) -> None:
    kind: Any = column.type
    times, divisor = _PER_MS[kind.unit]
    counts = np.asarray(column.cast(pa.int64()).fill_null(0)) // divisor
    # What is far out of the range must not overflow: it becomes absurd, and is told as that.
    ms[:] = np.clip(counts, TIME_MS_MIN // times - 1, TIME_MS_MAX // times) * times
    is_local[:] = kind.tz is None and source.zone is not None
    done[:] = np.asarray(column.is_valid())


def _read_counts(column: "pa.Array[Any]", source: TimeSource, ms: Ints, done: Mask) -> None:
    form = source.format[0]
    start = start_ms(source) if form in UNITS_MS else 0
    counts: Any = pc.cast(column, pa.int64(), safe=False)
    values = np.asarray(counts.fill_null(0))
    # A bound for all units, so that nothing overflows; epoch_ms of our days is above it.
    fits = np.asarray(column.is_valid()) & (
        np.abs(values // (1000 if form == "epoch_ms" else 1)) < _COUNT_MAX
    )
    done |= fits
    ms[fits] = start + values[fits] * _COUNTED[form]


def _read_others(
    column: "pa.Array[Any]", source: TimeSource, times: Times, is_local: Mask, done: Mask
) -> None:
    """Read what no shortcut read, each distinct cell once."""
    lines = np.flatnonzero(~done)
    if not len(lines):
        return
    read = moment_reader(source)
    seen: dict[Cell, Moment | CellError] = {}
    for line, cell in zip(lines.tolist(), column.take(pa.array(lines)).to_pylist(), strict=True):
        found = seen.get(cell)
        if found is None:
            try:
                found = read(cell)
            except CellError as error:
                found = error
            seen[cell] = found
        if isinstance(found, CellError):
            times.faults[line] = found
        else:
            times.ms[line], is_local[line] = np.clip(found.ms, -(2**62), 2**62), found.is_local


def _in_utc(times: Times, source: TimeSource, is_local: Mask) -> Times:
    times.ambiguous = np.zeros(len(times.ms), np.bool_)
    times.skipped = np.zeros(len(times.ms), np.bool_)
    if source.zone is not None and is_local.any():
        found = zone_rules(source.zone).from_local(times.ms)
        times.ms = np.where(is_local, found.ms, times.ms)
        times.ambiguous = found.ambiguous & is_local
        times.skipped = found.skipped & is_local
    absurd = (times.ms < TIME_MS_MIN) | (times.ms >= TIME_MS_MAX)
    for line in np.flatnonzero(absurd).tolist():
        times.faults.setdefault(line, CellError(ABSURD_TIME, "absurd"))
    if times.faults:
        wrong = np.fromiter(times.faults, np.int64)
        times.ms[wrong] = ABSENT
        times.ambiguous[wrong] = times.skipped[wrong] = False
    return times
