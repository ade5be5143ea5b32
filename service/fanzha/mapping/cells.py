"""Turns one cell of a bank's table into a value of a transfer, or says why it cannot."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from fanzha.mapping.sources import TimeSource

V = TypeVar("V")

Cell = Any
"""A cell as PyArrow gives it: None, text, bytes, a number, a truth value, a date or a time."""

_NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,3})?\Z", re.ASCII)
_FLOAT_EXACT_MAX: Final = 2**53
# A double near 10^9 fen is this close to the fen it stands for.
_NOISE_FEN: Final = Decimal("0.000001")
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}

TIME_MS_MIN: Final = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * 1000
TIME_MS_MAX: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000

# ISO 4217, table A.1: minor units of the currencies that do not have two.
_NO_DECIMALS: Final = {
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
}  # fmt: skip
_THREE_DECIMALS: Final = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}


class CellError(Exception):
    """A cell that cannot be what the mapping says; its text follows the field's name."""


def to_text(cell: Cell) -> str:
    """Return a cell as text, empty when it is not known. Whole numbers have no decimal point."""
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        try:
            return cell.decode().strip()
        except UnicodeDecodeError as error:
            raise CellError("is not UTF-8 text") from error
    if isinstance(cell, float):
        return _float_text(cell)
    return str(cell).lower() if isinstance(cell, bool) else str(cell).strip()


def _float_text(cell: float) -> str:
    if math.isnan(cell):
        return ""
    # Tables with gaps hold whole numbers as floats: 4711.0 names the account 4711.
    if cell.is_integer() and abs(cell) < _FLOAT_EXACT_MAX:
        return str(int(cell))
    return repr(cell)


def to_choice(values: dict[str, V], cell: Cell) -> V | None:
    """Return what a cell stands for, None when it is not known."""
    text = to_text(cell)
    if text in values:
        return values[text]
    if not text:
        return None
    raise CellError(f"{text[:40]!r} is not among {', '.join(values)[:200]}")


def to_flag(values: dict[str, bool], cell: Cell) -> bool | None:
    """Return yes or no, None when it is not known."""
    return to_choice(values or _FLAGS, cell)


def to_decimal(cell: Cell) -> Decimal | None:
    """Return a number exactly as its digits say, None when it is not known."""
    text = to_text(cell)
    if not text:
        return None
    if _NUMBER.match(text) is None:
        raise CellError(f"{text[:40]!r} is not a number such as 1234.56")
    return Decimal(text)


def to_minor(amount: Decimal, currency: str, unit: str) -> tuple[int, bool]:
    """Return an amount in minor units, and whether noise of a binary fraction was taken off.

    Args:
        amount: in the unit.
        currency: ISO 4217 code.
        unit: "yuan" for the currency's main unit, "fen" for its minor unit.

    Raises:
        CellError: the amount is finer than the minor unit, or absurd.
    """
    decimals = _decimals(currency) if unit == "yuan" else 0
    if abs(amount) > 10**16:
        raise CellError(f"{amount} is absurdly large")
    exact = amount.scaleb(decimals)
    whole = exact.to_integral_value(ROUND_HALF_EVEN)
    if abs(exact - whole) > _NOISE_FEN:
        raise CellError(f"{amount} {currency} is finer than the minor unit")
    return int(whole), exact != whole


def _decimals(currency: str) -> int:
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def to_day(form: str, cell: Cell) -> date | None:
    """Return a calendar date, None when it is not known."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = to_text(cell)
    if not text:
        return None
    try:
        if form == "iso":
            return datetime.fromisoformat(text).date()
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - only the day counts
    except ValueError as error:
        raise CellError(f"{text[:40]!r} is no date of the form {form}") from error


def time_reader(source: TimeSource) -> Callable[[Cell], int]:
    """Return the function that reads a cell as milliseconds since 1970 UTC.

    Local times that a change of clocks makes ambiguous are the earlier ones.
    """
    zone = ZoneInfo(source.zone) if source.zone else None
    match source.format:
        case "epoch_s":
            return lambda cell: _counted(cell, 1000)
        case "epoch_ms":
            return lambda cell: _counted(cell, 1)
        case "seconds_since":
            start = _ms(datetime.fromisoformat(source.start or ""), zone)
            return lambda cell: start + _counted(cell, 1000)
        case "iso":
            return lambda cell: _ms(_parsed(cell, datetime.fromisoformat, "ISO 8601"), zone)
        case pattern:
            return lambda cell: _ms(
                _parsed(cell, lambda text: datetime.strptime(text, pattern), pattern),  # noqa: DTZ007
                zone,
            )


def checked_time(time_ms: int) -> int:
    """Return a time that is not absurd.

    Raises:
        CellError: it lies outside 1990 to 2099.
    """
    if TIME_MS_MIN <= time_ms < TIME_MS_MAX:
        return time_ms
    raise CellError("is absurd: it lies outside the years 1990 to 2099")


def _counted(cell: Cell, unit_ms: int) -> int:
    number = to_decimal(cell)
    if number is None:
        raise CellError("is missing")
    if abs(number) > 10**15:
        raise CellError("is absurd: it lies outside the years 1990 to 2099")
    return math.floor(number * unit_ms)


def _parsed(cell: Cell, parse: Callable[[str], datetime], form: str) -> datetime:
    if isinstance(cell, datetime):
        return cell
    text = to_text(cell)
    if not text:
        raise CellError("is missing")
    try:
        return parse(text)
    except ValueError as error:
        raise CellError(f"{text[:40]!r} is no time of the form {form}") from error


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def _ms(time: datetime, zone: ZoneInfo | None) -> int:
    if time.tzinfo is None:
        if zone is None:
            raise CellError("names no zone, and the mapping gives none")
        time = time.replace(tzinfo=zone)
    return (time - _EPOCH) // _MS
