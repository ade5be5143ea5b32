"""What a family adds is measured by taking it away, and nothing else."""

import json
from pathlib import Path

import numpy as np
from tests.training.learnable import QUICK, a_dataset
from typer.testing import CliRunner

from fanzha.features.manifest import FEATURE_INDEX, FEATURES
from fanzha_training.__main__ import app
from fanzha_training.ablation import FAMILIES, NOTHING, ablate, without


def test_a_family_is_unknown_everywhere_and_the_others_are_as_they_were(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path / "d.parquet", rows=500)

    left = without(dataset, "escalation").vectors

    gone = np.array([feature.family == "escalation" for feature in FEATURES])
    assert np.isnan(left[:, gone]).all()
    assert left[:, ~gone].tobytes() == dataset.vectors[:, ~gone].tobytes()
    assert not np.isnan(dataset.vectors[:, FEATURE_INDEX["out_rising_24h"]]).all()


def test_families_that_fraud_follows_from_cost_precision_and_others_do_not(tmp_path: Path) -> None:
    worlds = [a_dataset(tmp_path / f"{seed}.parquet", seed=seed) for seed in (1,)]

    found = ablate(worlds, QUICK, lambda _done, _total: None)

    precision = {name: x["average_precision"]["mean"] for name, x in found["without"].items()}
    assert set(precision) == {NOTHING, *FAMILIES}
    # Fraud follows from three features of these three families.
    lost = {name: precision[NOTHING] - value for name, value in precision.items()}
    assert set(sorted(lost, key=lost.__getitem__)[-3:]) == {"amount", "payee_mule", "escalation"}
    assert found["features"][NOTHING] == len(FEATURES)


def test_the_command_writes_its_figures(tmp_path: Path) -> None:
    a_dataset(tmp_path / "d.parquet", rows=1500)
    out = tmp_path / "ablation.json"

    words = ["ablate", "--dataset", str(tmp_path / "d.parquet"), "--out", str(out), "--json"]
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1]) == json.loads(out.read_text("utf-8"))
