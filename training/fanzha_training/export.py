"""Publishes a trained model: ONNX graph, booster, golden rows, manifest and card, or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from re import fullmatch
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import xgboost as xgb
from onnx import ModelProto

from fanzha.domain.errors import SetupError
from fanzha.domain.model import HeadManifest, ModelManifest
from fanzha.explain.trees import trees_file
from fanzha.features.manifest import FEATURE_NAMES, manifest_hash
from fanzha.policy.load import DEFAULT_POLICY
from fanzha.registry.model_folder import sign_model
from fanzha.signing.keys import Signer
from fanzha_training.atomic import published_folder
from fanzha_training.card import card_text
from fanzha_training.drift.reference import REFERENCE_FILE
from fanzha_training.golden import check_parity, golden_of, save_golden
from fanzha_training.onnx_graph import GRAPH_NAME, INPUT_NAME, OUTPUT_NAME, open_graph, to_onnx
from fanzha_training.published import (
    CARD_FILE,
    GRAPH_FILE,
    MANIFEST_FILE,
    TYPOLOGY_GRAPH_FILE,
)
from fanzha_training.thresholds import decision_points, margins_at
from fanzha_training.trained import TrainedFolder, json_text, load_trained, sha256_of
from fanzha_training.tree_arrays import explain_arrays, save_trees

Convert = Callable[[Sequence[xgb.Booster]], ModelProto]


def export(
    model: Path,
    models: Path,
    name: str,
    version: str,
    *,
    command: str,
    convert: Convert = to_onnx,
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
        convert: turns boosters into a graph.
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
    boosters = [head.booster for head in trained.heads.values()]
    limits = margins_at(decision_points(policy), trained.victim.calibration)
    seed = int(trained.record["seed"])
    golden = golden_of(boosters, trained.typology, trained.sample, seed, limits)
    graph = _graph(convert, boosters, golden.vectors, golden.margins)
    worst = graph.worst_difference
    with published_folder(models / name / version) as draft:
        (draft / GRAPH_FILE).write_bytes(graph.content)
        if trained.typology is not None:
            types = _graph(convert, [trained.typology], golden.vectors, golden.types)
            worst = max(worst, types.worst_difference)
            (draft / TYPOLOGY_GRAPH_FILE).write_bytes(types.content)
        for file in (*trained.booster_files, REFERENCE_FILE):
            (draft / file).write_bytes((model / file).read_bytes())
        for head, parts in trained.heads.items():
            save_trees(draft / trees_file(head), explain_arrays(parts.booster))
        save_golden(draft, golden)
        manifest = _manifest(trained, name, version, command, draft)
        (draft / MANIFEST_FILE).write_text(json_text(asdict(manifest)), encoding="utf-8")
        (draft / CARD_FILE).write_text(card_text(manifest, boosters[0]), encoding="utf-8")
        if signer is not None:
            sign_model(draft, signer)
    return {
        "version": manifest.label,
        "folder": str(models / name / version),
        "heads": [head.value for head in trained.heads],
        "heads_left_out": trained.record["heads_left_out"],
        "fraud_types": list(trained.fraud_types),
        "golden_rows": len(golden.vectors),
        "worst_difference": worst,
        "graph_bytes": len(graph.content),
        "graph_sha256": manifest.files_sha256[GRAPH_FILE],
        "evaluated": bool(manifest.metrics),
        "signed_by": signer.name if signer is not None else None,
    }


@dataclass(frozen=True, slots=True)
class _Graph:
    content: bytes
    worst_difference: float
    """Of its margins from XGBoost's."""


def _graph(
    convert: Convert,
    boosters: Sequence[xgb.Booster],
    vectors: npt.NDArray[np.float32],
    expected: npt.NDArray[np.float64],
) -> _Graph:
    content = convert(boosters).SerializeToString(deterministic=True)
    return _Graph(content, check_parity(open_graph(content, GRAPH_FILE), vectors, expected))


def _manifest(
    trained: TrainedFolder, name: str, version: str, command: str, folder: Path
) -> ModelManifest:
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
        heads=tuple(
            HeadManifest(head, parts.calibration.slope, parts.calibration.intercept)
            for head, parts in trained.heads.items()
        ),
        fraud_types=trained.fraud_types,
        files_sha256={file.name: sha256_of(file) for file in sorted(folder.iterdir())},
        trained=record
        | {"libraries": libraries, "graph_name": GRAPH_NAME, "export_command": command},
        metrics=trained.evaluation or {},
    )
