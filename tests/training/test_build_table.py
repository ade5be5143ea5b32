from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.training.streams import (
    DAY_MS,
    START_MS,
    Row,
    a_transfer,
    an_outcome,
    random_rows,
    slow_vectors,
    write_table,
)

from fanzha.domain.errors import SetupError
from fanzha.domain.transfer import AMOUNT_MINOR_MAX
from fanzha.features.manifest import FEATURE_INDEX
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import UNLABELLED, Dataset, load_dataset
from fanzha_training.table import OUTCOMES_FILE, TRANSFERS_FILE


def quiet(_stage: str) -> None:
    """Tell nobody."""


def built(
    folder: Path, transfers: list[Row], outcomes: list[Row], as_of_ms: int | None = None
) -> tuple[Dataset, dict[str, object]]:
    table = write_table(folder / "table", transfers, outcomes)
    options = BuildOptions(command="build", as_of_ms=as_of_ms, label_delay_days=7)
    summary = build_from_table(table, folder / "dataset.parquet", options, quiet)
    return load_dataset(folder / "dataset.parquet"), summary


class TestVectors:
    """History cut by event time: what was known at t, the transfer itself excluded."""

    @pytest.mark.parametrize("seed", [1, 2])
    def test_equal_those_computed_one_by_one(self, tmp_path: Path, seed: int) -> None:
        transfers, outcomes = random_rows(seed, 900)

        dataset, _ = built(tmp_path, transfers, outcomes)

        expected = slow_vectors(transfers, outcomes)
        assert dataset.vectors.tobytes() == expected.tobytes()
        # The test means something only if history was seen, and the rings ran over.
        for name in ("out_count_7d", "pair_times_paid", "payee_mule_reports"):
            assert np.nanmax(expected[:, FEATURE_INDEX[name]]) >= 2

    def test_do_not_change_with_the_future(self, tmp_path: Path) -> None:
        transfers, outcomes = random_rows(3, 400)
        now_ms = transfers[250]["time_ms"]
        past = [row for row in transfers if row["time_ms"] <= now_ms]
        other_future = [
            row | {"amount_minor": 7, "payee_account": "X"}
            for row in transfers
            if row["time_ms"] > now_ms
        ]
        known = [row for row in outcomes if row["report_time_ms"] <= now_ms]

        whole, _ = built(tmp_path / "whole", transfers, outcomes)
        changed, _ = built(tmp_path / "changed", past + other_future, known)

        count = len(past)
        assert whole.vectors[:count].tobytes() == changed.vectors[:count].tobytes()

    def test_transfers_of_one_millisecond_do_not_see_each_other(self, tmp_path: Path) -> None:
        transfers = [a_transfer(number, START_MS, "A", "B") for number in range(3)]

        dataset, _ = built(tmp_path, transfers, [])

        assert (dataset.vectors[:, FEATURE_INDEX["out_count_24h"]] == 0).all()
        assert (dataset.vectors[:, FEATURE_INDEX["pair_attempts_24h"]] == 0).all()

    def test_a_failed_payment_counts_until_its_failure_is_known(self, tmp_path: Path) -> None:
        failed_ms = START_MS + 20
        transfers = [
            a_transfer(0, START_MS, "A", "B", execution="failed", execution_time_ms=failed_ms),
            a_transfer(1, START_MS + 10, "A", "B"),
            a_transfer(2, START_MS + 30, "A", "B"),
        ]

        dataset, _ = built(tmp_path, transfers, [])

        assert dataset.vectors[:, FEATURE_INDEX["out_count_24h"]].tolist() == [0, 1, 1]


class TestLabels:
    """A label counts from when it was known; silence counts once the delay has passed."""

    def test_outcomes_known_later_are_not_used(self, tmp_path: Path) -> None:
        transfers = [a_transfer(number, START_MS + number, "A", "B") for number in range(4)]
        as_of_ms = START_MS + 10 * DAY_MS
        outcomes = [
            an_outcome(0, transfers[0], "confirmed_fraud", as_of_ms),
            an_outcome(1, transfers[1], "confirmed_fraud", as_of_ms + 1),
            an_outcome(2, transfers[2], "mule_confirmed", START_MS + DAY_MS),
        ]

        dataset, _ = built(tmp_path, transfers, outcomes, as_of_ms)

        assert dataset.label.tolist() == [1, 0, UNLABELLED, 0]
        assert dataset.label_known_ms[[0, 1, 3]].tolist() == [
            as_of_ms,
            START_MS + 1 + 7 * DAY_MS,
            START_MS + 3 + 7 * DAY_MS,
        ]

    def test_a_table_without_sources_and_withdrawals_speaks_for_the_bank(
        self, tmp_path: Path
    ) -> None:
        transfers = [a_transfer(number, START_MS + number, "A", "B") for number in range(2)]
        outcomes = [an_outcome(0, transfers[0], "confirmed_fraud", START_MS + DAY_MS)]
        table = write_table(tmp_path / "table", transfers, outcomes)
        file = table / OUTCOMES_FILE
        pl.read_parquet(file).drop("source", "withdrawn_time_ms").write_parquet(file)

        build_from_table(table, tmp_path / "d.parquet", BuildOptions(command=""), quiet)

        dataset = load_dataset(tmp_path / "d.parquet")
        assert dataset.label.tolist() == [1, UNLABELLED]
        assert dataset.payee_mule.tolist() == [1, 1]

    def test_a_source_that_no_vocabulary_knows_is_refused(self, tmp_path: Path) -> None:
        transfers = [a_transfer(0, START_MS, "A", "B")]
        outcomes = [an_outcome(0, transfers[0], "confirmed_fraud", START_MS, source="a friend")]

        with pytest.raises(SetupError, match=r"column source holds 'a friend'; known are police"):
            built(tmp_path, transfers, outcomes)

    def test_young_transfers_without_a_report_have_no_label(self, tmp_path: Path) -> None:
        as_of_ms = START_MS + 10 * DAY_MS
        ages = (8, 7, 6, 6)
        transfers = [
            a_transfer(number, as_of_ms - age * DAY_MS, "A", "B") for number, age in enumerate(ages)
        ]
        outcomes = [an_outcome(0, transfers[3], "confirmed_legitimate", as_of_ms)]

        dataset, summary = built(tmp_path, transfers, outcomes, as_of_ms)

        assert dataset.label.tolist() == [0, 0, UNLABELLED, 0]
        assert summary["unlabelled"] == 1

    def test_transfers_after_the_as_of_time_are_left_out_and_counted(self, tmp_path: Path) -> None:
        transfers = [a_transfer(number, START_MS + number, "A", "B") for number in range(3)]

        dataset, summary = built(tmp_path, transfers, [], START_MS + 1)

        assert len(dataset) == 2
        assert summary["rows_after_as_of"] == 1


class TestRepairs:
    """Faults of single rows are repaired, and counted."""

    def test_shuffled_and_repeated_rows_change_nothing(self, tmp_path: Path) -> None:
        transfers, outcomes = random_rows(4, 300)
        shuffled = [*reversed(transfers), *transfers[:5]]

        tidy, _ = built(tmp_path / "tidy", transfers, outcomes)
        repaired, summary = built(tmp_path / "shuffled", shuffled, [*outcomes, outcomes[0]])

        assert repaired.vectors.tobytes() == tidy.vectors.tobytes()
        assert repaired.label.tolist() == tidy.label.tolist()
        assert summary["rows_duplicated"] == 5
        assert summary["outcomes_duplicated"] == 1
        assert isinstance(summary["rows_out_of_order"], int)
        assert summary["rows_out_of_order"] > 250

    def test_rows_that_cannot_be_transfers_are_left_out(self, tmp_path: Path) -> None:
        good = a_transfer(0, START_MS, "A", "B")
        transfers = [
            good,
            a_transfer(1, START_MS, "A", "B", amount_minor=-5),
            a_transfer(2, START_MS, "A", "B", amount_minor=AMOUNT_MINOR_MAX + 1),
            a_transfer(3, -1, "A", "B"),
            a_transfer(4, START_MS, "A", "B", currency="USD"),
        ]
        stray = a_transfer(9, START_MS, "A", "B")
        outcomes = [an_outcome(0, stray, "confirmed_fraud", START_MS)]

        dataset, summary = built(tmp_path, transfers, outcomes)

        assert len(dataset) == 1
        assert summary["rows_invalid"] == 3
        assert summary["rows_other_currency"] == 1
        assert summary["outcomes_unmatched"] == 1

    def test_reports_and_executions_cannot_come_before_the_transfer(self, tmp_path: Path) -> None:
        transfer = a_transfer(0, START_MS, "A", "B", execution_time_ms=START_MS - 5)
        outcomes = [an_outcome(0, transfer, "confirmed_fraud", START_MS - 5)]

        dataset, summary = built(tmp_path, [transfer], outcomes)

        assert dataset.label_known_ms.tolist() == [START_MS]
        assert summary["executions_before_transfer"] == 1
        assert summary["reports_before_transfer"] == 1


def without_columns(table: Path) -> None:
    frame = pl.read_parquet(table / TRANSFERS_FILE)
    frame.drop("speed", "payee_type").write_parquet(table / TRANSFERS_FILE)


def unknown_word(table: Path) -> None:
    frame = pl.read_parquet(table / TRANSFERS_FILE)
    frame.with_columns(channel=pl.lit("carrier pigeon")).write_parquet(table / TRANSFERS_FILE)


def infinite_amounts(table: Path) -> None:
    frame = pl.read_parquet(table / TRANSFERS_FILE)
    frame.with_columns(amount_minor=pl.lit(float("inf"))).write_parquet(table / TRANSFERS_FILE)


def truncated(table: Path) -> None:
    content = (table / TRANSFERS_FILE).read_bytes()
    (table / TRANSFERS_FILE).write_bytes(content[: len(content) // 2])


def no_outcomes(table: Path) -> None:
    (table / OUTCOMES_FILE).unlink()


def no_rows(table: Path) -> None:
    pl.read_parquet(table / TRANSFERS_FILE).clear().write_parquet(table / TRANSFERS_FILE)


class TestFaults:
    """Faults of a whole file are refused with cause and remedy, and nothing is written."""

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (without_columns, "no column speed, payee_type"),
            (unknown_word, "'carrier pigeon'; known are counter, atm"),
            (infinite_amounts, "column amount_minor is Float64"),
            (truncated, "cannot be read"),
            (no_outcomes, OUTCOMES_FILE),
            (no_rows, "no valid transfer in CNY"),
        ],
    )
    def test_are_refused(
        self, tmp_path: Path, damage: Callable[[Path], None], message: str
    ) -> None:
        table = write_table(tmp_path / "table", *random_rows(5, 20))
        damage(table)

        with pytest.raises(SetupError, match=message):
            build_from_table(table, tmp_path / "out.parquet", BuildOptions(command=""), quiet)

        assert [path.name for path in tmp_path.iterdir()] == ["table"]


class TestDataset:
    """A data set that cannot be learned from is refused when it is read."""

    def test_says_where_it_comes_from_and_has_a_stable_fingerprint(self, tmp_path: Path) -> None:
        transfers, outcomes = random_rows(6, 50)
        first, _ = built(tmp_path / "first", transfers, outcomes)
        second, _ = built(tmp_path / "second", transfers, outcomes)
        other, _ = built(tmp_path / "other", transfers[:-1], [])

        assert first.meta.source == "table"
        assert not first.meta.simulated
        assert first.fingerprint() == second.fingerprint() != other.fingerprint()

    def test_rows_out_of_order_are_sorted_and_counted(self, tmp_path: Path) -> None:
        dataset, _ = built(tmp_path, *random_rows(7, 40))
        file = tmp_path / "dataset.parquet"
        table = pq.read_table(file)
        pq.write_table(table.take(list(reversed(range(40)))), file)

        again = load_dataset(file)

        assert (np.diff(again.time_ms) >= 0).all()
        assert again.repaired["rows_sorted"] > 0
        assert sorted(again.label) == sorted(dataset.label)

    @pytest.mark.parametrize(
        ("rows", "message"), [([0, 1, 1], "1 transfer.s. twice"), ([], "has no rows")]
    )
    def test_repeated_or_no_rows_are_refused(
        self, tmp_path: Path, rows: list[int], message: str
    ) -> None:
        built(tmp_path, *random_rows(8, 10))
        file = tmp_path / "dataset.parquet"
        pq.write_table(pq.read_table(file).take(pa.array(rows, pa.int64())), file)

        with pytest.raises(SetupError, match=message):
            load_dataset(file)

    def test_infinities_are_refused(self, tmp_path: Path) -> None:
        built(tmp_path, *random_rows(9, 10))
        file = tmp_path / "dataset.parquet"
        table = pq.read_table(file)
        schema = table.schema
        vectors = table["vector"].to_pylist()
        vectors[3][0] = float("inf")
        column = schema.get_field_index("vector")
        infinite = pa.array(vectors, schema.field(column).type)
        pq.write_table(table.set_column(column, schema.field(column), infinite), file)

        with pytest.raises(SetupError, match=r"1 row.s. have infinities"):
            load_dataset(file)

    def test_another_parquet_file_is_refused(self, tmp_path: Path) -> None:
        table = write_table(tmp_path, *random_rows(9, 10))

        with pytest.raises(SetupError, match="is no data set"):
            load_dataset(table / TRANSFERS_FILE)
