"""Checks of the gate that look at a candidate alone: its files, its signature, its speed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha.features.manifest import manifest_hash
from fanzha.policy.load import DEFAULT_POLICY
from fanzha.registry.latency import row_cost_us
from fanzha.registry.model_folder import ModelFolder, check_signature
from fanzha.signing.keys import TrustedKeys
from fanzha_training.calibrate import Calibration
from fanzha_training.dataset import Dataset
from fanzha_training.evaluate import iso_time
from fanzha_training.golden import TOLERANCE, check_parity, load_golden
from fanzha_training.onnx_graph import open_graph, run_graph
from fanzha_training.points import points_of
from fanzha_training.published import GRAPH_FILE, TYPOLOGY_GRAPH_FILE, read_manifest
from fanzha_training.thresholds import decision_points, reached

BUDGET_US: Final = 1_000
"""What a model may take for one transfer, in microseconds of processor time; the service's own."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What a candidate has to meet whatever the champion is like."""

    keys: TrustedKeys
    """Whose signatures count."""
    policy: Path = DEFAULT_POLICY
    """At whose thresholds decisions must agree."""
    budget_us: int = BUDGET_US


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate."""

    name: str
    passed: bool
    candidate: float | str
    champion: float | str | None
    limit: str


def feature_hash(found: str) -> Check:
    """Check that the candidate was trained on this code's features."""
    own = manifest_hash()
    return Check("feature hash", found == own, found, own, "must be equal")


def own_checks(model: ModelFolder, dataset: Dataset, demands: Demands) -> list[Check]:
    """Return all checks of a candidate whose files are whole and whose features fit."""
    return [
        _signature(model, demands.keys),
        _parity(model.folder),
        _decisions(model.folder, demands.policy),
        _latency(model.folder, demands.budget_us),
        _newest(model.folder, dataset),
    ]


def _signature(model: ModelFolder, keys: TrustedKeys) -> Check:
    limit = "by a trusted key, over the SHA-256 of all files"
    try:
        return Check("signature", True, check_signature(model, keys), None, limit)
    except SetupError as error:
        return Check("signature", False, str(error), None, limit)


def _parity(folder: Path) -> Check:
    golden = load_golden(folder)
    try:
        worst = check_parity(_graph(folder, GRAPH_FILE), golden.vectors, golden.margins)
        if golden.types.shape[1]:
            types = _graph(folder, TYPOLOGY_GRAPH_FILE)
            worst = max(worst, check_parity(types, golden.vectors, golden.types))
    except SetupError as error:
        return Check("parity with XGBoost", False, str(error), None, f"at most {TOLERANCE:g}")
    return Check("parity with XGBoost", True, worst, None, f"at most {TOLERANCE:g}")


def _graph(folder: Path, name: str) -> ort.InferenceSession:
    return open_graph((folder / name).read_bytes(), folder / name)


def _decisions(folder: Path, policy: Path) -> Check:
    """Check that no golden row is decided otherwise with ONNX's margin than with XGBoost's."""
    golden = load_golden(folder)
    victim = read_manifest(folder).trained["heads"][Head.VICTIM]
    calibration = Calibration(**victim["calibration"])
    thresholds = decision_points(policy)
    points = points_of(calibration.log_odds(golden.margins[:, 0]))
    margins = run_graph(_graph(folder, GRAPH_FILE), golden.vectors)[:, 0]
    served = points_of(calibration.log_odds(margins))
    different = int((reached(points, thresholds) != reached(served, thresholds)).sum())
    nearest = ", ".join(f"{x}: {int(np.abs(points - x).min())}" for x in thresholds.tolist())
    return Check(
        "golden rows decided otherwise",
        different == 0,
        different,
        None,
        f"none of {len(points)}; points between a threshold and the nearest row: {nearest}",
    )


def _latency(folder: Path, budget_us: int) -> Check:
    vectors = load_golden(folder).vectors
    session = _graph(folder, GRAPH_FILE)
    rows = [vectors[at : at + 1] for at in range(len(vectors))]
    cost_us = row_cost_us(lambda row: run_graph(session, row), rows, budget_us)
    return Check(
        "microseconds for one transfer",
        cost_us <= budget_us,
        round(cost_us, 1),
        None,
        f"at most {budget_us}, of processor time",
    )


def _newest(folder: Path, dataset: Dataset) -> Check:
    """Check that the candidate is not measured on older knowledge than it learned from."""
    learned_ms = int(read_manifest(folder).trained["data"]["as_of_ms"])
    known_ms = dataset.meta.as_of_ms
    return Check(
        "newest outcomes known",
        known_ms >= learned_ms,
        iso_time(known_ms),
        None,
        f"not before {iso_time(learned_ms)}, what the candidate learned from",
    )
