"""Publishes a trained model: ONNX graph, booster, golden rows, manifest and card, or nothing."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from re import fullmatch
from typing import Any

import onnx
import onnxruntime
import xgboost as xgb
from onnx import ModelProto

from fanzha.domain.errors import SetupError
from fanzha.domain.model import ModelManifest
from fanzha.features.manifest import FEATURE_NAMES, manifest_hash
from fanzha.policy.load import DEFAULT_POLICY
from fanzha.registry.keys import Signer
from fanzha.registry.model_folder import sign_model
from fanzha_training.atomic import published_folder
from fanzha_training.card import card_text
from fanzha_training.golden import check_parity, golden_rows, save_golden
from fanzha_training.onnx_graph import GRAPH_NAME, INPUT_NAME, OUTPUT_NAME, open_graph, to_onnx
from fanzha_training.published import (
    CARD_FILE,
    GRAPH_FILE,
    HASHED_FILES,
    MANIFEST_FILE,
)
from fanzha_training.thresholds import decision_points, margins_at
from fanzha_training.trained import (
    BOOSTER_FILE,
    TrainedFolder,
    json_text,
    load_trained,
    sha256_of,
)


def export(
    model: Path,
    models: Path,
    name: str,
    version: str,
    *,
    command: str,
    convert: Callable[[xgb.Booster], ModelProto] = to_onnx,
    signer: Signer | None = None,
    policy: Path = DEFAULT_POLICY,
) -> dict[str, Any]:
    """Write `<models>/<name>/<version>` in one step and return a summary.

    Args:
        model: folder of the trained model.
        models: folder of all exported models.
        name: name of the model, letters, digits and ._-, at most 64.
        version: its version, of the same form.
        command: the command line, for the manifest.
        convert: turns the booster into a graph.
        signer: signs the model; None: it stays unsigned, and no service will load it.
        policy: at whose thresholds golden rows are to lie.

    Raises:
        SetupError: a name is unfit, the trained model is damaged, or the version exists already.
        ModelRefusedError: graph and booster disagree; nothing is published.

    """
    for part, what in ((name, "--name"), (version, "--version")):
        if not fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", part):
            raise SetupError(
                f"{what} is {part!r}; use 1 to 64 letters, digits and ._-, a letter or digit first"
            )
    trained = load_trained(model)
    graph = convert(trained.booster).SerializeToString(deterministic=True)
    seed = int(trained.record["seed"])
    limits = margins_at(decision_points(policy), trained.calibration)
    vectors, expected = golden_rows(trained.booster, trained.sample, seed, limits)
    worst = check_parity(open_graph(graph, GRAPH_FILE), vectors, expected)
    with published_folder(models / name / version) as draft:
        (draft / GRAPH_FILE).write_bytes(graph)
        (draft / BOOSTER_FILE).write_bytes((model / BOOSTER_FILE).read_bytes())
        save_golden(draft, vectors, expected)
        manifest = _manifest(trained, name, version, command, draft)
        (draft / MANIFEST_FILE).write_text(json_text(asdict(manifest)), encoding="utf-8")
        (draft / CARD_FILE).write_text(card_text(manifest, trained.booster), encoding="utf-8")
        if signer is not None:
            sign_model(draft, signer)
    return {
        "version": manifest.label,
        "folder": str(models / name / version),
        "golden_rows": len(vectors),
        "worst_difference": worst,
        "graph_bytes": len(graph),
        "graph_sha256": manifest.files_sha256[GRAPH_FILE],
        "evaluated": bool(manifest.metrics),
        "signed_by": signer.name if signer is not None else None,
    }


def _manifest(
    trained: TrainedFolder, name: str, version: str, command: str, folder: Path
) -> ModelManifest:
    calibration = trained.calibration
    elsewhere = {"feature_names", "feature_hash", "files_sha256"}
    record = {key: value for key, value in trained.record.items() if key not in elsewhere}
    libraries = record["libraries"] | {
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
    return ModelManifest(
        name=name,
        version=version,
        feature_names=FEATURE_NAMES,
        feature_hash=manifest_hash(),
        input_name=INPUT_NAME,
        output_name=OUTPUT_NAME,
        calibration_slope=calibration.slope,
        calibration_intercept=calibration.intercept,
        files_sha256={file: sha256_of(folder / file) for file in HASHED_FILES},
        trained=record
        | {"libraries": libraries, "graph_name": GRAPH_NAME, "export_command": command},
        metrics=trained.evaluation or {},
    )
