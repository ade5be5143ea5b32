"""Cells of a bank's table become exact values, or are refused with their reason."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from fanzha.mapping.cells import (
    CellError,
    to_choice,
    to_day,
    to_decimal,
    to_flag,
    to_minor,
    to_text,
)
from fanzha.mapping.sources import TimeSource
from fanzha.mapping.times import Times, read_times

# 2026-11-22 13:05:09 in Shanghai.
NOON_MS = 1_795_323_909_000


def minor(cell: object, unit: str = "yuan", currency: str = "CNY") -> int:
    amount = to_decimal(cell)
    assert amount is not None
    return to_minor(amount, currency, unit)[0]


def times_of(*cells: object, **source: Any) -> Times:
    return read_times(pa.array(cells), TimeSource(column="t", **source))


def time_of(cell: object, **source: Any) -> int:
    times = times_of(cell, **source)
    for error in times.faults.values():
        raise error
    return int(times.ms[0])


@pytest.mark.parametrize(
    ("cell", "fen"),
    [
        (12.34, 1234),
        ("12.34", 1234),
        (Decimal("12.3400"), 1234),
        (57.16, 5716),
        (1.1, 110),
        (0.07, 7),
        (1_000_000_000.01, 100_000_000_001),
        ("9999999999999.99", 999_999_999_999_999),
        (5, 500),
        ("+5", 500),
        (" 5.5 ", 550),
        ("1e3", 100_000),
        (0.1 + 0.2, 30),
        ("57.160000000000004", 5716),
    ],
)
def test_yuan_become_fen_exactly(cell: object, fen: int) -> None:
    assert minor(cell) == fen


def test_noise_of_a_binary_fraction_is_told_apart_from_exact_digits() -> None:
    assert to_minor(Decimal(repr(0.1 + 0.2)), "CNY", "yuan") == (30, True)
    assert to_minor(Decimal("0.30"), "CNY", "yuan") == (30, False)


@pytest.mark.parametrize(("currency", "yen"), [("JPY", 1234), ("CNY", 123_400), ("KWD", 1_234_000)])
def test_main_units_have_the_decimals_of_their_currency(currency: str, yen: int) -> None:
    assert minor("1234", currency=currency) == yen


def test_fen_are_taken_as_they_are() -> None:
    assert minor("1234", "fen") == 1234


@pytest.mark.parametrize(("cell", "unit"), [("12.345", "yuan"), ("0.5", "fen")])
def test_an_amount_finer_than_a_fen_is_refused(cell: str, unit: str) -> None:
    with pytest.raises(CellError, match="finer than the minor unit"):
        minor(cell, unit)


@pytest.mark.parametrize(
    "cell",
    ["1,23.45", "1.234,56", "12,34", "12.34元", "１２", "1_000", "--5", "inf", "0x10", ".", "¥"],
)
def test_what_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(CellError, match="is not a number"):
        to_decimal(cell)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234.56", "1234.56"),
        ("￥56.10", "56.10"),
        ("¥1,234,567", "1234567"),
        ("-1,000.5", "-1000.5"),
    ],
)
def test_money_may_be_written_as_people_write_it(cell: str, value: str) -> None:
    assert to_decimal(cell) == Decimal(value)


@pytest.mark.parametrize("cell", ["NULL", "null", "N/A", "\\N", "-", "--", "无"])
def test_words_for_nothing_are_not_known(cell: str) -> None:
    assert to_text(cell) == ""
    assert to_choice({"-": 1}, cell) == (1 if cell == "-" else None)


@pytest.mark.parametrize("cell", [None, "", "  ", float("nan")])
def test_an_empty_cell_is_not_known(cell: object) -> None:
    assert to_text(cell) == ""
    assert to_decimal(cell) is None
    assert to_flag({}, cell) is None
    assert to_choice({"a": 1}, cell) is None
    assert to_day("iso", cell) is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (4711, "4711"),
        (4711.0, "4711"),
        (6222020200112233445, "6222020200112233445"),
        (b"ab", "ab"),
        (True, "true"),
        (" 007 ", "007"),
    ],
)
def test_numbers_name_accounts_without_a_decimal_point(cell: object, text: str) -> None:
    assert to_text(cell) == text


def test_an_empty_cell_may_have_a_meaning_of_its_own() -> None:
    assert to_choice({"": 5}, None) == 5


def test_a_word_beyond_the_table_of_values_is_named() -> None:
    with pytest.raises(CellError, match="'PAYMENT' is not among CASH_OUT, TRANSFER"):
        to_choice({"CASH_OUT": 2, "TRANSFER": 1}, "PAYMENT")


@pytest.mark.parametrize(
    ("cell", "source"),
    [
        ("1795323909", {"format": "epoch_s"}),
        (1_795_323_909.0, {"format": "epoch_s"}),
        (1_795_323_909_000, {"format": "epoch_ms"}),
        ("2026-11-22T13:05:09", {"format": "iso", "zone": "Asia/Shanghai"}),
        ("2026-11-22T05:05:09Z", {"format": "iso"}),
        ("2026-11-22 00:05:09-05:00", {"format": "iso", "zone": "Asia/Shanghai"}),
        ("22/11/2026 130509", {"format": "%d/%m/%Y %H%M%S", "zone": "Asia/Shanghai"}),
        ("22/11/2026 050509 +0000", {"format": "%d/%m/%Y %H%M%S %z"}),
        (
            47_109,
            {"format": "seconds_since", "start": "2026-11-22T00:00:00", "zone": "Asia/Shanghai"},
        ),
    ],
)
def test_times_are_read_in_their_form_and_zone(cell: object, source: dict[str, str]) -> None:
    assert time_of(cell, **source) == NOON_MS


def test_fractions_of_seconds_count_down_to_the_millisecond() -> None:
    assert time_of("1795323909.0629", format="epoch_s") == NOON_MS + 62


@pytest.mark.parametrize(
    ("cell", "source", "message"),
    [
        ("", {"format": "iso"}, "is missing"),
        (None, {"format": "epoch_s"}, "is missing"),
        ("2026-11-22T13:05:09", {"format": "iso"}, "names no zone"),
        ("22.11.2026", {"format": "iso"}, "is no time of the form"),
        ("2026-13-01", {"format": "%Y-%m-%d", "zone": "UTC"}, "is no time of the form %Y-%m-%d"),
        ("1e30", {"format": "epoch_s"}, "is absurd"),
    ],
)
def test_a_time_that_cannot_be_read_says_why(
    cell: object, source: dict[str, str], message: str
) -> None:
    with pytest.raises(CellError, match=message):
        time_of(cell, **source)


@pytest.mark.parametrize("time_ms", [-1, 0, 631_151_999_999, 4_102_444_800_000, 2**60])
def test_a_time_outside_1990_to_2099_is_absurd(time_ms: int) -> None:
    for cell in (time_ms, str(time_ms), float(time_ms)):
        with pytest.raises(CellError, match="is absurd"):
            time_of(cell, format="epoch_ms")


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("2026-11-22", "iso"),
        (date(2026, 11, 22), "iso"),
        (datetime(2026, 11, 22, 5), "iso"),  # noqa: DTZ001 - as tables hold them
        ("22.11.2026", "%d.%m.%Y"),
    ],
)
def test_dates_are_read_in_their_form(cell: object, form: str) -> None:
    assert to_day(form, cell) == date(2026, 11, 22)
