"""Reads a CSV of watchlist entries, and says of every bad row what is wrong with it."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind, words_of
from fanzha.v1 import watchlists_pb2 as wire

W = TypeVar("W")

COLUMNS: Final = (
    "kind",
    "identifier",
    "grade",
    "source",
    "case_number",
    "legal_basis",
    "valid_from",
    "valid_until",
)

REJECT_COLUMNS: Final = ("row", "reasons")
"""What a file of rejected rows has besides; ignored, so that it can be mended and imported."""

_KINDS: Final = words_of(WatchlistKind)
_GRADES: Final = words_of(WatchlistGrade)
_PHONE: Final = re.compile(r"[0-9+ -]+\Z")
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:-]+\Z")
_LONGEST: Final = {WatchlistKind.PHONE: 32, WatchlistKind.DEVICE: 128}


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: its cells, its entry, and what is wrong with it."""

    number: int
    """Row 1 is the first after the header."""
    cells: tuple[str, ...]
    entry: wire.WatchlistEntry
    """Of no use when there are faults."""
    faults: tuple[str, ...]
    """Never holds an identifier."""


def read_rows(path: Path, now: datetime) -> Iterator[CsvRow]:
    """Yield all rows of a file.

    Args:
        path: CSV in UTF-8 with a header of the eight columns, in any order.
        now: entries that end before count as bad rows.

    Raises:
        SetupError: the file cannot be read, is not such a CSV, or lacks columns.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = _checked_header(path, next(reader, []))
            for cells in reader:
                if cells:
                    number += 1
                    yield _row(number, header, cells, now)
    except OSError as error:
        raise SetupError(
            f"cannot read {path}: {error.strerror}; name a readable CSV file"
        ) from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{path} is not UTF-8 text: {error.reason}; save it as UTF-8") from error
    except csv.Error as error:
        raise SetupError(
            f"{path} is no CSV after row {number}: {error}; mend its quotes there"
        ) from error


def _checked_header(path: Path, names: list[str]) -> list[str]:
    header = [name.strip() for name in names]
    if not any(header):
        raise SetupError(f"{path} is empty; it needs a header with the columns {','.join(COLUMNS)}")
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in (*COLUMNS, *REJECT_COLUMNS)]
    twice = sorted({name for name in header if header.count(name) > 1})
    faults = [
        f"{text} {', '.join(repr(name) for name in columns)}"
        for text, columns in (
            ("has no column", missing),
            ("has columns that no entry knows:", unknown),
            ("has twice the column", twice),
        )
        if columns
    ]
    if faults:
        raise SetupError(f"{path} {'; '.join(faults)}; its header must be {','.join(COLUMNS)}")
    return header


def _row(number: int, header: list[str], cells: list[str], now: datetime) -> CsvRow:
    if len(cells) != len(header):
        fault = f"has {len(cells)} fields, the header has {len(header)}"
        return CsvRow(number, tuple(cells), wire.WatchlistEntry(), (fault,))
    given = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    faults: list[str] = []
    entry = wire.WatchlistEntry(
        identifier=given["identifier"],
        source=given["source"],
        case_number=given["case_number"],
        legal_basis=given["legal_basis"],
    )
    kind = _word(_KINDS, given["kind"], "kind", faults)
    grade = _word(_GRADES, given["grade"], "grade", faults) if given["grade"] else None
    if kind is not None:
        entry.kind = int(kind)  # type: ignore[assignment]
        _check_identifier(given["identifier"], kind, faults)
    if grade is not None:
        entry.grade = int(grade)  # type: ignore[assignment]
    elif not given["grade"] and kind is not WatchlistKind.VERIFIED_BILLER:
        faults.append("grade must be given")
    _check_texts(given, grade, faults)
    _read_times(given, entry, now, faults)
    return CsvRow(number, tuple(given[name] for name in COLUMNS), entry, tuple(faults))


def _word(words: dict[str, W], text: str, name: str, faults: list[str]) -> W | None:
    found = words.get(text.lower())
    if found is None:
        faults.append(f"{name} must be one of {', '.join(words)}")
    return found


def _check_identifier(text: str, kind: WatchlistKind, faults: list[str]) -> None:
    longest = _LONGEST.get(kind, 64)
    form, shown = (
        (_PHONE, "[0-9+ -]") if kind is WatchlistKind.PHONE else (_IDENTIFIER, "[A-Za-z0-9._:-]")
    )
    if len(text) > longest or form.match(text) is None:
        faults.append(f"identifier must be 1 to {longest} characters of {shown}")


def _check_texts(given: dict[str, str], grade: WatchlistGrade | None, faults: list[str]) -> None:
    if not given["source"]:
        faults.append("source must be given")
    for name, longest in (("source", 64), ("case_number", 64), ("legal_basis", 256)):
        if len(given[name]) > longest:
            faults.append(f"{name} must be at most {longest} characters")
    if grade is WatchlistGrade.INVOLVED and not given["legal_basis"]:
        faults.append("legal_basis must be given for involved: it may block")


def _read_times(
    given: dict[str, str], entry: wire.WatchlistEntry, now: datetime, faults: list[str]
) -> None:
    since = _time(given["valid_from"], "valid_from", faults)
    until = _time(given["valid_until"], "valid_until", faults)
    if not given["valid_until"]:
        faults.append("valid_until must be given: entries expire")
    if since is not None:
        entry.valid_from_time.CopyFrom(_stamp(since))
    if until is not None:
        entry.valid_until_time.CopyFrom(_stamp(until))
        if since is not None and until <= since:
            faults.append("valid_until must be later than valid_from")
        elif until <= now:
            faults.append("valid_until is past: the entry would never count")


def _time(text: str, name: str, faults: list[str]) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or time.year < 1971:
        faults.append(f"{name} must be a time with its zone, such as 2026-11-22T08:00:00+08:00")
        return None
    return time


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
