"""Training from a file in batches gives what training from memory gives, byte for byte."""

from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb
from tests.training.learnable import QUICK, a_dataset, trained_on

from fanzha_training.augment import with_missing_history
from fanzha_training.dataset import Dataset, load_dataset
from fanzha_training.matrix import Layer, batches, labels_of, matrix_of, weights_of
from fanzha_training.train import margins
from fanzha_training.vectors import StoredVectors

ROWS = 6000


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "dataset.parquet"
    a_dataset(path, rows=ROWS)
    return path


@pytest.fixture(scope="module")
def in_memory(file: Path) -> Dataset:
    return load_dataset(file)


@pytest.fixture(scope="module")
def on_disk(file: Path) -> Dataset:
    return load_dataset(file, rows_in_memory=0)


def layers_of(dataset: Dataset) -> list[Layer]:
    weight = np.where(dataset.label == 1, 1, 0.5).astype(np.float32)
    rows = Layer(dataset.stored_vectors, dataset.label, weight)
    return with_missing_history(rows, share=0.1, randomness=np.random.default_rng(4))


def grown(matrix: xgb.DMatrix) -> bytes:
    parameters = {
        "objective": "binary:logistic", "tree_method": "hist", "max_depth": 5, "nthread": 1,
        "base_score": 0.04,
    }  # fmt: skip
    raw: bytearray = xgb.train(parameters, matrix, num_boost_round=12).save_raw("ubj")
    return bytes(raw)


@pytest.mark.parametrize("rows_per_batch", [700, 10**6])
@pytest.mark.parametrize("rows_in_memory", [0, 10**6])
@pytest.mark.parametrize("where", ["in_memory", "on_disk"])
def test_trees_are_those_of_a_plain_matrix(
    in_memory: Dataset,
    on_disk: Dataset,
    tmp_path: Path,
    where: str,
    rows_in_memory: int,
    rows_per_batch: int,
) -> None:
    layers = layers_of(in_memory)
    plain = xgb.DMatrix(
        np.concatenate(list(batches(layers))), labels_of(layers), weight=weights_of(layers)
    )

    matrix = matrix_of(
        layers_of({"in_memory": in_memory, "on_disk": on_disk}[where]),
        tmp_path / "cache",
        rows_per_batch=rows_per_batch,
        rows_in_memory=rows_in_memory,
    )

    assert isinstance(matrix, xgb.ExtMemQuantileDMatrix) == (rows_in_memory == 0)
    assert grown(matrix) == grown(plain)


def test_a_model_does_not_tell_where_its_vectors_were(in_memory: Dataset, on_disk: Dataset) -> None:
    assert isinstance(on_disk.stored_vectors, StoredVectors)

    one, other = trained_on(in_memory), trained_on(on_disk)

    assert one.victim.booster.save_raw("ubj") == other.victim.booster.save_raw("ubj")
    assert one.record == other.record
    assert one.sample.tobytes() == other.sample.tobytes()
    assert margins(one.victim.booster, on_disk.stored_vectors).tobytes() == (
        margins(one.victim.booster, in_memory.vectors).tobytes()
    )


def test_early_stopping_on_disk_stops_at_the_same_tree(
    in_memory: Dataset, on_disk: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained_on(in_memory).record
    monkeypatch.setattr("fanzha_training.one_machine.matrix_of", _always_on_disk)

    assert trained_on(on_disk).record == alone
    assert alone["heads"]["victim"]["tree_count_tuned"]
    assert alone["heads"]["victim"]["trees"] < QUICK.trees_max


def _always_on_disk(layers: list[Layer], cache: Path, *, like: xgb.DMatrix | None) -> xgb.DMatrix:
    return matrix_of(layers, cache, like=like, rows_per_batch=700, rows_in_memory=0)


def test_fingerprints_are_the_same_read_from_memory_and_from_the_file(
    in_memory: Dataset, on_disk: Dataset
) -> None:
    chosen = np.flatnonzero(in_memory.label == 1)

    assert on_disk.fingerprint() == in_memory.fingerprint()
    assert on_disk.rows(chosen).fingerprint() == in_memory.rows(chosen).fingerprint()
    assert on_disk.rows(chosen).fingerprint() != on_disk.fingerprint()


@pytest.mark.parametrize("rows", [1, 13, 64, 1000])
def test_batches_do_not_show_where_layers_end(in_memory: Dataset, rows: int) -> None:
    layers = layers_of(in_memory.rows(slice(0, 333)))

    parts = list(batches(layers, rows))

    assert {len(part) for part in parts[:-1]} <= {rows}
    assert np.concatenate(parts).tobytes() == np.concatenate(list(batches(layers))).tobytes()
    assert len(np.concatenate(parts)) == len(labels_of(layers)) == 333 + 3 * 33


@pytest.mark.parametrize("chosen", [slice(5, 9), np.array([4000, 3, 3, 5999]), np.array([], int)])
def test_stored_vectors_are_chosen_as_those_in_memory(
    in_memory: Dataset, on_disk: Dataset, chosen: slice | np.ndarray
) -> None:
    stored = on_disk.stored_vectors[chosen]

    assert np.asarray(stored).tobytes() == in_memory.vectors[chosen].tobytes()
    assert len(stored) == len(in_memory.vectors[chosen])
