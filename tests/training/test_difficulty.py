"""How hard the simulated world is: no feature does it alone, and unseen scams are not hopeless.

The figures are printed (`pytest -s`), not tuned for.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from fanzha.features.manifest import FEATURE_NAMES
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.options import BuildOptions
from fanzha_training.dataset import Dataset, load_dataset
from fanzha_training.evaluate import later_than
from fanzha_training.grow import TrainOptions, margins
from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.run import simulate
from fanzha_training.simulate.scripts import SCRIPTS
from fanzha_training.simulate.writer import write
from fanzha_training.split import Shares
from fanzha_training.table import OUTCOMES_FILE, TRANSFERS_FILE
from fanzha_training.train import Trained, train

WORLD = Parameters(customers=2300, days=42, seed=29, fraud_per_million=5000)
UNSEEN = (
    "fake_credit_repair",
    "fake_loan",
    "impersonated_acquaintance",
    "romance",
    "sextortion",
)
ALERTS_PER_1000 = 10
"""Twice the over-sampled rate of victims' payments: as tight as a bank's budget to its own rate."""
OPTIONS = TrainOptions(
    command="fanzha-training train",
    shares=Shares(test=0.35, calibration=0.15),
    trees_max=120,
    patience=15,
    depth=5,
    learning_rate=0.1,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write(simulate(WORLD), folder)
    return folder


def dataset_of(folder: Path, out: Path) -> Dataset:
    """Return the data set of a table; its rows are the table's, in the same order."""
    file = out / "dataset.parquet"
    build_from_table(folder, file, BuildOptions(command="fanzha-training build"), lambda _: None)
    return load_dataset(file)


def learned_from(dataset: Dataset) -> Trained:
    return train(dataset, OPTIONS, lambda _done, _total: None)


def best_average_precision(values: npt.NDArray[np.float32], fraud: npt.NDArray[np.bool_]) -> float:
    """Return a feature's own average precision: either direction, NaN at either end."""
    unknown = np.isnan(values)
    if unknown.all():
        return float(fraud.mean())
    least, most = np.nanmin(values) - 1, np.nanmax(values) + 1
    return max(
        float(average_precision_score(fraud, sign * np.where(unknown, end, values)))
        for sign in (1, -1)
        for end in (least, most)
    )


def test_no_feature_alone_is_half_as_good_as_the_model(world: Path, tmp_path: Path) -> None:
    every = dataset_of(world, tmp_path)
    trained = learned_from(every)
    later = later_than(every, trained.record["times"]["cut_ms"]).data
    fraud = later.label == 1
    model = float(average_precision_score(fraud, margins(trained.victim.booster, later.vectors)))
    alone = {
        name: best_average_precision(later.vectors[:, position], fraud)
        for position, name in enumerate(FEATURE_NAMES)
    }
    best = max(alone, key=alone.__getitem__)

    print(f"\naverage precision: model {model:.3f}; best feature alone {alone[best]:.3f}, {best}")  # noqa: T201
    assert alone[best] < 0.5 * model
    # Neither a toy nor hopeless.
    assert 0.25 < model < 0.95


def test_a_model_finds_some_of_the_scams_it_never_saw(world: Path, tmp_path: Path) -> None:
    truth = pl.read_parquet(
        world / TRANSFERS_FILE, columns=["request_id", "is_fraud", "fraud_type"]
    )
    unseen = pl.col("fraud_type").is_in(UNSEEN)
    hidden = truth.select(unseen.fill_null(value=False)).to_series().to_numpy()
    # Nobody ever reports the unseen: neither labels nor reports on accounts tell of them.
    outcomes = pl.read_parquet(world / OUTCOMES_FILE)
    outcomes.join(truth.filter(hidden), on="request_id", how="anti").write_parquet(
        tmp_path / OUTCOMES_FILE
    )
    (tmp_path / TRANSFERS_FILE).symlink_to(world / TRANSFERS_FILE)
    every = dataset_of(tmp_path, tmp_path)
    trained = learned_from(every.rows(~hidden))

    later = np.flatnonzero(every.time_ms >= trained.record["times"]["cut_ms"])
    margin = margins(trained.victim.booster, every.vectors[later])
    alerted = later[np.argsort(-margin, kind="stable")[: len(later) * ALERTS_PER_1000 // 1000]]
    found = (
        truth.with_row_index("row")
        .filter("is_fraud", unseen, pl.col("row").is_in(later))
        .with_columns(alerted=pl.col("row").is_in(alerted))
        .group_by("fraud_type")
        .agg(payments=pl.len(), found=pl.col("alerted").sum())
        .sort("fraud_type")
    )

    print(f"\nnever seen, {ALERTS_PER_1000} alerts per 1,000 transfers: {found.rows()}")  # noqa: T201
    assert set(UNSEEN) < set(SCRIPTS)
    assert len(found) > 0
    assert found["found"].sum() > 0.1 * found["payments"].sum()
