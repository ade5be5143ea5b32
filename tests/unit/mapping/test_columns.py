"""Whole columns are read as their single cells are, only faster."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanzha.mapping.amounts import Amounts, read_amount, read_amounts
from fanzha.mapping.cells import CellError
from fanzha.mapping.coded import read_coded
from fanzha.mapping.fields import cell_reader
from fanzha.mapping.sources import AmountSource, Choice, Kind, TextSource

CURRENCIES = ("CNY", "JPY", "KWD")


def amounts_of(cells: "pa.Array[Any]", currency: str, **given: Any) -> Amounts:
    source = AmountSource(column="a", **{"unit": "yuan", **given})
    places = np.zeros(len(cells), np.int64)
    return read_amounts("amount", source, cells, [currency], places)


def expect_single_cells(cells: "pa.Array[Any]", currency: str, unit: str) -> None:
    source = AmountSource.model_validate({"column": "a", "unit": unit})
    found = amounts_of(cells, currency, unit=unit)
    for line, cell in enumerate(cells.to_pylist()):
        try:
            minor, noisy = read_amount("amount", source, currency, cell)
        except CellError as error:
            expected = str(error)
        else:
            expected = ""
        if expected:
            assert str(found.wrong[line]) == expected
            continue
        assert line not in found.wrong
        assert bool(found.known[line]) == (minor is not None)
        assert int(found.minor[line]) == (minor or 0)
        assert bool(found.rounded[line]) == noisy


@pytest.mark.parametrize("unit", ["yuan", "fen"])
@pytest.mark.parametrize("currency", CURRENCIES)
@given(
    cells=st.lists(
        st.one_of(
            st.none(), st.floats(), st.integers(0, 10**17).map(lambda fen: fen / 100),
            st.integers(0, 10**10).map(lambda fen: fen / 1000),
        ),
        min_size=1,
    )
)  # fmt: skip
def test_floats(cells: list[float | None], currency: str, unit: str) -> None:
    expect_single_cells(pa.array(cells, pa.float64()), currency, unit)


@pytest.mark.parametrize("unit", ["yuan", "fen"])
@given(
    cells=st.lists(
        st.one_of(
            st.none(), st.text("0123456789.+-eE \n", max_size=18),
            st.decimals(-(10**13), 10**15, places=2).map(str),
        ),
        min_size=1,
    )
)  # fmt: skip
def test_texts(cells: list[str | None], unit: str) -> None:
    expect_single_cells(pa.array(cells, pa.string()), "CNY", unit)


@given(cells=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers(cells: list[int]) -> None:
    expect_single_cells(pa.array(cells, pa.int64()), "CNY", "fen")
    expect_single_cells(pa.array(cells, pa.int64()), "CNY", "yuan")


@given(cells=st.lists(st.decimals(-(10**10), 10**12, places=3), min_size=1))
def test_decimals(cells: list[Decimal]) -> None:
    expect_single_cells(pa.array(cells, pa.decimal128(20, 3)), "CNY", "yuan")


@given(
    cells=st.lists(
        st.one_of(
            st.none(), st.text(max_size=5), st.text("abcXYZ019._:-", min_size=1, max_size=70)
        ),
        min_size=1,
    )
)
@example(["-"])
@example(["6222", "NULL"])
@example(["6222", "null"])
@example(["a", "--"])
def test_identifiers(cells: list[str | None]) -> None:
    source = TextSource(column="a", prefix="p-")
    read = cell_reader("payer_account", source)

    coded = read_coded("payer_account", source, pa.array(cells, pa.string()))

    for line, cell in enumerate(cells):
        try:
            expected = read(cell)
        except CellError as error:
            expected = error
        error_there = coded.wrong.get(int(coded.cell_codes[line]))
        assert str(coded.at(line) if error_there is None else error_there) == str(expected)


def test_rows_are_left_out_by_what_a_column_holds() -> None:
    source = Choice[Kind](
        column="a",
        values={"OUT": "transfer"},  # type: ignore[dict-item]
        leave_out=["IN"],
    )

    coded = read_coded("kind", source, pa.array(["OUT", "IN", "IN", None]))

    assert coded.lines_with(coded.left_out).tolist() == [False, True, True, False]
    assert coded.wrong == {}


def test_numbers_of_a_column_with_gaps_leave_rows_out_as_whole_ones() -> None:
    source = Choice[Kind](
        column="a",
        values={"1": "transfer"},  # type: ignore[dict-item]
        leave_out=["9"],
    )

    coded = read_coded("kind", source, pa.array([1.0, 9.0, None]))

    assert coded.lines_with(coded.left_out).tolist() == [False, True, False]
    assert (coded.at(0), coded.wrong) == (1, {})


def test_the_longest_beginning_counts() -> None:
    source = Choice[Kind](
        column="a",
        by="start",
        values={"M": "transfer", "MC": "cash_withdrawal"},  # type: ignore[dict-item]
    )

    coded = read_coded("kind", source, pa.array(["M1", "MC1", "", "X1"]))

    assert [coded.at(line) for line in range(4)] == [1, 2, None, None]
    (error,) = coded.wrong.values()
    assert str(error) == "begins with none of M, MC"
