"""The service's own contributions are XGBoost's `pred_contribs`, without XGBoost.

XGBoost computes them in float32, the service in float64. A float32 sum over T trees of leaves up
to |v| errs by up to about T × |v| × 2^-24, and the weights of a path by a few times more. The
tolerance is 8 times that (seen: 3.3 times), never above 1e-4 here; contributions are around 1.
"""

from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from fanzha.domain.errors import ModelRefusedError, SetupError
from fanzha.domain.model import Head
from fanzha.explain.explainer import Explainer
from fanzha.explain.texts import load_reason_texts
from fanzha.explain.trees import trees_file, trees_of
from fanzha.features.manifest import FEATURES
from fanzha_training.golden import load_golden
from fanzha_training.tree_arrays import explain_arrays, save_trees

CHAMPION = max((Path(__file__).parents[2] / "models" / "fraud").glob("*"))
TEXTS = load_reason_texts()
FEW = 4
"""Columns that hold something, so that paths split the same ones again and again."""


def some_vectors(rng: np.random.Generator, rows: int, *, used: int, missing: float) -> np.ndarray:
    """Return rows with values in `used` columns, coarse ones, so that thresholds are hit."""
    vectors = np.full((rows, len(FEATURES)), np.nan, np.float32)
    vectors[:, :used] = rng.integers(-20, 20, (rows, used)) / 4
    vectors[:, :used][rng.random((rows, used)) < missing] = np.nan
    return vectors


def a_booster(
    rng: np.random.Generator, vectors: np.ndarray, trees: int, **parameters: object
) -> xgb.Booster:
    """Return a booster that learned products and sums of the columns, and noise."""
    known = np.nan_to_num(vectors[:, :FEW])
    signal = known[:, 0] * known[:, 1] + known[:, 2] - known[:, 3] ** 2 / 4
    label = signal + rng.normal(size=len(vectors)) > 0
    chosen = {"objective": "binary:logistic", "nthread": 1, "min_child_weight": 0.01} | parameters
    return xgb.train(chosen, xgb.DMatrix(vectors, label=label), trees)


def assert_same(booster: xgb.Booster, vectors: np.ndarray) -> None:
    """Compare contributions, bias and their sum with what XGBoost says."""
    matrix = xgb.DMatrix(vectors)
    expected = booster.predict(matrix, pred_contribs=True).astype(np.float64)
    margins = booster.predict(matrix, output_margin=True).astype(np.float64)
    arrays = explain_arrays(booster)
    explainer = Explainer(arrays, TEXTS)
    found = np.stack([explainer.contributions(vector)[0] for vector in vectors])
    most = [abs(part).max() for part in np.split(arrays["value"], arrays["root"][1:])]
    tolerance = 8 * 2.0**-24 * (sum(most) + abs(float(arrays["base_margin"])) + 1)

    assert tolerance < 1e-4
    assert np.abs(found - expected[:, :-1]).max() <= tolerance
    assert abs(explainer.bias - expected[0, -1]) <= tolerance
    assert np.abs(found.sum(axis=1) + explainer.bias - margins).max() <= tolerance


@pytest.mark.parametrize("depth", range(1, 9))
def test_every_depth(depth: int) -> None:
    rng = np.random.default_rng(depth)
    vectors = some_vectors(rng, 1500, used=12, missing=0.1)

    assert_same(a_booster(rng, vectors, 30, max_depth=depth), vectors[:60])


@pytest.mark.parametrize("seed", range(4))
def test_features_that_a_path_splits_again(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    vectors = some_vectors(rng, 1500, used=FEW, missing=0.2)

    assert_same(a_booster(rng, vectors, 30, max_depth=7), vectors[:60])


@pytest.mark.parametrize("missing", [0.5, 0.9, 1.0])
def test_much_that_is_missing(missing: float) -> None:
    rng = np.random.default_rng(200)
    vectors = some_vectors(rng, 1500, used=12, missing=0.5)
    others = some_vectors(rng, 40, used=12, missing=missing)

    assert_same(a_booster(rng, vectors, 30, max_depth=6), others)


@pytest.mark.parametrize("base_score", [0.5, 0.0017, 0.93])
def test_every_base_score(base_score: float) -> None:
    rng = np.random.default_rng(300)
    vectors = some_vectors(rng, 500, used=8, missing=0.2)

    assert_same(a_booster(rng, vectors, 10, max_depth=4, base_score=base_score), vectors[:40])


def test_paths_of_more_than_eight_features() -> None:
    """A second block of points is needed from nine different features on."""
    rng = np.random.default_rng(400)
    vectors = some_vectors(rng, 3000, used=30, missing=0.1)
    booster = a_booster(
        rng, vectors, 6, grow_policy="lossguide", max_depth=14, max_leaves=200, colsample_bynode=0.3
    )

    assert_same(booster, vectors[:30])


def test_trees_that_never_split() -> None:
    rng = np.random.default_rng(500)
    vectors = some_vectors(rng, 200, used=8, missing=0.2)

    assert_same(a_booster(rng, vectors, 3, max_depth=4, gamma=1e9), vectors[:10])


def test_infinities_and_values_on_thresholds() -> None:
    rng = np.random.default_rng(600)
    vectors = some_vectors(rng, 1000, used=FEW, missing=0.1)
    booster = a_booster(rng, vectors, 20, max_depth=5)
    arrays = explain_arrays(booster)
    inner = np.flatnonzero(arrays["left"] >= 0)[:100]
    near = vectors[: len(inner)].copy()
    near[np.arange(len(inner)), arrays["feature"][inner]] = arrays["threshold"][inner]

    assert_same(booster, near)
    # XGBoost's own matrix takes no infinity; a value beyond all thresholds goes the same ways.
    explainer = Explainer(arrays, TEXTS)
    beyond = np.where(near > 0, np.float32(np.inf), near)
    large = np.where(near > 0, np.float32(1e30), near)
    for one, other in zip(beyond, large, strict=True):
        assert (explainer.contributions(one)[0] == explainer.contributions(other)[0]).all()


@pytest.mark.parametrize("head", ["victim", "payee_mule", "payer_mule"])
def test_the_shipped_champion(head: str) -> None:
    booster = xgb.Booster(model_file=CHAMPION / f"{head}.ubj")

    assert_same(booster, load_golden(CHAMPION).vectors)


def test_a_file_holds_the_arrays_as_they_were_in_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(700)
    arrays = explain_arrays(a_booster(rng, some_vectors(rng, 300, used=8, missing=0.2), 5))

    save_trees(tmp_path / trees_file(Head.VICTIM), arrays)
    save_trees(tmp_path / "again.npz", arrays)

    file = tmp_path / trees_file(Head.VICTIM)
    loaded = trees_of(file.read_bytes(), file)
    assert loaded.keys() == arrays.keys()
    assert all((loaded[name] == arrays[name]).all() for name in arrays)
    assert all(loaded[name].dtype == arrays[name].dtype for name in arrays)
    assert (tmp_path / trees_file(Head.VICTIM)).read_bytes() == (
        tmp_path / "again.npz"
    ).read_bytes()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / trees_file(Head.VICTIM)
    file.write_bytes(b"PK no archive")

    with pytest.raises(ModelRefusedError, match="export the model again"):
        trees_of(file.read_bytes(), file)


def test_a_booster_of_another_kind_is_refused() -> None:
    rng = np.random.default_rng(800)
    vectors = some_vectors(rng, 100, used=8, missing=0.2)

    with pytest.raises(SetupError, match="only gbtree"):
        explain_arrays(a_booster(rng, vectors, 2, booster="dart"))
