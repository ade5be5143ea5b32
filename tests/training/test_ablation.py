"""What a family adds is measured by taking it away, or all others, and nothing else."""

import json
from pathlib import Path

import numpy as np
from tests.training.learnable import QUICK, a_dataset
from typer.testing import CliRunner

from fanzha.features.manifest import FEATURE_INDEX, FEATURES
from fanzha_training.__main__ import app
from fanzha_training.ablation import FAMILIES, ablate, hiding, of_family


def test_hidden_features_are_unknown_and_the_others_are_as_they_were(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path / "d.parquet", rows=500)
    own = of_family("escalation")

    left = hiding(dataset, own).vectors

    assert np.isnan(left[:, own]).all()
    assert left[:, ~own].tobytes() == dataset.vectors[:, ~own].tobytes()
    assert not np.isnan(dataset.vectors[:, FEATURE_INDEX["out_rising_24h"]]).all()


def test_families_that_fraud_follows_from_are_told_from_the_others(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path / "d.parquet", rows=8000, noise=0.3)

    found = ablate([dataset], QUICK, lambda _done, _total: None)

    # Fraud follows from three features of these three families.
    telling = {"amount", "payee_mule", "escalation"}
    assert set(found["families"]) == set(FAMILIES)
    for figure in ("lost_without", "alone"):
        means = {name: family[figure]["mean"] for name, family in found["families"].items()}
        assert set(sorted(means, key=means.__getitem__)[-3:]) == telling
    assert found["all"]["features"] == len(FEATURES)


def test_the_command_writes_its_figures(tmp_path: Path) -> None:
    a_dataset(tmp_path / "d.parquet", rows=1500)
    out = tmp_path / "ablation.json"

    words = ["ablate", "--dataset", str(tmp_path / "d.parquet"), "--out", str(out), "--json"]
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1]) == json.loads(out.read_text("utf-8"))
