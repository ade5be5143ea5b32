"""Reads texts of a fixed layout such as 2026-11-22 13:05:09 as times, many at once.

A shortcut: whatever it does not read, the reader of single cells looks at.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]

_WIDTHS: Final = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_PART: Final = re.compile(r"%(.)|([^%])", re.DOTALL)
_ISO: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")
_MONTH_DAYS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the digits of a time stand in the bytes of a text."""

    length: int
    digits: dict[str, int]
    """First byte of each part, by its letter in the pattern."""
    literals: dict[int, int]
    """Byte by place."""


def layouts_of(form: str) -> list[Layout]:
    """Return the fixed layouts of a format; none where its texts have no fixed layout."""
    patterns = _ISO if form == "iso" else (form,)
    return [layout for pattern in patterns if (layout := _layout(pattern)) is not None]


def _layout(pattern: str) -> Layout | None:
    place = 0
    digits: dict[str, int] = {}
    literals: dict[int, int] = {}
    for letter, literal in _PART.findall(pattern):
        if letter:
            if letter not in _WIDTHS or letter in digits:
                return None
            digits[letter] = place
            place += _WIDTHS[letter]
        else:
            # A blank of a pattern stands for any number of blanks: the text has to have one.
            for byte in literal.encode():
                literals[place] = byte
                place += 1
    return Layout(place, digits, literals) if {"Y", "m", "d"} <= digits.keys() else None


def read_layout(texts: "pa.Array[Any]", layout: Layout) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return local times in milliseconds since 1970, and which texts are such times.

    Args:
        texts: Arrow strings.
        layout: how they are laid out.
    """
    ms = np.zeros(len(texts), np.int64)
    fits = np.zeros(len(texts), np.bool_)
    _, offsets_buffer, data = texts.buffers()
    if data is None or len(texts) == 0:
        return ms, fits
    wide = pa.types.is_large_string(texts.type)
    offsets = np.frombuffer(offsets_buffer, np.int64 if wide else np.int32)
    offsets = offsets[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    lines = np.flatnonzero((np.diff(offsets) == layout.length) & np.asarray(texts.is_valid()))
    everything = np.frombuffer(data, np.uint8)
    starts = offsets[lines]

    ok = np.ones(len(lines), np.bool_)
    for place, byte in layout.literals.items():
        ok &= everything[starts + place] == byte
    parts: dict[str, Ints] = {}
    for letter, place in layout.digits.items():
        value = np.zeros(len(lines), np.int64)
        for step in range(_WIDTHS[letter]):
            digit = everything[starts + place + step] - np.uint8(48)
            ok &= digit < 10
            value = value * 10 + digit
        parts[letter] = value
    local, possible = _from_parts(parts)
    ok &= possible
    fits[lines[ok]] = True
    ms[lines[ok]] = local[ok]
    return ms, fits


def _from_parts(parts: dict[str, Ints]) -> tuple[Ints, npt.NDArray[np.bool_]]:
    year, month, day = parts["Y"], parts["m"], parts["d"]
    none = np.zeros_like(year)
    hour, minute, second = (parts.get(letter, none) for letter in "HMS")
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = _MONTH_DAYS[np.clip(month, 0, 12)] + (leap & (month == 2))
    possible = (
        (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= last)
        & (hour < 24) & (minute < 60) & (second < 60)
    )  # fmt: skip
    months = np.where(possible, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000, possible
