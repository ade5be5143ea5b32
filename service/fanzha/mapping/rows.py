"""The rows of a bank's table as transfers, in order of time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fanzha.mapping.batch import DUPLICATES, OUT_OF_ORDER, Batch
from fanzha.mapping.mapped import MappedTable, note_repeats
from fanzha.mapping.times import ABSENT

Ints = npt.NDArray[np.int64]

_DAY_MS = 86_400_000


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


class Rows:
    """The rows of a table that a replay plays."""

    def __init__(
        self,
        table: MappedTable,
        progress: Callable[[int], None],
        *,
        days: int | None,
        limit: int | None,
    ) -> None:
        """Read all rows and put them in order of time.

        Args:
            table: a bank's file and its mapping.
            progress: told of the rows read so far.
            days: see `in_order`.
            limit: see `in_order`.
        """
        self._batches = list(table.batches(progress))
        self.faults = table.file.faults
        self.repaired = dict(table.file.repaired)
        starts = np.cumsum([0, *(len(batch.rows) for batch in self._batches)])
        self._starts: Ints = starts
        self._numbers = np.concatenate([batch.rows for batch in self._batches])
        times_ms = np.concatenate([batch.times.ms for batch in self._batches])
        lines = in_order(times_ms, days, limit)
        if table.out_of_order:
            self.repaired[OUT_OF_ORDER] = table.out_of_order
        self._lines = self._judged(lines, times_ms, table)
        self._times_ms = times_ms

    def __len__(self) -> int:
        return len(self._lines)

    def _judged(self, lines: Ints, times_ms: Ints, table: MappedTable) -> Ints:
        """Note faults and repairs of the lines that count; return those that are transfers."""
        counts = np.zeros(len(times_ms), np.bool_)
        counts[lines] = True
        # Lines without a time have no place in the order; they are faults all the same.
        counts |= times_ms == ABSENT
        good = np.zeros(len(times_ms), np.bool_)
        for start, batch in zip(self._starts, self._batches, strict=False):
            here = slice(start, start + len(batch.rows))
            batch.note(self.faults, self.repaired, np.flatnonzero(counts[here]))
            good[here] = batch.good & counts[here]
        same, other = table.repeats()
        place_of = {int(row): line for line, row in enumerate(self._numbers)} if len(other) else {}
        again = np.isin(self._numbers, same) & good if len(same) else np.zeros_like(good)
        if again.any():
            self.repaired[DUPLICATES] = int(again.sum())
        pairs = [pair for pair in other.tolist() if good[place_of[pair[0]]]]
        note_repeats(np.array(pairs, np.int64).reshape(-1, 2), self.faults)
        good &= ~again
        good[[place_of[row] for row, _ in pairs]] = False
        return lines[good[lines]]

    @property
    def label(self) -> "pa.ChunkedArray[Any] | None":
        """The label of each row in the order played, as it is in the file; None without one."""
        labels = [batch.raw_label for batch in self._batches]
        if not labels or labels[0] is None:
            return None
        taken: pa.ChunkedArray[Any] = pa.chunked_array(labels).take(pa.array(self._lines))
        return taken

    def read(self) -> Iterator[Row]:
        """Yield the rows."""
        places = np.searchsorted(self._starts, self._lines, side="right") - 1
        for line, (which, place) in enumerate(
            zip(self._lines.tolist(), places.tolist(), strict=True)
        ):
            batch: Batch = self._batches[place]
            fields = batch.fields(which - int(self._starts[place]))
            yield Row(line, int(self._numbers[which]), int(self._times_ms[which]), fields)


def in_order(times_ms: Ints, days: int | None, limit: int | None) -> Ints:
    """Return the lines in order of time.

    Args:
        times_ms: of all lines; those that are ABSENT are left out.
        days: only what lies less than this many times 24 hours after the first; None for all.
        limit: only the first so many; None for all.
    """
    lines = np.flatnonzero(times_ms != ABSENT)
    ms = times_ms[lines]
    if (ms[1:] < ms[:-1]).any():
        order = np.argsort(ms, kind="stable")
        lines, ms = lines[order], ms[order]
    if days is not None and len(ms):
        lines = lines[: np.searchsorted(ms, ms[0] + days * _DAY_MS)]
    return lines[:limit]
