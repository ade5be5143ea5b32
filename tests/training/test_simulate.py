import hashlib
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from fanzha.domain.errors import SetupError
from fanzha_training.simulate.parameters import Parameters, parse_fraud_mix
from fanzha_training.simulate.run import STEPS, Simulation, simulate
from fanzha_training.simulate.writer import write
from fanzha_training.table import (
    OUTCOMES,
    OUTCOMES_FILE,
    TRANSFERS,
    TRANSFERS_FILE,
    WORLD_FILE,
)

SMALL = Parameters(customers=150, days=4, fraud_per_million=8000)
WORLD = Parameters(customers=300, days=10, seed=11, fraud_per_million=5000)


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLD)


@pytest.fixture(scope="module")
def transfers(world: Simulation) -> pl.DataFrame:
    frame = pl.from_arrow(world.transfers)
    assert isinstance(frame, pl.DataFrame)
    return frame


class TestTables:
    """Deterministic by seed (byte-equal tables), sorted by time, one definition of columns."""

    def test_the_same_seed_gives_the_same_bytes(self, tmp_path: Path) -> None:
        write(simulate(SMALL), tmp_path / "first")
        write(simulate(SMALL), tmp_path / "second")

        for name in (TRANSFERS_FILE, OUTCOMES_FILE, WORLD_FILE):
            first, second = tmp_path / "first" / name, tmp_path / "second" / name
            assert first.read_bytes() == second.read_bytes()

    def test_another_seed_gives_another_world(self) -> None:
        other = Parameters(customers=150, days=4, fraud_per_million=8000, seed=8)

        assert not simulate(SMALL).transfers.equals(simulate(other).transfers)

    def test_tables_have_the_columns_that_training_reads(
        self, world: Simulation, tmp_path: Path
    ) -> None:
        write(world, tmp_path)

        assert pq.read_schema(tmp_path / TRANSFERS_FILE).equals(TRANSFERS)
        assert pq.read_schema(tmp_path / OUTCOMES_FILE).equals(OUTCOMES)
        world.transfers.validate(full=True)
        world.outcomes.validate(full=True)
        for name in (*TRANSFERS.names, *OUTCOMES.names):
            schema = TRANSFERS if name in TRANSFERS.names else OUTCOMES
            table = world.transfers if schema is TRANSFERS else world.outcomes
            assert schema.field(name).nullable or table[name].null_count == 0

    def test_transfers_are_sorted_and_lie_in_the_local_days(self, transfers: pl.DataFrame) -> None:
        local_days = (
            transfers["time_ms"]
            .cast(pl.Datetime("ms", "UTC"))
            .dt.convert_time_zone("Asia/Shanghai")
        )

        assert transfers["time_ms"].is_sorted()
        assert local_days[0].date() == WORLD.start
        assert local_days[-1].date() == date(2026, 6, WORLD.days)

    def test_ids_are_unique_short_and_sort_by_time(
        self, world: Simulation, transfers: pl.DataFrame
    ) -> None:
        for name in ("request_id", "transfer_id"):
            assert transfers[name].n_unique() == len(transfers)
            assert transfers[name].is_sorted()
            assert transfers[name].str.contains(r"^[A-Za-z0-9._:-]{1,64}$").all()
        assert pl.Series(world.outcomes["outcome_id"].to_pylist()).n_unique() == len(world.outcomes)

    def test_no_account_number_can_be_a_real_card(self, transfers: pl.DataFrame) -> None:
        accounts = pl.concat([transfers["payer_account"], transfers["payee_account"].drop_nulls()])
        digits = np.array([list(map(int, number)) for number in accounts.unique()])
        doubled = digits[:, -2::-2] * 2
        luhn = digits[:, -1::-2].sum(axis=1) + (doubled // 10 + doubled % 10).sum(axis=1)

        assert digits.shape[1] == 19
        assert (luhn % 10 != 0).all()

    def test_each_customer_moves_money_about_three_times_a_day(
        self, transfers: pl.DataFrame
    ) -> None:
        assert 2.5 <= len(transfers) / (WORLD.customers * WORLD.days) <= 4

    def test_a_world_of_one_day_without_fraud_is_possible(self) -> None:
        quiet = simulate(Parameters(customers=100, days=1, fraud_per_million=0))

        assert quiet.transfers.num_rows > 0
        assert not any(quiet.transfers["is_fraud"].to_pylist())

    def test_steps_are_told_in_their_order(self) -> None:
        told: list[str] = []

        simulate(Parameters(customers=100, days=1), told.append)

        assert tuple(told) == STEPS


class TestParameters:
    """Absurd parameters are refused with clear messages, all of them at once."""

    def test_all_faults_are_named_at_once(self) -> None:
        absurd = Parameters(customers=3, days=0, seed=-1, start=date(1800, 1, 1))

        with pytest.raises(SetupError) as refused:
            simulate(absurd)

        for option in ("--customers", "--days", "--seed", "--start"):
            assert option in str(refused.value)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            (Parameters(customers=100_000, days=366), "does not fit into memory"),
            (Parameters(fraud_per_million=float("nan")), "--fraud-per-million"),
            (Parameters(fraud_mix={"task_rebat": 1}), "no script 'task_rebat'"),
            (Parameters(fraud_mix={"task_rebate": -1}), "weight -1"),
            (Parameters(fraud_mix={"task_rebate": 0}), "above 0"),
            (Parameters(fraud_mix={}), "above 0"),
        ],
    )
    def test_each_fault_is_explained(self, parameters: Parameters, message: str) -> None:
        with pytest.raises(SetupError, match=re.escape(message)):
            parameters.check()

    @pytest.mark.parametrize("text", ["", "task_rebate", "task_rebate=much", "a=1,a=2", "a=1,,b=2"])
    def test_a_mix_of_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(SetupError, match="for example task_rebate=2"):
            parse_fraud_mix(text)


class TestCommand:
    """`fanzha-training simulate` writes all of a world, or says why not."""

    def run(self, *options: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "fanzha_training", "simulate", *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_writes_a_world_and_a_summary_in_the_last_line(self, tmp_path: Path) -> None:
        out = tmp_path / "new" / "world"
        finished = self.run(
            "--out", str(out), "--customers", "120", "--days", "3", "--start", "2026-07-01",
            "--fraud-per-million", "9000", "--json",
        )  # fmt: skip
        summary = json.loads(finished.stdout.splitlines()[-1])
        world = json.loads((out / WORLD_FILE).read_text())

        assert finished.returncode == 0, finished.stderr
        assert summary["transfers"] == pq.read_metadata(out / TRANSFERS_FILE).num_rows
        assert world["parameters"]["start"] == "2026-07-01"
        assert world["parameters"]["over_sampling"] == summary["over_sampling"] == 112.5
        assert sorted(path.name for path in out.iterdir()) == sorted(
            [TRANSFERS_FILE, OUTCOMES_FILE, WORLD_FILE]
        )
        for name, digest in world["sha256"].items():
            assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--customers", "5", "--fraud-mix", "romances=1"], "no script 'romances'"),
            (["--start", "yesterday"], "--start"),
        ],
    )
    def test_refuses_absurd_options_and_writes_nothing(
        self, tmp_path: Path, options: list[str], message: str
    ) -> None:
        out = tmp_path / "world"
        finished = self.run("--out", str(out), *options)

        assert finished.returncode == 2
        assert message in finished.stderr
        assert "Traceback" not in finished.stderr
        assert not out.exists()

    def test_refuses_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        out = tmp_path / "world"
        out.write_text("taken")
        finished = self.run("--out", str(out))

        assert finished.returncode == 2
        assert "cannot be written to" in finished.stderr
        assert "--out" in finished.stderr
        assert out.read_text() == "taken"

    def test_leaves_nothing_half_written(self, tmp_path: Path) -> None:
        # A folder stands where a table should go: the last moment at which writing can fail.
        (tmp_path / OUTCOMES_FILE).mkdir()

        with pytest.raises(SetupError, match="cannot be written to"):
            write(simulate(SMALL), tmp_path)

        assert [path.name for path in tmp_path.iterdir()] == [OUTCOMES_FILE]
