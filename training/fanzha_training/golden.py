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
_CROSSED_PAIRS = 16
_NEAR_LIMIT_ROWS = 4
"""On each side of each limit."""

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
    heads: Sequence[xgb.Booster],
    typology: xgb.Booster | None,
    sample: Vectors,
    seed: int,
    limits: Margins,
) -> Golden:
    """Return golden rows.

    They are the sample, some of it with history missing, one row of nothing but NaN, rows with one
    feature on a split's threshold, just below it and just above it, and rows whose margins lie just
    below and just above the limits at which decisions change.

    Args:
        heads: in the order of the graph's columns, the victim's first.
        typology: the types of fraud.
        sample: vectors of real transfers.
        seed: for what is chosen by chance.
        limits: margins of the first head at which decisions change.

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
    rows.append(_near_limits(heads[0], sample, limits, randomness))
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


def _near_limits(
    booster: xgb.Booster, sample: Vectors, limits: Margins, randomness: np.random.Generator
) -> Vectors:
    """Return the rows nearest to each limit on either side, of the sample and of crosses of it.

    A cross takes its first features from a row with a high margin and the others from one with a
    low: on the way from one to the other, margins pass the limits in small steps.
    """
    order = np.argsort(margins(booster, sample), kind="stable")
    pairs = min(_CROSSED_PAIRS, len(sample) // 2)
    cut = len(sample) - pairs
    low, high = sample[order[:cut]], sample[order[cut:]]
    taken = np.tri(sample.shape[1], dtype=np.bool_)
    others = low[randomness.integers(len(low), size=pairs)]
    crosses = np.where(taken, high[:, np.newaxis], others[:, np.newaxis])
    all_rows = np.concatenate([sample, crosses.reshape(-1, sample.shape[1])])
    found = margins(booster, all_rows)
    chosen: list[int] = []
    for limit in limits:
        for side in (found < limit, found >= limit):
            rows = np.flatnonzero(side)
            nearest = rows[np.argsort(np.abs(found[rows] - limit), kind="stable")]
            chosen += nearest[:_NEAR_LIMIT_ROWS].tolist()
    return all_rows[np.unique(np.array(chosen, np.int64))]


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
