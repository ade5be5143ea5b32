"""Rows as transfers: exact values, in order of time, and every bad row named."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fanzha.domain.vocabulary import Channel, PartyType, TransferKind, words_of
from fanzha.mapping.mapped import open_mapped
from fanzha.mapping.rows import Row, Rows

MAPPINGS = Path(__file__).parents[2] / "mappings"
HEADER = "流水号,交易时间,业务,渠道,金额,付款账号,收款账号,行内,涉诈"
GOOD = "1,2026/11/22 13:05:09,转账,4,12.34,6222-1,6217-1,是,0"
NOON_MS = 1_795_323_909_000


def ignore(_: int) -> None:
    """Tell nobody of progress."""


def rows_of(
    folder: Path, *lines: str, mapping: Path = MAPPINGS / "good.yaml", **which: Any
) -> Rows:
    path = folder / "table.csv"
    path.write_text("\n".join([HEADER, *lines]), "utf-8")
    return rows_in(path, str(mapping), **which)


def rows_in(path: Path, mapping: str, **which: Any) -> Rows:
    table, _ = open_mapped(path, mapping, needs_labels=False)
    return Rows(table, ignore, **{"days": None, "limit": None, **which})


def faults_of(rows: Rows) -> list[tuple[int, str]]:
    return [(fault.row, fault.text) for fault in rows.faults.first]


def test_a_row_becomes_a_transfer(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, GOOD)

    (row,) = rows.read()

    assert row == Row(
        line=0,
        number=1,
        time_ms=NOON_MS,
        fields={
            "request_id": "r-1",
            "transfer_id": "t-1",
            "kind": TransferKind.TRANSFER,
            "channel": Channel.MOBILE,
            "amount": 1234,
            "currency": "CNY",
            "payer_account": "6222-1",
            "payee_account": "6217-1",
            "payee_same_bank": True,
        },
    )
    assert rows.label is not None
    assert rows.label.to_pylist() == ["0"]


def test_every_bad_row_is_named_with_all_its_faults(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path,
        GOOD,
        "2,2026/11/22 13:05:09,转账,4,一百,6222-1,6217-1,是,0",
        "3,2026-11-22,转账,4,1,6222-1,6217-1,是,0",
        "4,2126/11/22 13:05:09,转账,4,1,6222-1,6217-1,是,0",
        "5,2026/11/22 13:05:09,转账,9,-1,账号一,,也许,0",
        "6,2026/11/22 13:05:09,转账,4,1",
        "7,2026/11/22 13:05:09,转账,4,0,6222-1,6222-1,是,0",
        "8,2026/11/22 13:05:09,取现,4,1,6222-1,,,0",
        ",2026/11/22 13:05:09,,,,,,,",
    )

    faults = dict(faults_of(rows))

    assert sorted(faults) == [2, 3, 4, 5, 6, 7, 9]
    assert faults[2] == "amount '一*' is not a number such as 1234.56"
    assert faults[3] == (
        "time '2026-11-22' is no time of the form %Y/%m/%d %H:%M:%S but of %Y-%m-%d; if both are "
        'meant, write format: ["%Y/%m/%d %H:%M:%S", "%Y-%m-%d"]'
    )
    assert faults[4] == "time is absurd: it lies outside the years 1990 to 2099"
    assert faults[5] == (
        "channel '9' is not among 1, 4; "
        "payer_account must be 1 to 64 characters of [A-Za-z0-9._:-]; "
        "payee_same_bank '也*' is not among 是, 否; "
        "amount -1 is not 1 to 1000000000000000 minor units; "
        "payee_account is missing: a transfer needs it"
    )
    assert faults[6] == "has 5 fields, the header has 9"
    assert faults[7] == (
        "amount 0 is not 1 to 1000000000000000 minor units; "
        "payee_account is the payer's own account"
    )
    assert faults[9] == (
        "kind is missing; channel is missing; amount is missing; payer_account is missing"
    )
    assert [row.number for row in rows.read()] == [1, 8]


def test_only_the_first_twenty_bad_rows_are_kept(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, *["x"] * 25, GOOD, *[GOOD.replace("12.34", "x")] * 25)

    faults = faults_of(rows)

    assert [row for row, _ in faults] == list(range(1, 21))
    assert rows.faults.kinds == {
        "row has another number of fields": 25,
        "amount not a number": 25,
    }
    assert rows.faults.count == 50


def test_rows_are_put_in_order_of_time_and_those_out_of_order_are_counted(tmp_path: Path) -> None:
    seconds = enumerate((9, 7, 8, 9, 11, 10))
    lines = [f"{n}{GOOD[1:]}".replace("13:05:09", f"13:05:{second:02}") for n, second in seconds]

    rows = rows_of(tmp_path, *lines)

    assert [row.number for row in rows.read()] == [2, 3, 1, 4, 6, 5]
    assert [row.line for row in rows.read()] == [0, 1, 2, 3, 4, 5]
    assert rows.repaired == {"rows_out_of_order": 3}


def test_days_and_limit_cut_after_ordering(tmp_path: Path) -> None:
    days = enumerate((24, 22, 23, 22))
    lines = [f"{number}{GOOD[1:]}".replace("11/22", f"11/{day}") for number, day in days]

    assert [row.number for row in rows_of(tmp_path, *lines, days=1).read()] == [2, 4]
    assert [row.number for row in rows_of(tmp_path, *lines, limit=3).read()] == [2, 4, 3]


def test_ids_come_from_the_row_s_number_where_the_mapping_names_none(tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    text = (MAPPINGS / "good.yaml").read_text()
    mapping.write_text("\n".join(line for line in text.splitlines() if "流水号" not in line))

    (row,) = rows_of(tmp_path, GOOD, mapping=mapping).read()

    assert (row.fields["request_id"], row.fields["transfer_id"]) == ("row-1", "row-1")


def test_ids_come_from_the_row_s_number_where_the_cell_is_empty(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, GOOD[1:], GOOD, GOOD[1:], GOOD[1:].replace("12.34", "5"))

    ids = [row.fields["request_id"] for row in rows.read()]

    assert ids == ["row-1", "r-1", "row-3", "row-4"]
    assert (rows.faults.count, rows.repaired) == (0, {})


def test_an_empty_currency_is_the_base_currency(tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    text = (MAPPINGS / "good.yaml").read_text()
    same_bank = "payee_same_bank: {column: 行内, values: {是: true, 否: false}}"
    mapping.write_text(text.replace(same_bank, "currency: {column: 行内}"))

    (row,) = rows_of(tmp_path, GOOD.replace("是", ""), mapping=mapping).read()

    assert (row.fields["currency"], row.fields["amount"]) == ("CNY", 1234)


def test_rows_of_amount_zero_are_left_out_and_counted_where_the_mapping_says_so(
    tmp_path: Path,
) -> None:
    mapping = tmp_path / "m.yaml"
    text = (MAPPINGS / "good.yaml").read_text()
    mapping.write_text(text.replace("unit: yuan", "unit: yuan, zero: leave_out"))

    rows = rows_of(tmp_path, GOOD, GOOD.replace("12.34", "0.00"), mapping=mapping)

    assert len(rows) == 1
    assert rows.faults.count == 0
    assert rows.repaired["rows_of_amount_zero_left_out"] == 1


def test_the_handbook_s_rows_become_card_purchases(tmp_path: Path) -> None:
    table = pa.table(
        {
            "TRANSACTION_ID": [0],
            "TX_DATETIME": pa.array([1_522_540_831_000_000_000], pa.timestamp("ns")),
            "CUSTOMER_ID": [596],
            "TERMINAL_ID": [3156],
            "TX_AMOUNT": [57.16],
            "TX_FRAUD": [0],
        }
    )
    pq.write_table(table, tmp_path / "transactions.parquet")

    (row,) = rows_in(tmp_path / "transactions.parquet", "handbook").read()

    # 00:00:31 in Shanghai is eight hours earlier in UTC.
    assert row.time_ms == 1_522_540_831_000 - 8 * 3_600_000
    assert row.fields["payer_account"] == "customer-596"
    assert row.fields["payee_account"] == "terminal-3156"
    assert row.fields["payee_type"] is PartyType.COMPANY
    assert row.fields["amount"] == 5716


@pytest.mark.parametrize("vocabulary", [TransferKind, Channel, PartyType])
def test_words_leave_out_what_is_not_said(vocabulary: Any) -> None:
    assert "unspecified" not in words_of(vocabulary)
    assert len(words_of(vocabulary)) == len(vocabulary) - 1
