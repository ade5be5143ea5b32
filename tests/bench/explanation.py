"""What the reasons of an answer that is not ALLOW cost: contributions, and their texts.

The shipped champion is one case; 500 trees of depth 8, grown here on noise, the largest that one
would serve.
"""

from pathlib import Path

import numpy as np
import xgboost as xgb
from tests.bench.machine import Spread, seconds_of, spread

from fanzha.explain.explainer import Explainer
from fanzha.explain.texts import load_reason_texts
from fanzha.features.manifest import FEATURES
from fanzha_training.golden import load_golden
from fanzha_training.tree_arrays import explain_arrays

ROUNDS = 9
LARGE_TREES, LARGE_DEPTH, LARGE_ROWS = 500, 8, 20_000


def measure(model: Path) -> dict[str, Spread]:
    """Return microseconds a vector, and the nodes of both boosters."""
    vectors = load_golden(model).vectors
    texts = load_reason_texts()
    champion = explain_arrays(xgb.Booster(model_file=model / "victim.ubj"))
    large = explain_arrays(a_large_booster())
    explainer, large_explainer = Explainer(champion, texts), Explainer(large, texts)
    steps = {
        "contributions": lambda: [explainer.contributions(vector) for vector in vectors],
        "reasons": lambda: [explainer.reasons(vector) for vector in vectors],
        "contributions_500x8": lambda: [
            large_explainer.contributions(vector) for vector in vectors
        ],
    }
    for work in steps.values():
        work()
    rounds = [{name: seconds_of(work) for name, work in steps.items()} for _ in range(ROUNDS)]
    sizes = {"contributions_nodes": champion, "contributions_500x8_nodes": large}
    return {
        f"{name}_us": spread([1e6 * seconds[name] / len(vectors) for seconds in rounds])
        for name in steps
    } | {name: spread([float(len(arrays["left"]))]) for name, arrays in sizes.items()}


def a_large_booster() -> xgb.Booster:
    """Return a booster that grew as far as its depth allows for, on 30 columns of noise."""
    rng = np.random.default_rng(8)
    vectors = rng.normal(size=(LARGE_ROWS, len(FEATURES))).astype(np.float32)
    vectors[rng.random(vectors.shape) < 0.3] = np.nan
    label = np.nan_to_num(vectors[:, :30]).sum(axis=1) + rng.normal(size=LARGE_ROWS) > 1
    parameters = {
        "objective": "binary:logistic", "max_depth": LARGE_DEPTH, "max_bin": 64, "nthread": 1,
    }  # fmt: skip
    return xgb.train(parameters, xgb.DMatrix(vectors, label=label), LARGE_TREES)
