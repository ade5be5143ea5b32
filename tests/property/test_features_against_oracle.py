"""The kernel computes what the reference says, to the last bit, over random lives of accounts.

The oracle (`tests/oracle`) reads the reference in plain Python with exact numbers. Both are told
the same changes; then whole numbers have to be equal and all others at most one float32 apart,
whether the kernel folds the changes itself or reads the oracle's memory.

    ORACLE_EXAMPLES=100000 pytest tests/property/test_features_against_oracle.py

draws other lives each time, so many of either size; without it the same few are drawn every time.
"""

import ast
import os
import random
import sys
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.oracle.features import FEATURES
from tests.oracle.float32 import bits_of, bits_of_float, steps_between
from tests.oracle.records import Request
from tests.oracle_streams import Lives

from fanzha.features.facts import FACTS
from fanzha.features.manifest import FEATURE_NAMES

ORACLE = Path(__file__).parents[1] / "oracle"
FLOATS = st.floats(-(2.0**127), 2.0**127, width=32)
ASKED_FOR = os.environ.get("ORACLE_EXAMPLES")


def examples(usual: int) -> settings:
    return settings(
        max_examples=int(ASKED_FOR or usual),
        derandomize=ASKED_FOR is None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def test_the_oracle_means_every_feature_of_the_manifest_in_order() -> None:
    assert tuple(FEATURES) == FEATURE_NAMES


def test_the_oracle_reads_every_fact() -> None:
    assert tuple(field.name for field in fields(Request)) == FACTS


def test_the_oracle_shares_no_code_with_the_kernel() -> None:
    imported = {
        name
        for path in ORACLE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if not name.startswith("tests.oracle.")
    }

    assert {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names} == {
        "fanzha.domain.vocabulary"
    }


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [str(node.module)] if isinstance(node, ast.ImportFrom) else []


@examples(150)
@given(st.randoms(use_true_random=False))
def test_short_lives(rng: random.Random) -> None:
    lives = Lives(rng)
    for _ in range(rng.randint(0, 12)):
        lives.happen()
    lives.judge()

    assert lives.world.differences() == [], lives.world.story()


@examples(500)
@given(st.integers(0, 2**64))
def test_long_lives_beyond_what_is_remembered(seed: int) -> None:
    rng = random.Random(seed)
    lives = Lives(rng)
    for _ in range(rng.randint(0, 50)):
        (lives.fill if rng.randrange(20) == 0 else lives.happen)()
    lives.judge_all()

    assert lives.world.differences() == [], lives.world.story()


@examples(100)
@given(FLOATS)
def test_rounding_gives_back_every_float32(value: float) -> None:
    assert bits_of(Fraction(value)) == bits_of_float(abs(value) if value == 0 else value)


@examples(100)
@given(st.integers(-(2**63), 2**63 - 1))
def test_rounding_of_whole_numbers_is_that_of_float32(number: int) -> None:
    # NumPy converts int64 to float32 directly, with one rounding.
    assert bits_of(Fraction(number)) == bits_of_float(float(np.int64(number).astype(np.float32)))


@examples(100)
@given(FLOATS, st.booleans())
def test_rounding_of_halves_goes_to_even(value: float, above: bool) -> None:  # noqa: FBT001
    after = float(np.nextafter(np.float32(value), np.float32(np.inf)))
    half = (Fraction(value) + Fraction(after)) / 2
    rounded = bits_of(half)

    assert rounded % 2 == 0
    assert steps_between(rounded, bits_of_float(value)) <= 1
    least = Fraction(1, 2**200)
    nearest = bits_of(half + least) if above else bits_of(half - least)
    assert steps_between(nearest, bits_of_float(after if above else value)) == 0
