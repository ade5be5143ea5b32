"""Reads a column of words, texts, flags or dates: each distinct cell once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.mapping.cells import NOTHING, Cell, CellError, to_text
from fanzha.mapping.fields import cell_reader, form_of
from fanzha.mapping.sources import Choice, TextSource

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

UNKNOWN: Final = -1
"""Code of a cell that says nothing, or nothing that can be read."""
LEFT_OUT: Final = "left out"


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as codes of its distinct values."""

    codes: Codes
    """Place in `values` of each line, int64; UNKNOWN where nothing is known."""
    values: Any
    """Distinct values: an Arrow array of strings for texts, else a list."""
    wrong: dict[int, CellError]
    """What is wrong with cells, by `cell_codes`."""
    left_out: frozenset[int]
    """Cells, by `cell_codes`, of rows that are to be left out."""
    cell_codes: Codes
    """Which distinct cell each line has, int64; UNKNOWN for null."""

    def lines_with(self, cells: Iterable[int]) -> Mask:
        """Return the lines that have one of these cells."""
        size = int(self.cell_codes.max(initial=-1)) + 2
        chosen = np.zeros(size, np.bool_)
        # The last place stands for UNKNOWN, which is -1.
        chosen[list(cells)] = True
        mask: Mask = chosen[self.cell_codes]
        return mask

    @property
    def known(self) -> Mask:
        """The lines whose value is known."""
        mask: Mask = self.codes != UNKNOWN
        return mask

    def at(self, line: int) -> Any:  # noqa: ANN401 - any field's value
        """Return the value of a line, None when it is not known."""
        code = int(self.codes[line])
        if code == UNKNOWN:
            return None
        value = self.values[code]
        return value.as_py() if isinstance(value, pa.Scalar) else value


def read_coded(name: str, source: Any, column: "pa.Array[Any]") -> Coded:  # noqa: ANN401 - any source
    """Return a column as the field `name` reads it."""
    encoded: Any = column.dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(UNKNOWN)).astype(np.int64)
    cells = encoded.dictionary
    if isinstance(source, TextSource):
        fast = _as_texts(name, source, cells)
        if fast is not None and encoded.null_count == 0:
            return Coded(codes, fast, {}, frozenset(), codes)
    read = cell_reader(name, source)
    left_out = frozenset(source.leave_out) if isinstance(source, Choice) else frozenset()
    return _read_each(
        read, codes, cells.to_pylist(), left_out, is_text=isinstance(source, TextSource)
    )


def _as_texts(name: str, source: TextSource, cells: Any) -> "pa.Array[Any] | None":  # noqa: ANN401 - Arrow
    """Return the values of cells that are all plain texts or whole numbers, else None.

    A shortcut: it reads what `cell_reader` reads in the same way, and leaves the rest to it.
    """
    kind = cells.type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind)) or pa.types.is_uint64(kind):
        return None
    texts: Any = cells.cast(pa.string())
    prefixed: Any = (
        pc.binary_join_element_wise(source.prefix, texts, "") if source.prefix else texts
    )
    form = form_of(name)
    if form.letters is None:
        return None
    pattern = f"^[{form.letters}]{{1,{form.longest}}}$"
    plain: Any = pc.match_substring_regex(prefixed, pattern)
    # A newline at the end passes `$`; no letter of a form is a blank, which would be stripped.
    empty = pc.any(pc.equal(texts, "")).as_py()
    has_newline = pc.any(pc.match_substring(prefixed, "\n")).as_py()
    nothing = pa.array(sorted(NOTHING), pa.string())
    unknown = pc.any(pc.is_in(pc.utf8_upper(texts), value_set=nothing)).as_py()
    is_plain = pc.all(plain).as_py() and not (empty or has_newline or unknown)
    return prefixed if is_plain else None


def _read_each(
    read: Callable[[Cell], Any],
    cell_codes: Codes,
    cells: list[Cell],
    left_out: frozenset[str],
    *,
    is_text: bool,
) -> Coded:
    places: dict[Any, int] = {}
    # One place more for null, which is -1: for some sources an empty cell has a meaning.
    of_cell = np.full(len(cells) + 1, UNKNOWN, np.int64)
    wrong: dict[int, CellError] = {}
    out: set[int] = set()
    for place, cell in enumerate([*cells, None]):
        code = place if place < len(cells) else UNKNOWN
        try:
            if left_out and to_text(cell) in left_out:
                out.add(code)
                continue
            value = read(cell)
        except CellError as error:
            wrong[code] = error
            continue
        if value is not None:
            of_cell[code] = places.setdefault(value, len(places))
    values: Any = list(places)
    if is_text:
        values = pa.array(values, pa.string())
    return Coded(of_cell[cell_codes], values, wrong, frozenset(out), cell_codes)
