"""Arrays that are no trees are refused, whatever is wrong with them."""

from typing import Any

import numpy as np
import pytest

from fanzha.domain.errors import ModelRefusedError
from fanzha.explain.explainer import Explainer
from fanzha.explain.texts import load_reason_texts
from fanzha.explain.trees import LAYOUT, check_trees
from fanzha.features.manifest import FEATURES

TEXTS = load_reason_texts()
COLUMNS = {
    "feature": [0, 1, 0, 0, 0, 2, 0, 0],
    "threshold": [0.5, 0.1, 0, 0, 0, 1.0, 0, 0],
    "default_left": [True, False, False, False, False, True, False, False],
    "left": [1, 3, -1, -1, -1, 6, -1, -1],
    "cover": [10, 6, 4, 5, 1, 10, 2, 8],
    "value": [0, 0, 1, -1, 2, 0, 0.5, -0.5],
    "root": [0, 5],
    "base_margin": -3.0,
}


def arrays(**changed: Any) -> dict[str, Any]:
    """Return two small trees, some columns changed."""
    return {name: np.array(value, LAYOUT[name][0]) for name, value in (COLUMNS | changed).items()}


def with_one(name: str, place: int, value: float) -> dict[str, Any]:
    """Return them with one entry changed."""
    found = arrays()
    found[name][place] = value
    return found


def test_sound_trees_are_taken() -> None:
    found, bias = Explainer(arrays(), TEXTS).contributions(np.zeros(len(FEATURES), np.float32))

    # By hand: the first tree's mean is 0.6 × (5 × −1 + 1 × 2) / 6 + 0.4 × 1, the second's −0.3.
    assert bias == pytest.approx(-3.0 + 0.1 - 0.3)
    assert found.sum() + bias == pytest.approx(-3.0 - 1.0 + 0.5)


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        ({name: value for name, value in arrays().items() if name != "cover"}, "cover is missing"),
        (arrays() | {"left": arrays()["left"].astype(np.int64)}, "left is int64"),
        (arrays() | {"base_margin": np.zeros(1, np.float32)}, "base_margin is float32 of 1"),
        (arrays(value=[0, 0, 1]), "differ in length"),
        (with_one("value", 2, np.nan), "value holds what is no number"),
        (with_one("value", 2, np.inf), "value holds what is no number"),
        (with_one("threshold", 0, np.nan), "threshold holds what is no number"),
        (arrays(base_margin=np.inf), "base_margin holds what is no number"),
        (arrays(root=[]), "root is not the rising places"),
        (arrays(root=[1, 5]), "root is not the rising places"),
        (arrays(root=[0, 0]), "root is not the rising places"),
        (arrays(root=[0, 8]), "root is not the rising places"),
        (with_one("left", 0, 3), "children do not follow"),
        (with_one("left", 1, 1), "children do not follow"),
        (with_one("left", 1, 1000), "children do not follow"),
        (with_one("left", 1, -2), "children do not follow"),
        (with_one("left", 1, -1), "nodes without a parent"),
        (with_one("left", 2, 5), "children do not follow|nodes without a parent"),
        (with_one("feature", 0, len(FEATURES)), "outside of"),
        (with_one("feature", 0, -1), "outside of"),
        (with_one("cover", 2, -1), "cover is below 0"),
        (with_one("cover", 1, 0), "cover is below 0"),
    ],
)
def test_others_are_refused(broken: dict[str, Any], cause: str) -> None:
    with pytest.raises(ModelRefusedError, match=cause):
        check_trees(broken)


def test_a_vector_of_another_length_is_a_mistake() -> None:
    explainer = Explainer(arrays(), TEXTS)

    with pytest.raises(ValueError, match="is not one of features"):
        explainer.contributions(np.zeros(3, np.float32))


def test_vectors_that_may_not_be_written_are_read() -> None:
    explainer = Explainer(arrays(), TEXTS)
    vector = np.zeros(len(FEATURES), np.float32)
    frozen = np.frombuffer(vector.tobytes(), np.float32)

    assert (explainer.contributions(frozen)[0] == explainer.contributions(vector)[0]).all()
