"""Small data sets that a model can learn something from, without any transfer behind them."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tests.training.streams import DAY_MS, START_MS

from fanzha.features.manifest import FEATURE_INDEX, FEATURES
from fanzha_training.dataset import Dataset, DatasetMeta, load_dataset, vector_column, write_dataset
from fanzha_training.grow import TrainOptions
from fanzha_training.provenance import Recorder
from fanzha_training.split import Shares
from fanzha_training.train import Trained, train
from fanzha_training.trained import save_trained

DAYS = 40
DELAY_DAYS = 5.0
QUICK = TrainOptions(
    command="fanzha-training train", trees_max=40, patience=5, depth=4, learning_rate=0.3
)
AMOUNT, NEW_PAYERS, RISING = (
    FEATURE_INDEX[name] for name in ("amount_minor", "payee_in_new_payers_24h", "out_rising_24h")
)


def a_dataset(file: Path, *, rows: int = 6000, seed: int = 1, noise: float = 1.0) -> Dataset:
    """Fraud, 4 % or so, follows from three features, of which a tenth are NaN.

    Half of the frauds are known within a day, the others up to nine days later; `noise` blurs who
    is fraud.
    """
    rng = np.random.default_rng(seed)
    time_ms = np.sort(START_MS + rng.integers(0, DAYS * DAY_MS, rows))
    telling = rng.normal(size=(rows, 3)).astype(np.float32)
    fraud = telling.sum(axis=1) + noise * rng.normal(size=rows) > 3.5
    telling[rng.random(telling.shape) < 0.1] = np.nan
    # By chance of their own: what is fraud does not change with the number of features.
    other = np.random.default_rng([seed, 1])
    vectors = other.normal(size=(rows, len(FEATURES))).astype(np.float32)
    vectors[other.random(vectors.shape) < 0.1] = np.nan
    vectors[:, [AMOUNT, NEW_PAYERS, RISING]] = telling
    delay_ms = round(DELAY_DAYS * DAY_MS)
    late_ms = np.where(rng.random(rows) < 0.5, DAY_MS, rng.integers(DAY_MS, 9 * DAY_MS, rows))
    columns = {
        "request_id": [f"r{row}" for row in range(rows)],
        "time_ms": time_ms,
        "channel": np.full(rows, 4, np.int8),
        "segment": np.full(rows, 2, np.int8),
        "amount_minor": rng.integers(100, 10**6, rows),
        "label": fraud.astype(np.int8),
        "payer": np.arange(1, rows + 1),
        "payee": np.arange(rows + 1, 2 * rows + 1),
        "payee_mule": fraud.astype(np.int8),
        "payee_mule_known_ms": time_ms + np.where(fraud, late_ms, delay_ms),
        "payer_mule": np.zeros(rows, np.int8),
        "payer_mule_known_ms": time_ms + delay_ms,
        "label_known_ms": time_ms + np.where(fraud, late_ms, delay_ms),
        "fraud_type": np.where(fraud, rng.integers(1, 4, rows), 0).astype(np.int8),
        "vector": vector_column(vectors),
    }
    as_of_ms = START_MS + (DAYS + 10) * DAY_MS
    meta = DatasetMeta("table", True, "fanzha-training build", as_of_ms, DELAY_DAYS)
    write_dataset(file, columns, meta)
    return load_dataset(file)


def a_recorder() -> Recorder:
    """Somebody whose trainings take no time."""
    return Recorder("A. Trainer", "a test", lambda: datetime(2026, 11, 20, tzinfo=UTC))


def saved(folder: Path, trained: Trained) -> None:
    save_trained(folder, trained, a_recorder().ended())


def trained_on(dataset: Dataset, options: TrainOptions = QUICK) -> Trained:
    return train(dataset, options, lambda _done, _total: None)


def long_test() -> Shares:
    """Shares that leave many days to evaluate and gate."""
    return Shares(test=0.4, calibration=0.2, tune=0.2)
