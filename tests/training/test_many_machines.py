"""The same data set and a model as good, on one machine and on a cluster of two processes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from distributed import Client
from sklearn.metrics import average_precision_score
from tests.training.bank_files import quiet
from tests.training.learnable import QUICK, a_dataset
from tests.training.streams import random_rows, write_table
from typer.testing import CliRunner

from fanzha.domain.errors import SetupError
from fanzha_training.__main__ import app
from fanzha_training.building.from_table import build_from_table
from fanzha_training.building.numbered_transfers import Work
from fanzha_training.building.on_cluster import on_cluster
from fanzha_training.building.options import BuildOptions, Say
from fanzha_training.cluster import cluster, workers_of
from fanzha_training.dataset import Dataset, load_dataset
from fanzha_training.evaluate import later_than
from fanzha_training.grow import margins
from fanzha_training.many_machines import ManyMachines
from fanzha_training.provenance import read_provenance
from fanzha_training.train import Trained, train

STEADY = replace(QUICK, trees_max=150, learning_rate=0.1, patience=20)
"""So many small steps that where growing stops matters little."""


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

    alone = train(dataset, STEADY, lambda _done, _total: None)
    together = train(
        dataset, STEADY, lambda done, total: told.append((done, total)), ManyMachines(client)
    )

    assert abs(precision(together, dataset) - precision(alone, dataset)) < 0.02
    assert precision(alone, dataset) > 0.6
    assert (together.record["heads"]["victim"]["trees"],) * 2 in told


def test_commands_take_a_scheduler_s_address(client: Client, tmp_path: Path) -> None:
    table = write_table(tmp_path / "table", *random_rows(12, 300))
    a_dataset(tmp_path / "learnable.parquet", rows=3000)
    address = client.scheduler.address

    built = command(
        "build", "--table", table, "--out", tmp_path / "built.parquet", "--dask", address
    )
    trained = command(
        "train", "--dataset", tmp_path / "learnable.parquet", "--out", tmp_path / "model",
        "--trees", "12", "--learning-rate", "0.3", "--dask", address,
    )  # fmt: skip

    assert built["rows"] == 300
    assert 1 <= trained["heads"]["victim"]["trees"] <= 12
    assert read_provenance(tmp_path / "model")["processes"] == 2


def command(*words: object) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def test_what_a_worker_cannot_do_is_told(client: Client, tmp_path: Path) -> None:
    table = write_table(tmp_path / "table", *random_rows(12, 300))
    spread = on_cluster(client)

    def hidden(work: Work, say: Say) -> None:
        spread(replace(work, folder=_Elsewhere(work.folder)), say)

    with pytest.raises(SetupError, match="put --out into a folder that all workers see"):
        build_from_table(
            table, tmp_path / "d.parquet", BuildOptions(command="", parts=3), quiet, hidden
        )

    assert [path.name for path in tmp_path.iterdir()] == ["table"]


class _Elsewhere(type(Path())):  # type: ignore[misc]
    """A folder that other machines know by another name."""

    def absolute(self) -> Path:
        return Path("/nowhere/to/be/seen")


@pytest.mark.parametrize("where", ["local:0", "local:", "local:two", "10.0.0.5", "http://x:1"])
def test_places_that_are_no_cluster_are_refused(where: str) -> None:
    with pytest.raises(SetupError, match="--dask is"), cluster(where):
        pass


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanzha_training.cluster._CONNECT_S", 0.5)

    with (
        pytest.raises(SetupError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        cluster("tcp://127.0.0.1:9"),
    ):
        pass


def precision(trained: Trained, dataset: Dataset) -> float:
    later = later_than(dataset, trained.record["times"]["cut_ms"]).data
    margin = margins(trained.victim.booster, later.vectors)
    return float(average_precision_score(later.label == 1, margin))
