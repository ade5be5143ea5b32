"""Reads a column of amounts as minor units: exactly, and many at once where that is exact."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.domain.transfer import AMOUNT_MINOR_MAX
from fanzha.mapping.cells import Cell, CellError, decimals_of, to_decimal, to_minor
from fanzha.mapping.sources import AmountSource

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SHORT: Final = r"^[+-]?[0-9]{1,12}(\.[0-9]{1,3})?$"
"""Texts of at most 15 digits: different ones are different as float64."""
_EXACT_MAX: Final = 10**15


@dataclass(slots=True)
class Amounts:
    """Amounts of a table's lines."""

    minor: Ints
    """Minor units, int64; 0 where not known."""
    known: Mask
    rounded: Mask
    """Amounts from which noise of a binary fraction was taken off."""
    zero: Mask
    """Amounts of 0 in rows that are then to be left out."""
    wrong: dict[int, CellError]
    """What is wrong, by line from 0."""


def read_amount(
    name: str, source: AmountSource, currency: str, cell: Cell
) -> tuple[int | None, bool]:
    """Return a cell in minor units, None when it is not known, and whether noise was taken off.

    Args:
        name: the field.
        source: where its amounts come from.
        currency: ISO 4217 code of what it is in.
        cell: the cell.

    Raises:
        CellError: it is no amount that the field can have.
    """
    amount = to_decimal(cell)
    if amount is None:
        return None, False
    minor, noisy = to_minor(amount, currency, source.unit)
    least = _least(name)
    if minor == 0 and least and source.zero == "leave_out":
        return 0, noisy
    if not least <= minor <= AMOUNT_MINOR_MAX:
        kind = "negative" if minor < 0 else "zero" if minor == 0 else "too large"
        text = f"{amount} is not {least} to {AMOUNT_MINOR_MAX} minor units"
        raise CellError(text, kind)
    return minor, noisy


def read_amounts(
    name: str, source: AmountSource, column: "pa.Array[Any]", codes: list[str | None], places: Ints
) -> Amounts:
    """Return a column as the field `name` reads it.

    Args:
        name: the field.
        source: where its amounts come from.
        column: cells.
        codes: ISO 4217 codes, None where the currency is not known: nothing is read there.
        places: place of each line's currency in `codes`.
    """
    count = len(column)
    known = np.zeros(count, np.bool_)
    amounts = Amounts(
        np.zeros(count, np.int64), known, np.zeros_like(known), np.zeros_like(known), {}
    )
    ask = np.array([code is not None for code in codes], np.bool_)[places]
    scale = np.array(
        [10 ** (decimals_of(code) if code and source.unit == "yuan" else 0) for code in codes],
        np.int64,
    )[places]
    numbers, is_short = _as_floats(column)
    # Within 15 digits a float64 stands for one decimal number; it is `whole / scale` exactly when
    # dividing gives that float64 again.
    whole = np.rint(np.where(is_short, numbers, 0.0) * scale)
    exact = is_short & (np.abs(whole) < _EXACT_MAX) & (whole / scale == numbers)
    least = _least(name)
    plain = exact & (whole >= least) & (whole <= AMOUNT_MINOR_MAX) & ask
    amounts.minor[plain] = whole[plain].astype(np.int64)
    amounts.known |= plain
    odd = ask & ~plain & np.asarray(column.is_valid())
    _read_odd(name, source, column, amounts, np.flatnonzero(odd), codes, places)
    if least and source.zero == "leave_out":
        amounts.zero = amounts.known & (amounts.minor == 0)
    return amounts


def _read_odd(
    name: str,
    source: AmountSource,
    column: "pa.Array[Any]",
    amounts: Amounts,
    lines: Ints,
    codes: list[str | None],
    places: Ints,
) -> None:
    seen: dict[tuple[Cell, int], tuple[int | None, bool] | CellError] = {}
    cells = column.take(pa.array(lines)).to_pylist()
    for line, cell in zip(lines.tolist(), cells, strict=True):
        key = (cell, int(places[line]))
        found = seen.get(key)
        if found is None:
            try:
                found = read_amount(name, source, codes[key[1]] or "", cell)
            except CellError as error:
                found = error
            seen[key] = found
        if isinstance(found, CellError):
            amounts.wrong[line] = found
            continue
        minor, amounts.rounded[line] = found
        if minor is not None:
            amounts.minor[line], amounts.known[line] = minor, True


def _as_floats(column: Any) -> tuple[npt.NDArray[np.float64], Mask]:  # noqa: ANN401 - Arrow
    """Return cells as float64, and which of them stand for a decimal number of 15 digits."""
    kind = column.type
    if pa.types.is_decimal(kind):
        column, kind = column.cast(pa.string()), pa.string()
    if pa.types.is_integer(kind):
        values: Any = pc.cast(column, pa.float64(), safe=False)
        numbers = np.asarray(values.fill_null(0.0))
        return numbers, np.asarray(column.is_valid()) & (np.abs(numbers) < _EXACT_MAX)
    if pa.types.is_float64(kind):
        numbers = np.asarray(column.fill_null(float("nan")))
        return numbers, np.abs(numbers) < _EXACT_MAX
    if pa.types.is_string(kind):
        short: Any = pc.fill_null(pc.match_substring_regex(column, _SHORT), fill_value=False)
        # A newline at the end passes `$`.
        short = pc.and_(short, pc.invert(pc.fill_null(pc.match_substring(column, "\n"), True)))
        unsigned = pc.if_else(short, pc.utf8_ltrim(column, "+"), "0")
        return np.asarray(pc.cast(unsigned, pa.float64())), np.asarray(short)
    return np.zeros(len(column)), np.zeros(len(column), np.bool_)


def _least(name: str) -> int:
    return 0 if name == "balance_before" else 1
