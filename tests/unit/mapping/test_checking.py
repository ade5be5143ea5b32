"""`fanzha mapping check`: what a bank sees before it trusts a mapping."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fanzha.__main__ import app
from fanzha.mapping.masking import masked

MAPPINGS = Path(__file__).parents[2] / "mappings"
HEADER = "流水号,交易时间,业务,渠道,金额,付款账号,收款账号,行内,涉诈"
GOOD = "1,2026/11/22 13:05:09,转账,4,12.34,6222020200112233,6217000011112222,是,0"


def check(
    folder: Path, *lines: str, mapping: str = "good_labels", codec: str = "gb18030"
) -> Result:
    path = folder / "t.csv"
    path.write_bytes("\n".join([HEADER, *lines]).encode(codec))
    words = ["mapping", "check", str(path), "--mapping", str(MAPPINGS / f"{mapping}.yaml")]
    return CliRunner().invoke(app, [*words, "--json"])


def test_the_first_rows_are_shown_as_they_are_understood(tmp_path: Path) -> None:
    done = check(tmp_path, GOOD)

    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["encoding"] == "gb18030"
    assert shown["rows"] == shown["transfers"] == 1
    assert shown["first"] == [
        {
            "row": "1",
            "time": "2026-11-22 13:05:09+01:00 Europe/Berlin",
            "time UTC": "2026-11-22 12:05:09",
            "kind": "transfer",
            "channel": "mobile",
            "payer_account": "6222****2233",
            "payee_account": "6217****2222",
            "payee_type": "person",
            "request_id": masked("r-1"),
            "transfer_id": masked("row-1"),
            "amount": "12.34 CNY, read as yuan",
            "label": "no fraud",
        }
    ]


def test_every_fault_is_counted_by_kind_and_every_repair(tmp_path: Path) -> None:
    done = check(
        tmp_path,
        GOOD,
        GOOD,
        GOOD.replace("12.34", "99"),
        f"4{GOOD[1:]}".replace("2026/11/22 13:05:09", "20260329023000"),
        f"5{GOOD[1:]}".replace("转账", "查询").replace("12.34", "x"),
        f"6{GOOD[1:]}".replace("12.34", "0"),
        f"7{GOOD[1:]}".replace("12.34", "-5"),
        f"8{GOOD[1:]}".replace("6217000011112222", ""),
        f"9{GOOD[1:]}".replace("2026/11/22 ", "2026-11-22 "),
        *[f"1{number}{GOOD[1:]}".replace("转账", "6222020200112233") for number in range(30)],
    )

    assert done.exit_code == 1
    shown = json.loads(done.stdout)
    assert shown["repaired"] == {
        "rows_left_out_by_kind": 1,
        "rows_of_amount_zero_left_out": 1,
        "times_skipped_by_the_clock": 1,
        "rows_out_of_order": 1,
        "rows_duplicated": 1,
    }
    assert shown["faults_by_kind"] == {
        "kind unknown word": 30,
        "time of a second form %Y-%m-%d %H:%M:%S": 1,
        "payee_account missing": 1,
        "amount negative": 1,
        "request_id given again": 1,
    }
    assert shown["faulty_rows"] == 34
    assert [fault["row"] for fault in shown["first_faults"]] == [3, *range(7, 26)]
    # A column that was taken for another one may hold identifiers.
    assert "6222020200112233" not in done.output


def test_rows_without_an_id_in_its_column_are_named_by_their_number(tmp_path: Path) -> None:
    done = check(tmp_path, GOOD[1:], GOOD[1:], GOOD[1:].replace("12.34", "5"), GOOD)

    shown = json.loads(done.stdout)
    assert (shown["transfers"], shown["faulty_rows"], shown["repaired"]) == (4, 0, {})
    ids = [row["request_id"] for row in shown["first"]]
    assert ids == [masked("row-1"), masked("row-2"), masked("row-3"), masked("r-1")][: len(ids)]


def test_a_faulty_mapping_is_followed_as_far_as_it_is_sound(tmp_path: Path) -> None:
    done = check(tmp_path, GOOD.replace("12.34", "x"), mapping="many_mistakes", codec="utf-8")

    assert done.exit_code == 1
    shown = json.loads(done.stdout)
    assert any("payer_account is missing" in fault for fault in shown["mapping_faults"])
    done = check(tmp_path, GOOD.replace("12.34", "x"), mapping="required_is_optional")
    assert json.loads(done.stdout)["faults_by_kind"] == {
        "time of a second form %Y/%m/%d %H:%M:%S": 1,
        "amount not a number": 1,
    }


def test_people_see_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join([HEADER, GOOD, GOOD.replace("12.34", "x")]), "utf-8")
    words = ["mapping", "check", str(path), "--mapping", str(MAPPINGS / "good.yaml")]

    done = CliRunner().invoke(app, words)

    assert done.exit_code == 1
    assert "6222****2233" in done.stdout
    assert "row 2: amount 'x' is not a number" in done.stdout
    assert "6222020200112233" not in done.stdout


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("6222020200112233", "6222****2233"),
        ("13800138000", "13****00"),
        ("abc", "****"),
        ("", "****"),
    ],
)
def test_identifiers_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
