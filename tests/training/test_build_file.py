"""A bank's own file becomes the same data set as the table of training that says the same."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.training.bank_files import SIMPLE, a_csv, built, quiet
from tests.training.streams import DAY_MS, START_MS, random_rows, write_table

from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import FraudType
from fanzha.features.manifest import FEATURE_INDEX
from fanzha.mapping.checking import check_mapping
from fanzha.mapping.faults import RowFault
from fanzha.mapping.mapped import open_mapped
from fanzha.mapping.rows import Rows
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.numbered_transfers import tied_order
from fanzha_training.building.options import BuildOptions
from fanzha_training.building.table_source import CODES, FLAGS
from fanzha_training.building.table_subjects import SUBJECT_COLUMNS
from fanzha_training.dataset import load_dataset
from fanzha_training.table import TRANSFERS_FILE

OWN = """columns:
  time: {column: time_ms, format: epoch_ms}
  amount: {column: amount_minor, unit: fen}
  balance_before: {column: balance_before_minor, unit: fen}
""" + "".join(
    f"  {name}: {{column: {name}}}\n"
    for name in (
        "request_id", "currency", "payer_open_date", "payee_open_date", *SUBJECT_COLUMNS, *FLAGS,
        *(name for name in CODES if name != "execution"),
    )
)  # fmt: skip


def a_table(folder: Path, seed: int, count: int) -> Path:
    transfers, _ = random_rows(seed, count)
    for row in transfers:
        row |= {"execution": "posted", "execution_time_ms": row["time_ms"]}
        for side in ("payer", "payee"):
            # Phones of a bank's own file have digits alone.
            row[f"{side}_phone"] = re.sub(r"\D", "1", row[f"{side}_phone"] or "") or None
        if row["payee_account"] is None:
            row["kind"] = "cash_withdrawal"
    return write_table(folder / "table", transfers, [])


def test_a_file_gives_the_vectors_of_the_table_that_says_the_same(tmp_path: Path) -> None:
    table = a_table(tmp_path, 11, 700)
    options = BuildOptions(command="build")
    build_from_table(table, tmp_path / "table.parquet", options, quiet)

    dataset, _ = built(table / TRANSFERS_FILE, OWN + "execution: posted\n")

    expected = load_dataset(tmp_path / "table.parquet")
    assert dataset.vectors.tobytes() == expected.vectors.tobytes()
    assert dataset.segment.tolist() == expected.segment.tolist()
    assert np.nanmax(dataset.vectors[:, FEATURE_INDEX["out_count_7d"]]) >= 2


class TestLabels:
    """A label is known some days after its transfer, and silence counts once it is old."""

    mapping = SIMPLE + "label: {column: bad, known_after_days: 2.5, values: {J: true, N: false}"
    lines = (
        "1,2026-01-01 00:00:00,5,A,B,J",
        "2,2026-01-02 00:00:00,5,A,B,N",
        "3,2026-01-20 00:00:00,5,A,C,",
    )

    def test_fraud_is_known_after_the_delay(self, tmp_path: Path) -> None:
        mapping = self.mapping + ", fraud_type: {constant: task_rebate}}\n"

        dataset, summary = built(a_csv(tmp_path, *self.lines), mapping)

        assert dataset.label.tolist() == [1, 0, -1]
        assert dataset.label_known_ms[0] == dataset.time_ms[0] + round(2.5 * DAY_MS)
        assert dataset.fraud_type[0] == FraudType.TASK_REBATE
        assert summary["fraud"] == 1
        # The third transfer is paid when the report is known, the second when it is not yet.
        reports = dataset.vectors[:, FEATURE_INDEX["payer_victim_reports"]]
        assert reports.tolist() == [0, 0, 1]

    def test_a_label_that_is_neither_yes_nor_no_is_a_fault(self, tmp_path: Path) -> None:
        file = a_csv(tmp_path, *self.lines, "4,2026-01-20 00:00:00,5,A,C,?")

        with pytest.raises(SetupError, match=r"row 4: label '\?' is not among J, N"):
            built(file, self.mapping + "}\n")


class TestRepairs:
    """Faults are refused with their rows; repairs are counted."""

    def test_shuffled_and_repeated_rows_change_nothing(self, tmp_path: Path) -> None:
        lines = [f"{n},2026-01-01 0{n}:00:00,{n}.5,A,B,0" for n in range(1, 8)]
        (tmp_path / "tidy").mkdir()

        tidy, _ = built(a_csv(tmp_path / "tidy", *lines), SIMPLE)
        mended, summary = built(a_csv(tmp_path, *reversed(lines), lines[3]), SIMPLE)

        assert mended.vectors.tobytes() == tidy.vectors.tobytes()
        assert summary["rows_duplicated"] == 1
        assert summary["rows_out_of_order"] == 7

    def test_an_id_with_other_content_is_a_fault(self, tmp_path: Path) -> None:
        file = a_csv(
            tmp_path,
            "7,2026-01-01 00:00:00,5,A,B,0",
            "7,2026-01-01 00:00:00,6,A,B,0",
        )

        with pytest.raises(SetupError, match="row 2: request_id is that of row 1, with other"):
            built(file, SIMPLE)
        dataset, summary = built(file, SIMPLE, skip=True)
        assert len(dataset) == summary["rows_skipped"] == 1

    @pytest.mark.parametrize("other", ["bye,A,task_rebate", "hi,B,task_rebate", "hi,A,"])
    def test_all_commands_see_the_same_contents(self, tmp_path: Path, other: str) -> None:
        mapping = SIMPLE.replace(
            "execution", "  remark: {column: remark}\n  branch_id: {column: branch}\nexecution"
        ) + "label: {column: bad, fraud_type: {column: type}}\n"  # fmt: skip
        start = "7,2026-01-01 00:00:00,5,A,B,1"
        same = f"{start},hi,A,task_rebate"
        header = "id,at,yuan,from,to,bad,remark,branch,type"
        file = a_csv(tmp_path, same, same, f"{start},{other}", header=header)
        fault = RowFault(3, "request_id is that of row 1, with other content")

        with pytest.raises(SetupError, match=f"row 3: {fault.text}"):
            built(file, mapping)
        path = str(file.with_suffix(".yaml"))
        checked = check_mapping(file, path, 0, lambda _: None)
        table, _ = open_mapped(file, path, needs_labels=False)
        played = Rows(table, lambda _: None, days=None, limit=None)

        for each in (checked, played):
            assert each.faults.first == [fault]
            assert each.repaired == {"rows_duplicated": 1}

    def test_all_commands_count_the_same_rows_out_of_order(self, tmp_path: Path) -> None:
        hours = (5, 3, 4, 6, 5)
        lines = [f"{n},2026-01-01 0{hour}:00:00,5,A,B,USD" for n, hour in enumerate(hours)]
        last = "9,2026-01-02 00:00:00,5,A,B,"
        file = a_csv(tmp_path, *lines, last, header="id,at,yuan,from,to,cur")

        _, summary = built(file, SIMPLE)
        path = str(file.with_suffix(".yaml"))
        checked = check_mapping(file, path, 0, lambda _: None)
        table, _ = open_mapped(file, path, needs_labels=False)
        played = Rows(table, lambda _: None, days=None, limit=None)

        assert summary["rows_out_of_order"] == 3
        assert checked.repaired == played.repaired == {"rows_out_of_order": 3}

    def test_rows_without_an_id_in_its_column_are_named_by_their_number(
        self, tmp_path: Path
    ) -> None:
        line = ",2026-01-01 00:00:00,5,A,B,0"

        _, summary = built(a_csv(tmp_path, line, "7" + line, line), SIMPLE)

        ids = pq.read_table(tmp_path / "bank.dataset.parquet")["request_id"].to_pylist()
        assert ids == ["7", "row-1", "row-3"]
        assert "rows_duplicated" not in summary

    def test_transfers_in_other_currencies_are_left_out(self, tmp_path: Path) -> None:
        file = a_csv(
            tmp_path,
            "1,2026-01-01 00:00:00,5,A,B,",
            "2,2026-01-01 00:00:00,5,A,B,USD",
            "3,2026-01-01 00:00:00,5,A,B,CNY",
            header="id,at,yuan,from,to,cur",
        )

        dataset, summary = built(file, SIMPLE)

        assert len(dataset) == 2
        assert summary["rows_other_currency"] == 1

    def test_amounts_and_balances_are_in_the_base_currency(self, tmp_path: Path) -> None:
        mapping = SIMPLE.replace(
            "execution", "  balance_before: {column: had, unit: yuan}\n"
            "  base_amount: {column: base, unit: yuan}\nexecution",
        )  # fmt: skip
        file = a_csv(
            tmp_path,
            "1,2026-01-01 00:00:00,5,A,B,,20,",
            "2,2026-01-01 00:00:00,5.25,A,B,USD,20,800",
            "3,2026-01-01 00:00:00,5,A,B,JPY,20,",
            "4,2026-01-01 00:00:00,5,A,B,CNY,20,",
            header="id,at,yuan,from,to,cur,had,base",
        )

        dataset, summary = built(file, mapping, currency="JPY")

        assert dataset.amount_minor.tolist() == [5, 800, 5]
        share = dataset.vectors[:, FEATURE_INDEX["balance_share"]]
        assert share.tolist() == [0.25, 40.0, 0.25]
        assert summary["rows_other_currency"] == 1

    def test_a_file_that_names_no_currency_is_in_the_base_currency(self, tmp_path: Path) -> None:
        file = a_csv(tmp_path, "1,2026-01-01 00:00:00,5,A,B,0")

        dataset, _ = built(file, SIMPLE, currency="JPY")

        assert dataset.amount_minor.tolist() == [5]

    def test_a_file_in_another_currency_alone_is_refused(self, tmp_path: Path) -> None:
        mapping = SIMPLE.replace("column: cur, optional: true", "constant: USD")
        file = a_csv(tmp_path, "1,2026-01-01 00:00:00,5,A,B,0")

        with pytest.raises(SetupError, match="in JPY or has a base_amount; name the base currency"):
            built(file, mapping, currency="JPY")

    def test_a_zone_with_daylight_time_is_followed(self, tmp_path: Path) -> None:
        mapping = SIMPLE.replace("Asia/Shanghai", "Europe/Berlin")
        file = a_csv(tmp_path, "1,2026-01-15 12:00:00,5,A,B,0", "2,2026-07-15 12:00:00,5,A,B,0")

        dataset, _ = built(file, mapping, zone="Europe/Berlin")

        assert dataset.vectors[:, FEATURE_INDEX["hour"]].tolist() == [12, 12]


def test_ties_are_ordered_by_id_as_a_sort_would() -> None:
    rng = np.random.default_rng(5)
    time_ms = START_MS + rng.integers(0, 50, 400)
    ids = [f"r{number}" for number in rng.permutation(400)]

    order = tied_order(time_ms, pl.Series(ids))

    assert order is not None
    assert [(time_ms[x], ids[x]) for x in order] == sorted(zip(time_ms, ids, strict=True))
    assert tied_order(time_ms[order], pl.Series(ids)[order]) is None
