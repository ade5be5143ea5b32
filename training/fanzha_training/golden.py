"""Golden rows: vectors with the margins that XGBoost gives them, which every copy must give too.

Training proves the export with them, and the service checks itself with them whenever it loads the
model.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import xgboost as xgb

from fanzha.domain.errors import ModelRefusedError
from fanzha_training.augment import OUTAGES
from fanzha_training.grow import margins
from fanzha_training.matrix import THREADS
from fanzha_training.onnx_graph import run_graph, split_conditions

TOLERANCE: Final = 1e-5
"""Largest difference of a margin between XGBoost and ONNX Runtime, which add up in float32."""

GOLDEN_FILE: Final = "golden.npz"

_OUTAGE_ROWS = 16
_EXPLAINED_ROWS = 24
_THRESHOLDS = 48

Vectors = npt.NDArray[np.float32]
Margins = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Golden:
    """Golden rows of a model."""

    vectors: Vectors
    """float32 (rows, features)."""
    margins: Margins
    """XGBoost's margins, float64 (rows, heads)."""
    types: Margins
    """XGBoost's margins of the types of fraud, float64 (rows, types); no column without them."""
    contributions: npt.NDArray[np.float64]
    """XGBoost's own contributions to the margins of the first rows, and the bias last, float64
    (heads, rows, features + 1)."""


def golden_of(
    heads: Sequence[xgb.Booster], typology: xgb.Booster | None, sample: Vectors, seed: int
) -> Golden:
    """Return golden rows.

    They are the sample, some of it with history missing, one row of nothing but NaN, and rows with
    one feature on a split's threshold, just below it and just above it.
    """
    randomness = np.random.default_rng(seed)
    boosters = [*heads, *([] if typology is None else [typology])]
    rows = [sample]
    for outage in OUTAGES:
        degraded = sample[:_OUTAGE_ROWS].copy()
        degraded[:, outage] = np.nan
        rows.append(degraded)
    rows.append(np.full((1, sample.shape[1]), np.nan, np.float32))
    rows += [_on_thresholds(booster, sample, randomness) for booster in boosters]
    vectors = np.concatenate(rows)
    types = np.empty((len(vectors), 0)) if typology is None else margins(typology, vectors)
    return Golden(
        vectors=vectors,
        margins=np.stack([margins(head, vectors) for head in heads], axis=1),
        types=types,
        contributions=np.stack([_contributions(head, vectors[:_EXPLAINED_ROWS]) for head in heads]),
    )


def _contributions(booster: xgb.Booster, vectors: Vectors) -> npt.NDArray[np.float64]:
    matrix = xgb.DMatrix(vectors, missing=np.nan, nthread=THREADS)
    booster.set_param({"nthread": THREADS})
    found: npt.NDArray[np.float64] = booster.predict(matrix, pred_contribs=True).astype(np.float64)
    return found


def _on_thresholds(
    booster: xgb.Booster, sample: Vectors, randomness: np.random.Generator
) -> Vectors:
    splits = split_conditions(booster)
    below, above = np.float32(-np.inf), np.float32(np.inf)
    rows = [np.empty((0, sample.shape[1]), np.float32)]
    for position in randomness.permutation(len(splits))[:_THRESHOLDS]:
        feature, threshold = splits[position]
        near = sample[randomness.integers(len(sample), size=3)].copy()
        near[:, feature] = (
            np.nextafter(threshold, below),
            threshold,
            np.nextafter(threshold, above),
        )
        rows.append(near)
    return np.concatenate(rows)


def check_parity(session: ort.InferenceSession, vectors: Vectors, expected: Margins) -> float:
    """Return the largest difference of margins, over rows run alone and rows run together.

    Args:
        session: the graph.
        vectors: float32 (rows, features).
        expected: float64 (rows, outputs of the graph).

    Raises:
        ModelRefusedError: it exceeds TOLERANCE, or a margin is no number.

    """
    together = run_graph(session, vectors)
    alone = np.concatenate([run_graph(session, row[np.newaxis]) for row in vectors])
    difference = np.maximum(np.abs(together - expected), np.abs(alone - expected)).max(axis=1)
    worst = float(difference.max())
    if not worst <= TOLERANCE:
        wrong = int((~(difference <= TOLERANCE)).sum())
        raise ModelRefusedError(
            f"ONNX Runtime and XGBoost disagree on {wrong} of {len(vectors)} golden rows, by up to "
            f"{worst:.3g} (allowed: {TOLERANCE:g}); nothing is published: compare the versions of "
            "xgboost and onnxruntime with those of the last good export"
        )
    return worst


def save_golden(folder: Path, golden: Golden) -> None:
    """Write `golden.npz`; numpy stamps no time into it, so the bytes are the same every time."""
    np.savez(folder / GOLDEN_FILE, allow_pickle=False, **asdict(golden))


def load_golden(folder: Path) -> Golden:
    """Read `golden.npz`.

    Raises:
        ModelRefusedError: it is missing or damaged.

    """
    try:
        with np.load(folder / GOLDEN_FILE, allow_pickle=False) as stored:
            return Golden(**{each.name: stored[each.name] for each in fields(Golden)})
    except Exception as error:  # A damaged archive fails in many ways, none of them documented.
        raise ModelRefusedError(
            f"{folder / GOLDEN_FILE} cannot be read: {error!r}; export the model again"
        ) from error
