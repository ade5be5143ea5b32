"""What is wrong with a training table: refused with a cause, or mended and counted.

Tables of transfers and outcomes go through `build --table`, a bank's own files through `build
--file`, data sets through `train`; each fault is named once for each way it can come in.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.training.bank_files import SIMPLE, a_csv, quiet
from tests.training.bank_files import built as built_from_file
from tests.training.learnable import QUICK, a_dataset, trained_on
from tests.training.streams import DAY_MS, START_MS, random_rows, write_table

from fanzha.domain.errors import SetupError
from fanzha.features.manifest import FEATURES
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import Dataset, load_dataset, vector_column
from fanzha_training.table import OUTCOMES_FILE, TRANSFERS_FILE

LABELLED = SIMPLE.replace(
    "execution", "label: {column: bad, values: {'1': true, '0': false}}\nexecution"
)
GOOD = "r1,2026-06-01 12:00:00,5,A,B,0"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "table", *random_rows(5, 60))


def change(file: Path, **columns: Any) -> None:
    frame = pl.read_parquet(file)
    frame.with_columns(**columns).write_parquet(file)


def built(table: Path, **given: Any) -> dict[str, object]:
    out = table.parent / "dataset.parquet"
    return build_from_table(table, out, BuildOptions(command="", **given), quiet)


class TestTables:
    """`build --table`."""

    def test_shuffled_times_are_sorted_and_counted(self, table: Path) -> None:
        tidy = built(table)
        before = load_dataset(table.parent / "dataset.parquet").fingerprint()
        pl.read_parquet(table / TRANSFERS_FILE).sample(
            fraction=1, shuffle=True, seed=3
        ).write_parquet(table / TRANSFERS_FILE)

        summary = built(table)

        assert "rows_out_of_order" not in tidy
        assert summary["rows_out_of_order"] > 10  # type: ignore[operator]
        assert load_dataset(table.parent / "dataset.parquet").fingerprint() == before

    def test_duplicate_ids_are_counted_those_of_other_content_apart(self, table: Path) -> None:
        frame = pl.read_parquet(table / TRANSFERS_FILE)
        other = frame[:3].with_columns(time_ms=pl.col("time_ms") + DAY_MS)
        pl.concat([frame, frame[:5], other]).write_parquet(table / TRANSFERS_FILE)

        summary = built(table)

        assert summary["rows_duplicated"] == 5
        assert summary["rows_contradicting"] == 3
        assert summary["rows"] == len(frame)

    def test_labels_before_their_transfers_count_from_them(self, table: Path) -> None:
        change(table / OUTCOMES_FILE, report_time_ms=pl.lit(START_MS - DAY_MS))

        summary = built(table)

        count = len(pl.read_parquet(table / OUTCOMES_FILE))
        assert summary["reports_before_transfer"] == count > 0

    def test_outcomes_that_say_nothing_are_left_out_and_counted(self, table: Path) -> None:
        change(table / OUTCOMES_FILE, outcome=pl.lit(None, pl.String))

        summary = built(table)

        assert summary["outcomes_invalid"] == len(pl.read_parquet(table / OUTCOMES_FILE))

    def test_amounts_of_nothing_or_less_are_left_out_and_counted(self, table: Path) -> None:
        amount = pl.when(pl.int_range(pl.len()) < 4).then(pl.int_range(-3, pl.len() - 3))
        change(table / TRANSFERS_FILE, amount_minor=amount.otherwise(pl.col("amount_minor")))

        assert built(table)["rows_invalid"] == 4

    @pytest.mark.parametrize(
        ("file", "columns", "message"),
        [
            (OUTCOMES_FILE, {"fraud_type": pl.lit("alchemy")}, "fraud_type holds 'alchemy'; known"),
            (OUTCOMES_FILE, {"outcome": pl.lit("shrug")}, "outcome holds 'shrug'; known are"),
            (TRANSFERS_FILE, {"amount_minor": pl.lit(float("inf"))}, "amount_minor is Float64"),
            (TRANSFERS_FILE, {"amount_minor": pl.lit(float("nan"))}, "amount_minor is Float64"),
            (TRANSFERS_FILE, {"amount_minor": pl.lit(12.5)}, "amount_minor is Float64"),
            (TRANSFERS_FILE, {"time_ms": pl.lit("yesterday")}, "time_ms is String"),
            (TRANSFERS_FILE, {"call_in_progress": pl.lit("maybe")}, "call_in_progress is String"),
        ],
    )
    def test_values_that_mean_nothing_are_refused(
        self, table: Path, file: str, columns: dict[str, Any], message: str
    ) -> None:
        change(table / file, **columns)

        with pytest.raises(SetupError, match=message):
            built(table)

    @pytest.mark.parametrize(
        ("file", "column"), [(TRANSFERS_FILE, "payee_type"), (OUTCOMES_FILE, "fraud_type")]
    )
    def test_missing_columns_are_refused(self, table: Path, file: str, column: str) -> None:
        pl.read_parquet(table / file).drop(column).write_parquet(table / file)

        with pytest.raises(SetupError, match=f"has no column {column}"):
            built(table)

    def test_an_as_of_time_before_all_data_is_refused(self, table: Path) -> None:
        with pytest.raises(SetupError, match="no transfer is left"):
            built(table, as_of_ms=START_MS - DAY_MS)

    def test_one_class_only_is_refused_when_it_is_learned_from(self, table: Path) -> None:
        pl.read_parquet(table / OUTCOMES_FILE).clear().write_parquet(table / OUTCOMES_FILE)
        built(table, label_delay_days=1)

        with pytest.raises(SetupError, match="the fit days hold no fraud"):
            trained_on(load_dataset(table.parent / "dataset.parquet"))


class TestFiles:
    """`build --file`."""

    def test_shuffled_times_are_sorted_and_counted(self, tmp_path: Path) -> None:
        later = GOOD.replace("r1", "r2").replace("12:00", "11:00")

        dataset, summary = built_from_file(a_csv(tmp_path, GOOD, later), LABELLED)

        assert summary["rows_out_of_order"] == 1
        assert (np.diff(dataset.time_ms) > 0).all()

    def test_duplicate_ids_are_counted(self, tmp_path: Path) -> None:
        _, summary = built_from_file(a_csv(tmp_path, GOOD, GOOD), LABELLED)

        assert summary["rows"] == summary["rows_duplicated"] == 1

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (GOOD.replace("12:00", "13:00"), "request_id"),
            (GOOD.replace("r1", "r2").replace(",5,", ",inf,"), "amount"),
            (GOOD.replace("r1", "r2").replace(",5,", ",-5,"), "amount"),
            (GOOD.replace("r1", "r2").replace(",5,", ",0,"), "amount"),
            (GOOD.replace("r1", "r2").replace("2026-06-01", "soon"), "time"),
            (GOOD.replace("r1", "r2").replace(",0", ",perhaps"), "label"),
        ],
        ids=["id of another time", "infinite", "negative", "zero", "no time", "no label"],
    )
    def test_rows_that_are_no_transfers_are_refused_or_left_out_and_counted(
        self, tmp_path: Path, line: str, message: str
    ) -> None:
        file = a_csv(tmp_path, GOOD.replace("r1", "r0"), GOOD, line)

        with pytest.raises(SetupError, match=f"cannot be read as transfers[^$]*{message}"):
            built_from_file(file, LABELLED)

        _, summary = built_from_file(file, LABELLED, skip=True)
        assert summary["rows_skipped"] == 1

    def test_unknown_fraud_types_are_refused(self, tmp_path: Path) -> None:
        mapping = LABELLED.replace(
            "label: {column: bad,", "label: {column: bad, fraud_type: {column: kind},"
        )
        file = a_csv(tmp_path, f"{GOOD},alchemy", header="id,at,yuan,from,to,bad,kind")

        with pytest.raises(SetupError, match="alchemy"):
            built_from_file(file, mapping)

    def test_missing_columns_are_refused(self, tmp_path: Path) -> None:
        file = a_csv(tmp_path, "r1,5,A,B,0", header="id,yuan,from,to,bad")

        with pytest.raises(SetupError, match="at"):
            built_from_file(file, LABELLED)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    a_dataset(tmp_path / "dataset.parquet", rows=2000)
    return tmp_path / "dataset.parquet"


def replaced(file: Path, name: str, values: Any, kind: Any = None) -> None:
    """Replace a column of a data set, of its own type if no other is given."""
    table = pq.read_table(file)
    place = table.schema.get_field_index(name)
    field = table.schema.field(name)
    if kind is not None:
        field = field.with_type(kind)
    column = values if isinstance(values, pa.Array) else pa.array(values, field.type)
    changed = table.set_column(place, field.with_nullable(True), column)
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), file)


def first(file: Path, name: str, value: Any) -> None:
    """Replace the first value of a column."""
    values = pq.read_table(file)[name].to_pylist()
    replaced(file, name, [value, *values[1:]])


def vectors_of(file: Path, change: Callable[[np.ndarray], None]) -> None:
    vectors = load_dataset(file).vectors.copy()
    change(vectors)
    replaced(file, "vector", vector_column(vectors))


def set_to(value: float, *, rows: Any = slice(None), columns: Any = slice(None)) -> Any:
    def change(vectors: np.ndarray) -> None:
        vectors[rows, columns] = value

    return change


class TestDatasets:
    """`train`, and all that read data sets."""

    def test_shuffled_times_are_sorted_and_counted(self, file: Path) -> None:
        tidy = load_dataset(file)
        table = pq.read_table(file)
        order = np.random.default_rng(1).permutation(len(tidy))
        pq.write_table(table.take(order), file, row_group_size=300)

        in_memory, on_disk = load_dataset(file), load_dataset(file, rows_in_memory=0)

        assert in_memory.repaired["rows_sorted"] > 500
        assert in_memory.fingerprint() == on_disk.fingerprint() == tidy.fingerprint()

    def test_labels_before_their_transfers_count_from_them(self, file: Path) -> None:
        time_ms = load_dataset(file).time_ms
        first(file, "label_known_ms", int(time_ms[0]) - 5)

        mended = load_dataset(file)

        assert mended.repaired == {"labels_before_transfer": 1}
        assert mended.label_known_ms[0] == time_ms[0]
        assert trained_on(mended).record["data"]["repaired"] == {"labels_before_transfer": 1}

    def test_duplicate_ids_are_refused_also_at_different_times(self, file: Path) -> None:
        first(file, "request_id", "r1999")

        with pytest.raises(SetupError, match=r"1 transfer\(s\) twice, such as 'r1999'"):
            load_dataset(file)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("time_ms", -1, "a time before 1970"),
            ("time_ms", START_MS + 999 * DAY_MS, "a time later than the data set's own as-of"),
            ("time_ms", None, "no time_ms"),
            ("amount_minor", 0, "an amount that is not 1 to"),
            ("amount_minor", -5, "an amount that is not 1 to"),
            ("fraud_type", 99, "a fraud_type that is in no vocabulary"),
            ("fraud_type", -1, "a fraud_type that is in no vocabulary"),
            ("channel", 77, "a channel that is in no vocabulary"),
            ("segment", 77, "a segment that is in no vocabulary"),
            ("decision", 77, "a decision that is in no vocabulary"),
            ("label", 2, "values of label other than 0, 1 and null"),
            ("payee_mule", 3, "values of payee_mule other than 0, 1 and null"),
            ("payee_mule_known_ms", None, "a payee_mule without payee_mule_known_ms"),
            ("label_known_ms", None, "a label without label_known_ms"),
            ("label_known_ms", START_MS + 999 * DAY_MS, "a label that became known later than"),
            ("weight", 0.0, "a weight that is not above 0"),
            ("weight", -1.0, "a weight that is not above 0"),
            ("weight", float("nan"), "a weight that is not above 0"),
            ("weight", float("inf"), "a weight that is not above 0"),
        ],
    )
    def test_values_that_no_transfer_has_are_refused(
        self, file: Path, name: str, value: Any, message: str
    ) -> None:
        first(file, name, value)

        with pytest.raises(SetupError, match=f"1 row.s. have {message}"):
            load_dataset(file)

    @pytest.mark.parametrize("name", ["label", "vector", "payee_mule_known_ms", "weight"])
    def test_missing_columns_are_refused(self, file: Path, name: str) -> None:
        table = pq.read_table(file)
        pq.write_table(table.drop([name]), file)

        with pytest.raises(SetupError, match=f"it has no column {name}"):
            load_dataset(file)

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("label", pa.float64()), ("time_ms", pa.float64()), ("amount_minor", pa.string())],
    )
    def test_columns_of_other_types_are_refused(self, file: Path, name: str, kind: Any) -> None:
        replaced(file, name, pq.read_table(file)[name].combine_chunks().cast(kind), kind)

        with pytest.raises(SetupError, match=f"{name} is (double|string) and must be int"):
            load_dataset(file)

    def test_labels_of_nan_are_refused(self, file: Path) -> None:
        replaced(file, "label", np.full(2000, np.nan), pa.float64())

        with pytest.raises(SetupError, match="label is double and must be int8"):
            load_dataset(file)

    @pytest.mark.parametrize("rows_in_memory", [0, 10**6])
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (set_to(np.inf, rows=3, columns=0), r"1 row\(s\) have infinities in their vectors"),
            (set_to(-np.inf, rows=[3, 4]), r"2 row\(s\) have infinities in their vectors"),
            (set_to(np.nan, rows=[5, 9, 11]), r"3 row\(s\) have vectors of nothing but NaN"),
        ],
    )
    def test_vectors_of_infinities_or_nothing_are_refused(
        self, file: Path, rows_in_memory: int, change: Any, message: str
    ) -> None:
        vectors_of(file, change)

        with pytest.raises(SetupError, match=message):
            load_dataset(file, rows_in_memory)

    def test_features_of_one_value_are_named_in_the_record(self, file: Path) -> None:
        vectors_of(file, set_to(7, columns=slice(20, 22)))

        record = trained_on(load_dataset(file)).record

        assert record["data"]["features_without_values"] == [x.name for x in FEATURES[20:22]]

    def test_features_that_tell_nothing_at_all_are_refused(self, file: Path) -> None:
        vectors_of(file, set_to(7))

        with pytest.raises(SetupError, match="every feature has one value"):
            trained_on(load_dataset(file))

    @pytest.mark.parametrize(
        ("label", "message"), [(0, "hold no fraud"), (1, "hold nothing but fraud")]
    )
    def test_one_class_only_is_refused(self, file: Path, label: int, message: str) -> None:
        time_ms = load_dataset(file).time_ms
        replaced(file, "label", np.full(2000, label, np.int8))
        replaced(file, "label_known_ms", time_ms)

        with pytest.raises(SetupError, match=message):
            trained_on(load_dataset(file))

    def test_trees_that_learn_nothing_are_refused(self, file: Path) -> None:
        rng = np.random.default_rng(2)
        replaced(file, "label", (rng.random(2000) < 0.04).astype(np.int8))
        shape = (2000, len(FEATURES))
        constant = np.ones(shape, np.float32)
        constant[0] = 2
        replaced(file, "vector", vector_column(constant))

        with pytest.raises(SetupError, match="learned nothing"):
            trained_on(load_dataset(file))

    def test_no_trees_are_refused(self, file: Path) -> None:
        with pytest.raises(SetupError, match="--trees is 0"):
            trained_on(load_dataset(file), replace(QUICK, trees_max=0))

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            (b"{", "in a way that this version does not know"),
            (b'{"source": "table"}', "in a way that this version does not know"),
            (None, "does not say its source"),
        ],
    )
    def test_a_source_that_is_not_stated_is_refused(
        self, file: Path, said: bytes | None, message: str
    ) -> None:
        metadata = None if said is None else {b"fanzha_dataset": said}
        pq.write_table(pq.read_table(file).replace_schema_metadata(metadata), file)

        with pytest.raises(SetupError, match=message):
            load_dataset(file)

    def test_features_of_another_version_are_refused(self, file: Path) -> None:
        table = pq.read_table(file)
        stored = table.schema.metadata[b"fanzha_dataset"]
        own = load_dataset(file).meta.feature_hash.encode()
        other = {b"fanzha_dataset": stored.replace(own, b"0" * len(own))}
        pq.write_table(table.replace_schema_metadata(other), file)

        with pytest.raises(SetupError, match="was built with features 0000"):
            load_dataset(file)

    def test_a_file_that_is_replaced_while_it_is_read_is_noticed(self, file: Path) -> None:
        dataset: Dataset = load_dataset(file, rows_in_memory=0)
        a_dataset(file, rows=2000, seed=2)

        with pytest.raises(SetupError, match="was changed while it was read"):
            trained_on(dataset)
