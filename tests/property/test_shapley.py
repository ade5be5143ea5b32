"""The kernel against Shapley's own definition: all coalitions, in exact fractions."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import factorial, isnan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanzha.explain.explainer import Explainer, gauss_legendre
from fanzha.explain.texts import load_reason_texts
from fanzha.explain.trees import LAYOUT
from fanzha.features.manifest import FEATURES

TEXTS = load_reason_texts()
THRESHOLDS = (-1.5, -0.25, 0.0, 0.1, 2.0)
VALUES = (float("nan"), float("inf"), -3.0, -1.5, -0.25, 0.0, 0.05, 0.1, 1.0, 2.0, 5.0)


@dataclass
class Columns:
    """Arrays of trees while they grow, level by level."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in LAYOUT})

    def add(
        self, feature: int, threshold: float, *, default: bool, cover: float, value: float
    ) -> None:
        row = {
            "feature": feature, "threshold": threshold, "default_left": default, "left": -1,
            "cover": cover, "value": value,
        }  # fmt: skip
        for name, entry in row.items():
            self.columns[name].append(entry)

    def arrays(self, base_margin: float) -> dict[str, Any]:
        made = {
            name: np.array(self.columns[name], kind)
            for name, (kind, dims) in LAYOUT.items()
            if dims
        }
        return made | {"base_margin": np.array(base_margin, np.float32)}


@st.composite
def forests(draw: st.DrawFn, features: int = 4, depth: int = 4) -> dict[str, Any]:
    """Draw one to three trees; covers of children need not add up, and leaves may have none."""
    grown = Columns()
    for _ in range(draw(st.integers(1, 3))):
        grown.columns["root"].append(len(grown.columns["left"]))
        waiting = [(0, 0)]
        grown.add(0, 0.0, default=False, cover=draw(st.floats(0.5, 100, width=32)), value=0.0)
        position = grown.columns["root"][-1]
        while waiting:
            level, _ = waiting.pop(0)
            splits = level < depth and draw(st.booleans())
            if splits:
                grown.columns["feature"][position] = draw(st.integers(0, features - 1))
                grown.columns["threshold"][position] = draw(st.sampled_from(THRESHOLDS))
                grown.columns["default_left"][position] = draw(st.booleans())
                grown.columns["left"][position] = len(grown.columns["left"])
                for _ in range(2):
                    cover = draw(st.floats(0.25, 50, width=32))
                    grown.add(0, 0.0, default=False, cover=cover, value=0.0)
                    waiting.append((level + 1, 0))
            else:
                grown.columns["value"][position] = draw(st.floats(-3, 3, width=32))
                if level:
                    grown.columns["cover"][position] *= draw(st.sampled_from((0.0, 1.0, 1.0)))
            position += 1
    return grown.arrays(draw(st.floats(-5, 5, width=32)))


def worth(arrays: dict[str, Any], vector: np.ndarray, coalition: frozenset[int]) -> Fraction:
    """Return the mean margin when only a coalition's features are looked at."""

    def below(node: int) -> Fraction:
        left = int(arrays["left"][node])
        if left < 0:
            return Fraction(float(arrays["value"][node]))
        feature = int(arrays["feature"][node])
        if feature in coalition:
            x = vector[feature]
            goes_left = (
                bool(arrays["default_left"][node]) if isnan(x) else x < arrays["threshold"][node]
            )
            return below(left if goes_left else left + 1)
        covers = [Fraction(float(arrays["cover"][place])) for place in (node, left, left + 1)]
        return (covers[1] * below(left) + covers[2] * below(left + 1)) / covers[0]

    base = Fraction(float(arrays["base_margin"]))
    return base + sum((below(int(root)) for root in arrays["root"]), Fraction(0))


def shapley(arrays: dict[str, Any], vector: np.ndarray) -> dict[int, Fraction]:
    """Return each feature's mean gain over all orders in which features can come to be known."""
    players = sorted(set(arrays["feature"][arrays["left"] >= 0].tolist()))
    count = len(players)
    subsets = [
        frozenset(members) for size in range(count + 1) for members in combinations(players, size)
    ]
    worths = {subset: worth(arrays, vector, subset) for subset in subsets}
    return {
        player: sum(
            (
                Fraction(
                    factorial(len(subset)) * factorial(count - len(subset) - 1), factorial(count)
                )
                * (worths[subset | {player}] - worths[subset])
                for subset in subsets
                if player not in subset
            ),
            Fraction(0),
        )
        for player in players
    }


def assert_exact(arrays: dict[str, Any], vector: np.ndarray) -> None:
    """Compare the kernel with the definition, to float64's own precision."""
    found, bias = Explainer(arrays, TEXTS).contributions(vector)
    expected = shapley(arrays, vector)
    largest = 1 + sum(abs(float(value)) for value in arrays["value"])
    # Covers of a drawn tree may grow from level to level, and the numbers with them.
    shares = max(
        [1.0]
        + [
            float(arrays["cover"][child] / arrays["cover"][node])
            for node in np.flatnonzero(arrays["left"] >= 0)
            for child in (arrays["left"][node], arrays["left"][node] + 1)
        ]
    )
    tolerance = 1e-13 * largest * shares**6

    for feature, value in enumerate(found.tolist()):
        assert abs(value - float(expected.get(feature, Fraction(0)))) <= tolerance
    assert abs(bias - float(worth(arrays, vector, frozenset()))) <= tolerance
    everybody = worth(arrays, vector, frozenset(expected))
    assert abs(found.sum() + bias - float(everybody)) <= tolerance * len(FEATURES)


@settings(max_examples=150, deadline=None)
@given(forests(), st.lists(st.sampled_from(VALUES), min_size=4, max_size=4))
def test_the_kernel_gives_what_the_definition_says(
    arrays: dict[str, Any], values: list[float]
) -> None:
    vector = np.full(len(FEATURES), np.nan, np.float32)
    vector[:4] = values

    assert_exact(arrays, vector)


@pytest.mark.parametrize("features", [8, 9, 11])
def test_paths_of_many_different_features(features: int) -> None:
    """From nine on, the rule of four points is not exact any more."""
    rng = np.random.default_rng(features)
    grown = Columns()
    grown.columns["root"].append(0)
    cover = 1000.0
    grown.add(0, 0.0, default=True, cover=cover, value=0.0)
    node = 0
    for feature in range(features):
        grown.columns["feature"][node] = feature
        grown.columns["left"][node] = len(grown.columns["left"])
        share = float(rng.uniform(0.3, 0.9))
        grown.add(0, 0.0, default=False, cover=cover * (1 - share), value=float(rng.normal()))
        cover *= share
        grown.add(0, 0.0, default=False, cover=cover, value=0.0)
        node = len(grown.columns["left"]) - 1
    grown.columns["value"][node] = 2.0
    vector = np.full(len(FEATURES), np.nan, np.float32)
    vector[:features] = rng.normal(0.5, 1, features)

    assert_exact(grown.arrays(-1.0), vector)


@pytest.mark.parametrize("degree", [0, 1, 7, 8, 9, 16, 17, 40])
def test_the_rule_is_exact_for_weights_of_shapley(degree: int) -> None:
    """∫ tˢ (1 − t)^(d − 1 − s) dt = s! (d − 1 − s)! / d!."""
    points, weights = gauss_legendre(degree)

    for size in range(degree):
        sums = float((weights * points**size * (1 - points) ** (degree - 1 - size)).sum())
        exact = Fraction(factorial(size) * factorial(degree - 1 - size), factorial(degree))
        assert sums == pytest.approx(float(exact), rel=1e-9)
    assert points.shape[0] == max(1, -(-degree // 8))
