"""The same data set and a model as good, on one machine and on a cluster of two processes."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from distributed import Client
from sklearn.metrics import average_precision_score
from tests.training.bank_files import quiet
from tests.training.learnable import QUICK, a_dataset
from tests.training.streams import random_rows, write_table

from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.on_cluster import on_cluster
from fanzha_training.building.options import BuildOptions
from fanzha_training.cluster import cluster, workers_of
from fanzha_training.dataset import Dataset, load_dataset
from fanzha_training.evaluate import later_than
from fanzha_training.grow import margins
from fanzha_training.many_machines import ManyMachines
from fanzha_training.train import Trained, train


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with cluster("local:2") as connected:
        yield connected


def test_a_cluster_of_two_builds_the_vectors_of_one_machine(client: Client, tmp_path: Path) -> None:
    table = write_table(tmp_path / "table", *random_rows(12, 900))
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    build_from_table(table, one, BuildOptions(command="build", parts=1), quiet)

    build_from_table(table, two, BuildOptions(command="build", parts=5), quiet, on_cluster(client))

    assert len(workers_of(client)) == 2
    assert load_dataset(one).vectors.tobytes() == load_dataset(two).vectors.tobytes()
    # NaN equals nothing, so vectors are compared by their bytes.
    assert pq.read_table(one).drop(["vector"]).equals(pq.read_table(two).drop(["vector"]))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one.parquet",
        "table",
        "two.parquet",
    ]


def test_a_cluster_of_two_learns_as_well_as_one_machine(client: Client, tmp_path: Path) -> None:
    a_dataset(tmp_path / "d.parquet", rows=30_000, noise=0.3)
    dataset = load_dataset(tmp_path / "d.parquet", rows_in_memory=0)
    told: list[tuple[int, int]] = []

    alone = train(dataset, QUICK, lambda _done, _total: None)
    together = train(
        dataset, QUICK, lambda done, total: told.append((done, total)), ManyMachines(client)
    )

    assert abs(precision(together, dataset) - precision(alone, dataset)) < 0.01
    assert precision(alone, dataset) > 0.6
    assert (together.record["heads"]["victim"]["trees"],) * 2 in told


def precision(trained: Trained, dataset: Dataset) -> float:
    later = later_than(dataset, trained.record["times"]["cut_ms"]).data
    margin = margins(trained.victim.booster, later.vectors)
    return float(average_precision_score(later.label == 1, margin))
