"""Mapping files: every fault at once, each at its line and column."""

from pathlib import Path

import pyarrow as pa
import pytest

from fanzha.domain.errors import FileRefusedError, SetupError
from fanzha.domain.vocabulary import Channel, TransferKind
from fanzha.mapping.mapping import Columns, columns_of, find_mapping, load_mapping

MAPPINGS = Path(__file__).parents[2] / "mappings"
DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "mapping.md"
BANK = pa.schema(
    [
        (name, pa.string())
        for name in (
            "流水号",
            "交易时间",
            "业务",
            "渠道",
            "金额",
            "付款账号",
            "收款账号",
            "行内",
            "涉诈",
        )
    ]
)
HANDBOOK = pa.schema(
    [
        ("TRANSACTION_ID", pa.int64()),
        ("TX_DATETIME", pa.timestamp("ns")),
        ("CUSTOMER_ID", pa.int64()),
        ("TERMINAL_ID", pa.int64()),
        ("TX_AMOUNT", pa.float64()),
        ("TX_TIME_SECONDS", pa.int64()),
        ("TX_TIME_DAYS", pa.int64()),
        ("TX_FRAUD", pa.int64()),
        ("TX_FRAUD_SCENARIO", pa.int64()),
    ]
)

FAULTS = {
    "column_and_constant": [
        "4:12: columns.channel must have either column or constant",
        "5:11: columns.amount must have either column or constant",
    ],
    "constant_of_bad_form": [
        "6:24: columns.currency.constant must be an ISO 4217 code in use, such as CNY",
        "7:41: columns.payer_account.prefix must be of [A-Za-z0-9._:-] only",
        "8:31: columns.payer_open_date.constant '2026-02-30' is no date of the form iso",
        "10:25: columns.branch_id.constant must be 1 to 32 characters of [A-Za-z0-9._:-]",
    ],
    "many_mistakes": [
        "1:1: columns.payer_account is missing; add it",
        "1:1: execution is missing; add it (posted: each row's money left",
        "2:9: columns.time must not have a zone: epoch_s counts from 1970 in UTC",
        "2:18: columns.time.column: the table has no column 时间 (did you mean 交易时间?); it",
        "3:20: columns.kind.constant must be one of transfer, cash_withdrawal, gold_purchase",
        "5:3: columns.amount.unit is missing; add it (yuan: the currency's main unit",
        "6:27: columns.payee_account reads 涉诈, which is the label or a truth; never an input",
    ],
    "formats_and_labels_wrong": [
        "2:32: columns.time.format must be one of epoch_s, epoch_ms, iso, timestamp, seconds_since",
        "3:9: columns.kind must have values with by: start",
        "4:12: columns.channel must have a column with values or leave_out: a constant has none",
        "8:20: columns.remark reads 行内, which is the label or a truth; never an input",
        "10:11: encoding: input should be 'auto', 'utf-8', 'gb18030', 'gbk' or 'utf-16'",
        "13:21: label.known_after_days: input should be greater than or equal to 0",
        "14:40: label.fraud_type.values.是 must be one of task_rebate, fake_investment",
    ],
    "misspelled_key": [
        "1:1: columns.channel is missing; add it",
        "4:3: columns.chanel is not a known key; did you mean channel?",
    ],
    "missing_keys": [
        "1:1: columns.amount is missing; add it",
        "1:1: columns.channel is missing; add it",
        "1:1: columns.payer_account is missing; add it",
        "1:1: columns.time is missing; add it",
        "1:1: execution is missing; add it",
    ],
    "no_such_column": [
        "2:18: columns.time.column: the table has no column 交易时刻 (did you mean 交易时间?); it",
        "5:20: columns.amount.column: the table has no column AMT; it has: 流水号, 交易时间, 业务",
    ],
    "required_is_optional": [
        "5:46: columns.amount is required and must not be optional",
    ],
    "seconds_without_start": [
        "2:9: columns.time must have start with format seconds_since or hours_since, a",
    ],
    "time_of_another_type": [
        "2:32: columns.time.format: 交易时间 has the type string; use another format",
    ],
    "time_of_no_form": [
        "2:32: columns.time.format must be one of epoch_s, epoch_ms, iso, timestamp, seconds_",
        "2:50: columns.time.zone must be an IANA time zone, such as Asia/Shanghai, not 'Beijing'",
    ],
    "time_without_zone": [
        "2:9: columns.time must have a zone, such as Asia/Shanghai: the times name none",
    ],
    "transfer_without_payee": [
        "1:1: columns.payee_account is missing: a transfer needs it",
    ],
    "truth_as_input": [
        "8:20: columns.remark reads 涉诈, which is the label or a truth; never an input",
        "9:23: columns.branch_id reads 行内, which is the label or a truth; never an input",
    ],
    "unknown_words": [
        "3:49: columns.kind.values.取现 must be one of transfer, cash_withdrawal",
        "4:23: columns.channel.constant must be one of counter, atm, smart_teller, mobile, online",
        "5:30: columns.amount.unit: input should be 'yuan' or 'fen', not 'jiao'",
        "8:12: execution: input should be 'posted' or 'none', not 'maybe'",
    ],
}


def test_every_bad_mapping_has_its_faults_stated() -> None:
    assert {path.stem for path in MAPPINGS.glob("*.yaml")} == {*FAULTS, "good", "good_labels"}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_bad_mapping_names_every_fault_where_it_stands(name: str) -> None:
    with pytest.raises(FileRefusedError) as refusal:
        load_mapping(MAPPINGS / f"{name}.yaml", BANK)

    faults = refusal.value.faults
    assert [fault[: len(start)] for fault, start in zip(faults, FAULTS[name], strict=True)] == (
        FAULTS[name]
    )


def test_a_good_mapping_reads_the_columns_that_it_names() -> None:
    mapping = load_mapping(MAPPINGS / "good.yaml", BANK)

    assert mapping.columns.kind.values == {
        "转账": TransferKind.TRANSFER,
        "取现": TransferKind.CASH_WITHDRAWAL,
    }
    assert mapping.columns.channel.values["4"] is Channel.MOBILE
    assert mapping.columns.currency is None
    # 附言 is optional, and this table lacks it.
    assert sorted(columns_of(mapping, BANK)) == sorted(BANK.names)


def test_two_columns_of_one_name_are_refused() -> None:
    twice = pa.schema([*BANK, pa.field("金额", pa.string())])

    with pytest.raises(FileRefusedError, match="has 2 columns 金额; rename one of them"):
        load_mapping(MAPPINGS / "good.yaml", twice)


def test_times_of_a_table_need_a_zone_unless_they_have_one() -> None:
    path = MAPPINGS / "time_of_another_type.yaml"
    schema = BANK.set(1, pa.field("交易时间", pa.timestamp("ms")))

    mapping = load_mapping(path, schema)

    assert mapping.columns.time.zone == "Asia/Shanghai"


def test_the_handbook_s_mapping_ships_and_never_reads_the_truth() -> None:
    mapping = load_mapping(find_mapping("handbook"), HANDBOOK)

    inputs = {
        source.column
        for name in Columns.model_fields
        if (source := getattr(mapping.columns, name)) is not None
    }
    assert inputs.isdisjoint({"TX_FRAUD", "TX_FRAUD_SCENARIO"})
    assert mapping.label is not None
    assert mapping.label.column == "TX_FRAUD"
    assert mapping.execution == "posted"
    assert "TX_FRAUD_SCENARIO" not in columns_of(mapping, HANDBOOK)


def test_a_mapping_that_is_nowhere_is_told_with_those_that_ship() -> None:
    with pytest.raises(SetupError, match=r"no mapping hand-book: .*\(handbook, paysim\)"):
        find_mapping("hand-book")


def test_the_documented_mapping_can_be_read(tmp_path: Path) -> None:
    text = (DOCUMENT.read_text("utf-8").split("```yaml\n")[1]).split("```")[0]
    (tmp_path / "m.yaml").write_text(text, "utf-8")

    mapping = load_mapping(tmp_path / "m.yaml", BANK)

    assert mapping.label is not None
    assert mapping.truth == ["案件号"]
