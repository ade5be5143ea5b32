"""Reads a CSV of watchlist entries twice: to find every bad row, and to send the good ones."""

import csv
import os
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fanzha.commands.watchlist_csv import COLUMNS, REJECT_COLUMNS, CsvRow, read_rows
from fanzha.domain.errors import SetupError
from fanzha.v1 import watchlists_pb2 as wire

if TYPE_CHECKING:
    from _csv import Writer

_SHOWN: Final = 20
_STEP: Final = 1_000
_ENTRIES_MAX: Final = 1_000
"""Entries of one message, as proto/fanzha/v1/watchlists.proto states."""


@dataclass(slots=True)
class Checked:
    """What the first reading of the file found."""

    good: int = 0
    bad: int = 0
    first: list[str] = field(default_factory=list)


def progress_bar() -> Progress:
    """Return a bar on standard error that is gone when all is done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def check(file: Path, now: datetime, rejects: Path | None, progress: Progress) -> Checked:
    """Read all rows, and write the bad ones out, before anything is sent."""
    task = progress.add_task("checking", total=None)
    checked = Checked()
    with _rejects_file(file, rejects) as writer:
        for row in read_rows(file, now):
            if not row.faults:
                checked.good += 1
            else:
                checked.bad += 1
                reasons = "; ".join(row.faults)
                if len(checked.first) < _SHOWN:
                    checked.first.append(f"  row {row.number}: {reasons}")
                if writer is not None:
                    writer.writerow((row.number, reasons, *row.cells))
            if row.number % _STEP == 0:
                progress.update(task, completed=row.number)
    progress.remove_task(task)
    return checked


def refuse_bad_rows(
    file: Path, checked: Checked, rejects: Path | None, *, skip_bad_rows: bool
) -> None:
    """Go on only with good rows.

    Raises:
        SetupError: there are bad ones, or none at all.
    """
    if checked.good and (skip_bad_rows or not checked.bad):
        return
    if not checked.bad:
        raise SetupError(f"{file} has a header and no rows; there is nothing to import")
    more = checked.bad - len(checked.first)
    shown = "\n".join([*checked.first, *([f"  and {more:,} more"] if more else [])])
    place = f"they are in {rejects}" if rejects else "--rejects FILE writes them to a file"
    remedy = ", or import the other rows with --skip-bad-rows" if checked.good else ""
    raise SetupError(
        f"{file}: {checked.bad:,} bad row(s), nothing was imported (row 1 is the first after the "
        f"header):\n{shown}\n{place}; mend them{remedy}"
    )


@contextmanager
def _rejects_file(source: Path, place: Path | None) -> "Iterator[Writer | None]":
    """Yield a writer of bad rows; the file, for its owner's eyes only, appears when all is read."""
    if place is None:
        yield None
        return
    try:
        if place.exists() and place.samefile(source):
            raise SetupError(f"{place} is the file to import; name another with --rejects")
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        draft = Path(name)
        try:
            # mkstemp makes files of mode 0600.
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow((*REJECT_COLUMNS, *COLUMNS))
                yield writer
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(
            f"cannot write {place}: {error.strerror}; choose another file with --rejects"
        ) from error


class Sending:
    """Good rows on their way, in groups as large as a message may be."""

    def __init__(self, rows: Iterator[CsvRow], total: int, progress: Progress) -> None:
        self._rows = rows
        self._progress = progress
        self._task = progress.add_task("sending", total=total)
        self.numbers: array[int] = array("q")
        """Row of the file that each entry sent so far came from."""

    def groups(self, then: str) -> Iterator[wire.WatchlistEntries]:
        """Yield all groups; afterwards the bar says what happens next."""
        group = wire.WatchlistEntries()
        for row in self._rows:
            group.entries.append(row.entry)
            self.numbers.append(row.number)
            if len(group.entries) == _ENTRIES_MAX:
                yield group
                self._progress.update(self._task, completed=len(self.numbers))
                group = wire.WatchlistEntries()
        if group.entries:
            yield group
        self._progress.update(self._task, completed=len(self.numbers), description=then)
