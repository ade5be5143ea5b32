"""A model ready to score vectors, whether it was only trained or is already exported."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import SetupError
from fanzha.features.manifest import manifest_hash
from fanzha_training.calibrate import Calibration
from fanzha_training.onnx_graph import open_graph, run_graph
from fanzha_training.published import GRAPH_FILE, MANIFEST_FILE, read_manifest
from fanzha_training.train import margins
from fanzha_training.trained import RECORD_FILE, load_trained


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model and what is known of its training."""

    label: str
    """`name/version` of an exported model, the folder's name of a trained one."""
    margins: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]
    """Gives the margins of vectors float32 (rows, features)."""
    calibration: Calibration
    cut_ms: int
    """Time from which on transfers were not learned from, milliseconds since 1970 UTC."""


def load_scorer(folder: Path) -> Scorer:
    """Load a trained or an exported model.

    Raises:
        SetupError: the folder holds neither, is damaged, or has other features than this code.

    """
    if (folder / MANIFEST_FILE).exists():
        return _exported(folder)
    if (folder / RECORD_FILE).exists():
        trained = load_trained(folder)
        return Scorer(
            folder.name, partial(margins, trained.booster), trained.calibration, trained.cut_ms
        )
    raise SetupError(
        f"{folder} holds neither {RECORD_FILE} nor {MANIFEST_FILE}; give a folder that "
        "fanzha-training train or export wrote"
    )


def _exported(folder: Path) -> Scorer:
    manifest = read_manifest(folder)
    if manifest.feature_hash != manifest_hash():
        raise SetupError(
            f"{manifest.label} was trained with features {manifest.feature_hash}, this code has "
            f"{manifest_hash()}; it cannot score this code's vectors: train a new model"
        )
    session = open_graph((folder / GRAPH_FILE).read_bytes(), folder / GRAPH_FILE)
    calibration = Calibration(**manifest.trained["calibration"])
    return Scorer(
        manifest.label,
        partial(run_graph, session),
        calibration,
        int(manifest.trained["times"]["cut_ms"]),
    )
