"""A model ready to score vectors, whether it was only trained or is already exported."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha.domain.vocabulary import FraudType, words_of
from fanzha.features.manifest import manifest_hash
from fanzha_training.calibrate import Calibration
from fanzha_training.grow import margins
from fanzha_training.onnx_graph import open_graph, run_graph
from fanzha_training.published import (
    GRAPH_FILE,
    MANIFEST_FILE,
    TYPOLOGY_GRAPH_FILE,
    read_manifest,
)
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


def load_scorer(folder: Path, head: Head = Head.VICTIM) -> Scorer:
    """Load one head of a trained or an exported model.

    Raises:
        SetupError: the folder holds neither, is damaged, has other features than this code, or the
            model has no such head.

    """
    scorers = load_scorers(folder)
    if head not in scorers:
        raise SetupError(
            f"{folder} has no head {head.value}: too little was known of mules when it was trained"
        )
    return scorers[head]


def load_scorers(folder: Path) -> dict[Head, Scorer]:
    """Load all heads of a trained or an exported model.

    Raises:
        SetupError: the folder holds neither, is damaged, or has other features than this code.

    """
    if (folder / MANIFEST_FILE).exists():
        return _exported(folder)
    if (folder / RECORD_FILE).exists():
        trained = load_trained(folder)
        return {
            head: Scorer(
                folder.name, partial(margins, parts.booster), parts.calibration, trained.cut_ms
            )
            for head, parts in trained.heads.items()
        }
    raise SetupError(
        f"{folder} holds neither {RECORD_FILE} nor {MANIFEST_FILE}; give a folder that "
        "fanzha-training train or export wrote"
    )


def _exported(folder: Path) -> dict[Head, Scorer]:
    manifest = read_manifest(folder)
    if manifest.feature_hash != manifest_hash():
        raise SetupError(
            f"{manifest.label} was trained with features {manifest.feature_hash}, this code has "
            f"{manifest_hash()}; it cannot score this code's vectors: train a new model"
        )
    session = open_graph((folder / GRAPH_FILE).read_bytes(), folder / GRAPH_FILE)
    cut_ms = int(manifest.trained["times"]["cut_ms"])
    return {
        each.head: Scorer(
            manifest.label,
            partial(_column, session, column),
            Calibration(**manifest.trained["heads"][each.head]["calibration"]),
            cut_ms,
        )
        for column, each in enumerate(manifest.heads)
    }


def _column(
    session: ort.InferenceSession, column: int, vectors: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    return run_graph(session, vectors)[:, column]


@dataclass(frozen=True, slots=True)
class TypeScorer:
    """A model of the types of fraud."""

    fraud_types: tuple[FraudType, ...]
    margins: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]
    """Gives the margins, float64 (rows, types), of vectors float32 (rows, features)."""

    def probabilities(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return how probable each type is if the transfer is fraud, float64 (rows, types)."""
        margins = self.margins(vectors)
        grown: npt.NDArray[np.float64] = np.exp(margins - margins.max(axis=1, keepdims=True))
        likely: npt.NDArray[np.float64] = grown / grown.sum(axis=1, keepdims=True)
        return likely


def load_type_scorer(folder: Path) -> TypeScorer | None:
    """Load the typology of a trained or an exported model; None when it has none.

    Raises:
        SetupError: the folder holds no model, is damaged, or has other features than this code.

    """
    if (folder / MANIFEST_FILE).exists():
        manifest = read_manifest(folder)
        if not manifest.fraud_types:
            return None
        file = folder / TYPOLOGY_GRAPH_FILE
        session = open_graph(file.read_bytes(), file)
        return TypeScorer(_types(manifest.fraud_types), partial(run_graph, session))
    trained = load_trained(folder)
    if trained.typology is None:
        return None
    return TypeScorer(_types(trained.fraud_types), partial(margins, trained.typology))


def _types(words: tuple[str, ...]) -> tuple[FraudType, ...]:
    known = words_of(FraudType)
    return tuple(known[word] for word in words)
