"""The gate looks at what a model answers beside the victims' score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.learnable import QUICK, a_dataset, long_test, saved, trained_on

from fanzha_training.dataset import UNLABELLED, Dataset
from fanzha_training.export import export
from fanzha_training.gate_heads import HeadMargins, head_checks
from fanzha_training.scorer import load_scorer

MARGINS = HeadMargins(average_precision=0.02, calibration=0.02)
GOOD = replace(QUICK, shares=long_test())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return a_dataset(tmp_path_factory.mktemp("heads") / "d.parquet", rows=20_000, noise=0.3)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    """Exported: `good`; `worse`, whose mules were labelled by chance; `victims`, without mules."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(1)
    random = replace(dataset, payee_mule=rng.permutation(dataset.payee_mule))
    unknown = replace(dataset, payee_mule=np.full(len(dataset), UNLABELLED, np.int8))
    # What is learned by chance may rank backwards on the calibration days; then there is no head.
    for version, learned in (
        ("good", dataset),
        ("worse", _weak(random, dataset)),
        ("victims", unknown),
    ):
        saved(folder / f"{version}-trained", trained_on(learned, GOOD))
        export(folder / f"{version}-trained", folder, "fraud", version, command="")
    return folder / "fraud"


def _weak(random: Dataset, true: Dataset) -> Dataset:
    """Return a data set in which six of ten rows are labelled by chance."""
    rng = np.random.default_rng(2)
    by_chance = rng.random(len(true)) < 0.6
    return replace(true, payee_mule=np.where(by_chance, random.payee_mule, true.payee_mule))


def checks(models: Path, candidate: str, champion: str | None, dataset: Dataset) -> dict[str, bool]:
    folder = models / candidate
    old = models / champion if champion is not None else None
    found, _ = head_checks(folder, old, dataset, load_scorer(folder).cut_ms, MARGINS)
    return {check.name: check.passed for check in found}


def test_a_head_is_compared_with_the_champions(models: Path, dataset: Dataset) -> None:
    assert checks(models, "good", "worse", dataset)["payee_mule: average precision"]
    assert not checks(models, "worse", "good", dataset)["payee_mule: average precision"]


def test_what_the_champion_answers_must_be_answered(models: Path, dataset: Dataset) -> None:
    assert checks(models, "victims", "good", dataset)["payee_mule: is answered"] is False


def test_a_new_head_must_beat_chance(models: Path, dataset: Dataset) -> None:
    assert checks(models, "good", "victims", dataset)["payee_mule: average precision"]
    assert checks(models, "good", None, dataset)["payee_mule: average precision"]


def test_few_accounts_compare_nothing(models: Path, dataset: Dataset) -> None:
    few = replace(dataset, payee=np.where(dataset.payee_mule == 1, 7, dataset.payee))

    assert checks(models, "worse", "good", few)["payee_mule: not measured"]
