"""PaySim's published columns are understood; a few rows are written here in its form."""

from pathlib import Path

from fanzha.domain.vocabulary import PartyType, TransferKind
from fanzha.mapping.mapped import open_mapped
from fanzha.mapping.mapping import columns_of
from fanzha.mapping.rows import Row, Rows

LINES = """step,type,amount,nameOrig,oldbalanceOrg,newbalanceOrig,nameDest,\
oldbalanceDest,newbalanceDest,isFraud,isFlaggedFraud
1,PAYMENT,9839.64,C1001,170136.0,160296.36,M2001,0.0,0.0,0,0
1,TRANSFER,181.0,C1002,181.0,0.0,C1003,0.0,0.0,1,0
2,CASH_OUT,181.0,C1004,181.0,0.0,C1005,21182.0,0.0,1,0
2,CASH_IN,5000.5,C1006,10.0,5010.5,C1005,8000.0,2999.5,0,0
26,DEBIT,5337.77,C1007,41720.0,36382.23,C1008,41898.0,40348.79,0,0
26,CASH_OUT,0.0,C1009,0.0,0.0,C1005,1.0,1.0,1,1
"""


def rows_of(folder: Path) -> Rows:
    path = folder / "paysim.csv"
    path.write_text(LINES, "utf-8")
    table, _ = open_mapped(path, "paysim", needs_labels=True)
    return Rows(table, lambda _: None, days=None, limit=None)


def test_money_that_leaves_is_read_and_money_paid_in_is_left_out(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)

    read: list[Row] = list(rows.read())

    assert rows.faults.count == 0
    assert rows.repaired == {"rows_left_out_by_kind": 1, "rows_of_amount_zero_left_out": 1}
    assert [row.number for row in read] == [1, 2, 3, 5]
    assert [row.fields["kind"] for row in read] == [
        TransferKind.TRANSFER, TransferKind.TRANSFER, TransferKind.CASH_WITHDRAWAL,
        TransferKind.TRANSFER,
    ]  # fmt: skip
    assert [row.fields["payee_type"] for row in read] == [
        PartyType.COMPANY, PartyType.PERSON, PartyType.PERSON, PartyType.PERSON,
    ]  # fmt: skip
    assert read[0].fields["amount"] == 983_964
    assert read[0].fields["balance_before"] == 17_013_600
    assert read[1].fields["payee_account"] == "C1003"
    assert read[0].fields["request_id"] == "row-1"
    assert [(row.time_ms - read[0].time_ms) // 3_600_000 for row in read] == [0, 0, 1, 25]
    assert rows.label is not None
    assert rows.label.to_pylist() == ["0", "1", "1", "0"]


def test_what_is_known_only_afterwards_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "paysim.csv"
    path.write_text(LINES, "utf-8")
    table, mapping = open_mapped(path, "paysim", needs_labels=True)

    read = columns_of(mapping, table.file.schema)

    assert set(read) == {
        "step", "type", "amount", "oldbalanceOrg", "nameOrig", "nameDest", "isFraud",
    }  # fmt: skip
