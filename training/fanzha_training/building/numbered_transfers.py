"""All transfers of a source in numbers, and their vectors: part by part when they are many.

A part holds a share of the subjects. The kernel's parts of a vector need one subject each, so that
a part of the subjects needs only the transfers that touch it; what it gives is put aside on disk,
and the vectors are put together at last, in order of time. A transfer touches several subjects and
comes in as many parts: the more kinds of subjects a source has, the more parts it is cut into.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from fanzha.features.fold import STEP_COLUMNS, fold
from fanzha.features.kernel import LINKS_START, PAYEE_START, PAYER_START
from fanzha.features.links import LINKS, WIDTH
from fanzha.mapping.zones import zone_rules
from fanzha_training.building.options import Say, rate
from fanzha_training.building.spill import Spilled, spill
from fanzha_training.building.step_blocks import Ints, Part, parts_of
from fanzha_training.building.table_history import table_facts, table_steps
from fanzha_training.building.table_links import mules_of
from fanzha_training.building.table_subjects import Subjects
from fanzha_training.outcomes import reports_of

Vectors = npt.NDArray[np.float32]

ROWS_PER_PART: Final = 1 << 20
"""Transfers that touch a part's subjects, on average at most; they take some 2 KiB each."""
ROWS_IN_ONE: Final = 1 << 21
"""Up to here all is done at once: nothing is put aside on disk."""
ROWS_PER_BLOCK: Final = 1 << 17

_SLICES: Final = (
    slice(PAYER_START, PAYEE_START),
    slice(PAYEE_START, LINKS_START),
    *(
        slice(LINKS_START + link * WIDTH, LINKS_START + (link + 1) * WIDTH)
        for link in range(len(LINKS))
    ),
)
"""What each kind of subject gives to a vector, in the order of `Subjects.all`."""


@dataclass(frozen=True, slots=True)
class NumberedTransfers:
    """Transfers sorted by (time_ms, request_id), in numbers. Codes are int8, 0 for not known."""

    frame: pl.DataFrame
    """Columns that differ between transfers, as `table_history` needs them, and `request_id`."""
    subjects: Subjects
    outcomes: pl.DataFrame
    """What became known, with `fanzha_training.outcomes.OUTCOME_COLUMNS`."""
    zone: str
    """The bank's time zone, an IANA name."""
    constants: dict[str, pl.Expr] = field(default_factory=dict)
    """Columns that are the same for all transfers."""

    def __len__(self) -> int:
        return len(self.frame)

    def columns(self, names: Sequence[str], rows: slice) -> pl.DataFrame:
        """Return some columns of some transfers."""
        constants = {name: self.constants[name] for name in names if name in self.constants}
        return self.frame[rows.start : rows.stop].with_columns(**constants).select(names)

    def some(self, rows: Ints | slice) -> "tuple[pl.DataFrame, Subjects, Ints]":
        """Return transfers with all columns, numbered from 0; their subjects; their UTC offsets."""
        part = self.frame[rows.start : rows.stop] if isinstance(rows, slice) else self.frame[rows]
        part = part.drop("request_id", strict=False).with_columns(**self.constants)
        part = part.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
        offsets = zone_rules(self.zone).offsets_at(part["time_ms"].to_numpy()) // 1000
        return part, self.subjects.some(rows), offsets


@dataclass(frozen=True, slots=True)
class Named:
    """Accounts that outcomes of all transfers name, and since when."""

    reports: pl.DataFrame
    """From `fanzha_training.outcomes.reports_of`."""
    mules: pl.DataFrame
    """From `fanzha_training.building.table_links.mules_of`."""

    @staticmethod
    def of(numbered: NumberedTransfers) -> "Named":
        """Return the accounts that the outcomes of transfers name."""
        reports = reports_of(numbered.outcomes)
        time_ms = numbered.frame["time_ms"].to_numpy()
        return Named(reports, mules_of(reports, time_ms, numbered.subjects))


@dataclass(frozen=True, slots=True)
class Work:
    """What the parts of all subjects are computed from, and where to."""

    numbered: NumberedTransfers
    named: Named
    parts: int
    folder: Path
    """Where each part's share of the vectors waits for the others'."""

    def put_aside(self, index: int) -> None:
        """Compute one part, and write what it gives to the folder."""
        part = Part(index, self.parts)
        mine = [part.holds(numbers) for numbers in self.numbered.subjects.all]
        rows = np.flatnonzero(np.logical_or.reduce(mine))
        vectors = _folded(self.numbered, rows, self.named, part)
        for number, (place, mask) in enumerate(zip(_SLICES, mine, strict=True)):
            spill(self.folder, number, index, place, mask[rows], vectors)


Spread = Callable[[Work, Say], None]
"""Puts all parts aside, on one machine or many."""


def one_after_another(work: Work, say: Say) -> None:
    """Put all parts aside in this process."""
    told = rate()
    count = len(work.numbered)
    for index in range(work.parts):
        done = count * index // work.parts
        say(f"computing part {index + 1} of {work.parts}{told(done)}")
        work.put_aside(index)


def vectors_of(
    numbered: NumberedTransfers,
    parts: int,
    folder: Path,
    say: Say,
    spread: Spread = one_after_another,
) -> Iterator[tuple[slice, Vectors]]:
    """Yield the vectors of all transfers in order, each time those of some rows.

    Args:
        numbered: the transfers.
        parts: into how many parts to cut the subjects.
        folder: where to put aside what does not fit memory.
        say: told what is being done.
        spread: computes the parts where there are several.

    """
    count = len(numbered)
    named = Named.of(numbered)
    if parts == 1:
        say("computing the vectors")
        vectors = _folded(numbered, slice(0, count), named, None)
        for rows in blocks_of(count):
            yield rows, vectors[rows]
        return
    with tempfile.TemporaryDirectory(prefix=".fanzha-build-", dir=folder) as place:
        work = Work(numbered, named, parts, Path(place))
        spread(work, say)
        yield from _joined(work, say)


def parts_for(count: int, subjects: Subjects) -> int:
    """Return into how many parts to cut the subjects of so many transfers."""
    if count <= ROWS_IN_ONE:
        return 1
    kinds = sum(bool(numbers.any()) for numbers in subjects.all)
    return math.ceil(count * kinds / ROWS_PER_PART)


def _joined(work: Work, say: Say) -> Iterator[tuple[slice, Vectors]]:
    numbered, count = work.numbered, len(work.numbered)
    spilled = [
        Spilled(work.folder, number, place, work.parts) for number, place in enumerate(_SLICES)
    ]
    told = rate()
    for rows in blocks_of(count):
        say(f"writing row {rows.start:,} of {count:,}{told(rows.start)}")
        vectors = _request_parts(numbered, rows)
        for slices, numbers in zip(spilled, numbered.subjects.all, strict=True):
            slices.fill(vectors, parts_of(numbers[rows], work.parts))
        yield rows, vectors


def blocks_of(count: int) -> Iterator[slice]:
    """Yield the rows of so many transfers, some at a time."""
    for start in range(0, count, ROWS_PER_BLOCK):
        yield slice(start, min(start + ROWS_PER_BLOCK, count))


def _request_parts(numbered: NumberedTransfers, rows: slice) -> Vectors:
    transfers, subjects, offsets = numbered.some(rows)
    facts = table_facts(transfers, subjects, offsets)
    return fold(facts, np.empty((0, STEP_COLUMNS), np.int64))


def _folded(
    numbered: NumberedTransfers, rows: Ints | slice, named: Named, part: Part | None
) -> Vectors:
    transfers, subjects, offsets = numbered.some(rows)
    reports = named.reports
    if not isinstance(rows, slice):
        local = pl.Series(np.searchsorted(rows, reports["row"].to_numpy()))
        there = np.isin(reports["row"].to_numpy(), rows)
        reports = reports.with_columns(row=local).filter(pl.Series(there, dtype=pl.Boolean))
    facts = table_facts(transfers, subjects, offsets)
    steps = table_steps(transfers, reports, subjects, named.mules, offsets, part)
    return fold(facts, steps)


def tied_order(time_ms: Ints, request_id: pl.Series) -> Ints | None:
    """Return the places of transfers by (time, request id), None when that is how they stand.

    Only transfers of one time are compared by their ids: sorting millions of texts takes long.
    """
    order = np.argsort(time_ms, kind="stable")
    ms = time_ms[order]
    equal = ms[1:] == ms[:-1]
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    if len(tied):
        here = order[tied]
        texts: Any = pl.DataFrame({"ms": ms[tied], "id": request_id[here], "place": here})
        order[tied] = texts.sort("ms", "id")["place"].to_numpy()
    return None if (order[1:] > order[:-1]).all() else order
