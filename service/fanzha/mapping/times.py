"""Reads the column of times, and puts the rows of a table in their order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.mapping.cells import TIME_MS_MAX, TIME_MS_MIN, CellError, checked_time, time_reader
from fanzha.mapping.sources import TimeSource

_DAY_MS = 86_400_000
_CHUNK = 65_536
_PER_MS = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
_ABSENT = -1


@dataclass(frozen=True, slots=True)
class Times:
    """Times of a table's lines."""

    ms: npt.NDArray[np.int64]
    """Milliseconds since 1970 UTC of each line; -1 where there is a fault."""
    faults: dict[int, str]
    """What is wrong, by line from 0."""


def read_times(column: "pa.ChunkedArray[Any]", source: TimeSource) -> Times:
    """Return the times of a column."""
    if pa.types.is_timestamp(column.type):
        return _from_timestamps(column, source)
    read = time_reader(source)
    ms = np.full(len(column), _ABSENT, np.int64)
    faults: dict[int, str] = {}
    for start in range(0, len(column), _CHUNK):
        for line, cell in enumerate(column.slice(start, _CHUNK).to_pylist(), start):
            try:
                ms[line] = checked_time(read(cell))
            except CellError as error:
                faults[line] = str(error)
    return Times(ms, faults)


def _from_timestamps(column: "pa.ChunkedArray[Any]", source: TimeSource) -> Times:
    kind: Any = column.type
    aware: Any = column
    if kind.tz is None and source.zone is not None:
        aware = pc.assume_timezone(
            column, source.zone, ambiguous="earliest", nonexistent="earliest"
        )
    times, divisor = _PER_MS[kind.unit]
    counts: Any = aware.cast(pa.int64())
    absent = np.asarray(counts.is_null())
    ms = np.asarray(counts.fill_null(0)) // divisor
    far = (ms < TIME_MS_MIN // times) | (ms >= TIME_MS_MAX // times)
    faults = {int(line): "is missing" for line in np.flatnonzero(absent)}
    for line in np.flatnonzero(far & ~absent):
        faults[int(line)] = "is absurd: it lies outside the years 1990 to 2099"
    return Times(np.where(absent | far, _ABSENT, ms * times), faults)


def in_order(
    times: Times, days: int | None, limit: int | None
) -> tuple[npt.NDArray[np.int64], int]:
    """Return the lines to play in order of time, and how many stood out of order.

    Args:
        times: of all lines; those with faults are not played.
        days: only what lies less than this many times 24 hours after the first; None for all.
        limit: only the first so many; None for all.
    """
    lines = np.flatnonzero(times.ms != _ABSENT)
    ms = times.ms[lines]
    late = int(np.count_nonzero(ms[1:] < np.maximum.accumulate(ms)[:-1])) if len(ms) else 0
    if late:
        order = np.argsort(ms, kind="stable")
        lines, ms = lines[order], ms[order]
    if days is not None and len(ms):
        lines = lines[: np.searchsorted(ms, ms[0] + days * _DAY_MS)]
    return lines[:limit], late
