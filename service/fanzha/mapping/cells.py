"""Turns one cell of a bank's table into a value of a transfer, or says why it cannot."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from fanzha.mapping.masking import quoted
from fanzha.mapping.sources import TimeSource

V = TypeVar("V")

Cell = Any
"""A cell as PyArrow gives it: None, text, bytes, a number, a truth value, a date or a time."""

_NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,3})?\Z", re.ASCII)
_GROUPED: Final = re.compile(r"[¥￥]? ?[+-]?(\d{1,3}(,\d{3})+|\d{1,40})(\.\d{0,40})?\Z", re.ASCII)
"""As people write money: ¥1,234.56."""
NOTHING: Final = frozenset({"NULL", "N/A", "\\N", "-", "--", "无"})
"""How exports write that nothing is known, in upper case."""
FLOAT_EXACT_MAX: Final = 2**53
# A double near 10^9 fen is this close to the fen it stands for.
_NOISE_FEN: Final = Decimal("0.000001")
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}

UNITS_MS: Final = {"seconds_since": 1000, "hours_since": 3_600_000}
ABSURD_TIME: Final = "is absurd: it lies outside the years 1990 to 2099"
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

    def __init__(self, text: str, kind: str) -> None:
        """Describe the fault.

        Args:
            text: what is wrong with this cell, and what would be right.
            kind: the same in a few words without the cell, by which faults are counted.
        """
        super().__init__(text)
        self.kind = kind


class Moment(NamedTuple):
    """A time as a cell states it."""

    ms: int
    """Milliseconds since 1970, of UTC or of the local clock."""
    is_local: bool


def to_text(cell: Cell) -> str:
    """Return a cell as text, empty when it is not known. Whole numbers have no decimal point.

    NULL, N/A, a dash and 无 are how exports write that nothing is known; as accounts they would be
    everybody's.
    """
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        try:
            return cell.decode().strip()
        except UnicodeDecodeError as error:
            raise CellError("is not UTF-8 text", "not UTF-8") from error
    if isinstance(cell, float):
        return _float_text(cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    text = str(cell).strip()
    return "" if text.upper() in NOTHING else text


def _float_text(cell: float) -> str:
    if math.isnan(cell):
        return ""
    # Tables with gaps hold whole numbers as floats: 4711.0 names the account 4711.
    if cell.is_integer() and abs(cell) < FLOAT_EXACT_MAX:
        return str(int(cell))
    return repr(cell)


def to_choice(values: dict[str, V], cell: Cell) -> V | None:
    """Return what a cell stands for, None when it is not known."""
    text = to_text(cell)
    if isinstance(cell, str) and cell.strip() in values:
        return values[cell.strip()]
    if text in values:
        return values[text]
    if not text:
        return None
    raise CellError(f"{quoted(text)} is not among {', '.join(values)[:200]}", "unknown word")


def to_choice_by_start(values: dict[str, V], cell: Cell) -> V | None:
    """Return what the beginning of a cell stands for; the longest beginning that fits counts."""
    text = to_text(cell)
    fitting = [start for start in values if text.startswith(start)]
    if fitting:
        return values[max(fitting, key=len)]
    if not text:
        return None
    # The cell may hold an identifier: never shown.
    starts = ", ".join(values)[:200]
    raise CellError(f"begins with none of {starts}", "unknown beginning")


def to_flag(values: dict[str, bool], cell: Cell) -> bool | None:
    """Return yes or no, None when it is not known."""
    return to_choice(values or _FLAGS, cell)


def to_decimal(cell: Cell) -> Decimal | None:
    """Return a number exactly as its digits say, None when it is not known."""
    text = to_text(cell)
    if not text:
        return None
    if _GROUPED.match(text) is not None:
        text = text.lstrip("¥￥ ").replace(",", "")
    if _NUMBER.match(text) is None:
        raise CellError(f"{quoted(text)} is not a number such as 1234.56", "not a number")
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
    decimals = decimals_of(currency) if unit == "yuan" else 0
    if abs(amount) > 10**16:
        raise CellError(f"{quoted(str(amount))} is absurdly large", "absurdly large")
    exact = amount.scaleb(decimals)
    whole = exact.to_integral_value(ROUND_HALF_EVEN)
    if abs(exact - whole) > _NOISE_FEN:
        raise CellError(
            f"{amount} {currency} is finer than the minor unit", "finer than the minor unit"
        )
    return int(whole), exact != whole


def decimals_of(currency: str) -> int:
    """Return how many decimals the main unit of a currency has."""
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
        raise CellError(
            f"{quoted(text)} is no date of the form {form}", "not of the form"
        ) from error


def moment_reader(source: TimeSource) -> Callable[[Cell], Moment]:
    """Return the function that reads a cell as a time; it raises CellError for what is none."""
    form = source.format[0]
    match form:
        case "epoch_s":
            return lambda cell: Moment(_counted(cell, 1000), is_local=False)
        case "epoch_ms":
            return lambda cell: Moment(_counted(cell, 1), is_local=False)
        case "seconds_since" | "hours_since":
            start, unit = start_ms(source), UNITS_MS[form]
            return lambda cell: Moment(start + _counted(cell, unit), is_local=False)
    parsers = [(_parser(form), form) for form in source.format]
    return lambda cell: _parsed(cell, parsers, source.zone)


def start_ms(source: TimeSource) -> int:
    """Return the time from which a `..._since` column counts, milliseconds since 1970 UTC."""
    start = datetime.fromisoformat(source.start or "")
    return (start.replace(tzinfo=ZoneInfo(source.zone or "UTC")) - _EPOCH) // _MS


def _counted(cell: Cell, unit_ms: int) -> int:
    number = to_decimal(cell)
    if number is None:
        raise CellError("is missing", "missing")
    if abs(number) > 10**15:
        raise CellError(ABSURD_TIME, "absurd")
    return math.floor(number * unit_ms)


def _parser(form: str) -> Callable[[str], datetime]:
    if form == "iso":
        return datetime.fromisoformat
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the mapping's zone counts


def _parsed(
    cell: Cell, parsers: list[tuple[Callable[[str], datetime], str]], zone: str | None
) -> Moment:
    if isinstance(cell, datetime):
        return _moment(cell, zone)
    text = to_text(cell)
    if not text:
        raise CellError("is missing", "missing")
    for parse, _ in parsers:
        try:
            return _moment(parse(text), zone)
        except ValueError:
            continue
    forms = [form for _, form in parsers]
    refused = f"{quoted(text)} is no time of the form {' or '.join(forms)}"
    other = _known_form(text, forms)
    if other is None:
        raise CellError(refused, "not of the form")
    both = ", ".join(f'"{form}"' for form in [*forms, other])
    raise CellError(
        f"{refused} but of {other}; if both are meant, write format: [{both}]",
        f"of a second form {other}",
    )


KNOWN_FORMS: Final = (
    "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y%m%d %H:%M:%S",
    "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y年%m月%d日 %H:%M:%S", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d",
    "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "iso",
)  # fmt: skip
"""Forms in which banks export times; they are proposed, never guessed."""


def _known_form(text: str, tried: list[str]) -> str | None:
    for form in KNOWN_FORMS:
        try:
            time = _parser(form)(text)
        except ValueError:
            continue
        # Six digits are a date to a pattern that takes them for one: 1234-5-6.
        if form not in tried and TIME_MS_MIN <= _moment(time, "UTC").ms < TIME_MS_MAX:
            return form
    return None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def _moment(time: datetime, zone: str | None) -> Moment:
    if time.tzinfo is not None:
        return Moment((time - _EPOCH) // _MS, is_local=False)
    if zone is None:
        raise CellError("names no zone, and the mapping gives none", "without a zone")
    return Moment((time.replace(tzinfo=UTC) - _EPOCH) // _MS, is_local=True)
