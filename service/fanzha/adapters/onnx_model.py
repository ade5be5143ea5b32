"""One model: ONNX graphs that give raw margins, checked before they are used."""

import math
import threading
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from fanzha.adapters.model_manifest import check_features, fraud_types_of, heads_of, manifest_of
from fanzha.domain.decision import FraudTypeGuess, Reason, Score
from fanzha.domain.errors import ModelRefusedError
from fanzha.domain.model import Head, ModelManifest
from fanzha.explain.explainer import Explainer
from fanzha.explain.texts import ReasonTexts, load_reason_texts
from fanzha.explain.trees import trees_file, trees_of
from fanzha.features.manifest import FEATURE_NAMES
from fanzha.pipeline.score import head_score
from fanzha.registry.model_folder import MANIFEST_FILE, ModelFolder

GRAPH_FILE = "model.onnx"
TYPOLOGY_FILE = "typology.onnx"
GOLDEN_FILE = "golden.npz"

MARGIN_TOLERANCE = 1e-5
CONTRIBUTION_TOLERANCE = 1e-3
"""XGBoost adds contributions up in float32."""

# A bank's scorer tells nobody but the bank what it does.
ort.disable_telemetry_events()


@dataclass(frozen=True, slots=True)
class _Row:
    """Where a thread's vector is put, and where ONNX Runtime puts its margins.

    Bound once: handing an array over and getting a new one cost 2 us a call.
    """

    vector: npt.NDArray[np.float32]
    margins: npt.NDArray[np.float32]
    binding: ort.IOBinding


class OnnxModel:
    """Meets the port `Model`. One thread, no spinning: called inline by the worker's threads."""

    def __init__(self, model: ModelFolder) -> None:
        """Load and check a model, from what was read of its folder and from nothing else.

        Args:
            model: with model.onnx, golden.npz, manifest and the arrays of trees.

        Raises:
            ModelRefusedError: a file is missing or corrupt, the features are not this service's,
                or the graph does not give the margins of the golden rows within 1e-5.
        """
        folder = model.folder
        self.manifest = manifest_of(model.manifest, folder / MANIFEST_FILE)
        _check_files(model, self.manifest)
        check_features(folder, self.manifest)
        self._input = self.manifest.input_name
        self._outputs = [self.manifest.output_name]
        self._label = self.manifest.label
        self._heads = heads_of(folder, self.manifest)
        self._calibrations = tuple(
            (each.calibration_slope, each.calibration_intercept) for each in self._heads
        )
        columns = {each.head: column for column, each in enumerate(self._heads)}
        self._payee_mule = columns.get(Head.PAYEE_MULE)
        self._payer_mule = columns.get(Head.PAYER_MULE)
        self._rows = threading.local()
        self._fraud_types = fraud_types_of(folder, self.manifest)
        self._session = _session(model, GRAPH_FILE)
        self._typology = _session(model, TYPOLOGY_FILE) if self._fraud_types else None
        texts = _texts()
        self._explainers = {
            each.head: Explainer(_trees(model, trees_file(each.head)), texts)
            for each in self._heads
        }
        self._check_golden(folder, model.files[GOLDEN_FILE])

    def margins(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the raw margins, float32 (rows, heads), of vectors float32 (rows, features)."""
        (margins,) = self._session.run(self._outputs, {self._input: vectors})
        result: npt.NDArray[np.float32] = margins
        return result

    def score(self, vector: npt.NDArray[np.float32]) -> Score:
        """Return the score of one vector, float32 (features,)."""
        return self._score(self._margins_of(vector))

    def scores(self, vectors: npt.NDArray[np.float32]) -> list[Score]:
        """Return the scores of vectors, float32 (rows, features)."""
        if len(vectors) == 1:
            return [self.score(vectors[0])]
        return [self._score(margins) for margins in self.margins(vectors).tolist()]

    def _margins_of(self, vector: npt.NDArray[np.float32]) -> list[float]:
        try:
            row = self._rows.row
        except AttributeError:
            row = self._rows.row = self._row()
        row.vector[0] = vector
        self._session.run_with_iobinding(row.binding)
        margins: list[float] = row.margins[0].tolist()
        return margins

    def _row(self) -> _Row:
        """Return a vector's place and its margins' place, bound to the session: for one thread."""
        vector = np.empty((1, len(FEATURE_NAMES)), np.float32)
        margins = np.empty((1, len(self._heads)), np.float32)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input, ort.OrtValue.ortvalue_from_numpy(vector))
        binding.bind_ortvalue_output(*self._outputs, ort.OrtValue.ortvalue_from_numpy(margins))
        return _Row(vector, margins, binding)

    def _score(self, margins: list[float]) -> Score:
        scores = [
            head_score(margin, slope, intercept)
            for margin, (slope, intercept) in zip(margins, self._calibrations, strict=True)
        ]
        victim, payee, payer = scores[0], self._payee_mule, self._payer_mule
        return Score(
            victim.margin,
            victim.probability,
            victim.points,
            self._label,
            payee_mule=None if payee is None else scores[payee],
            payer_mule=None if payer is None else scores[payer],
        )

    def reasons(self, vector: npt.NDArray[np.float32], head: Head) -> tuple[Reason, ...]:
        """Return what the score of a head rests on, the weightiest first, at most five."""
        explainer = self._explainers.get(head)
        return () if explainer is None else explainer.reasons(vector)

    def fraud_types(self, vector: npt.NDArray[np.float32]) -> tuple[FraudTypeGuess, ...]:
        """Return the types that a fraud with this vector, float32 (features,), may be of.

        The likeliest first; probabilities add up to 1 over all that the model knows. Empty when it
        knows none, or when what it gives is no number.
        """
        if self._typology is None:
            return ()
        (margins,) = self._typology.run(self._outputs, {self._input: vector[np.newaxis, :]})
        shown = margins[0].astype(np.float64)
        if not np.isfinite(shown).all():
            return ()
        grown = np.exp(shown - shown.max())
        likely = (grown / grown.sum()).tolist()
        guesses = [
            FraudTypeGuess(kind, probability)
            for kind, probability in zip(self._fraud_types, likely, strict=True)
        ]
        return tuple(sorted(guesses, key=lambda guess: (-guess.probability, guess.fraud_type)))

    def _check_golden(self, folder: Path, content: bytes) -> None:
        try:
            with np.load(BytesIO(content), allow_pickle=False) as golden:
                vectors = golden["vectors"].astype(np.float32)
                rows, heads = len(vectors), len(self._heads)
                worst = max(
                    (
                        _worst(found, golden["margins"], (rows, heads))
                        for found in (self.margins(vectors), self._one_by_one(vectors))
                    ),
                    key=_badness,
                )
                if self._typology is not None:
                    (types,) = self._typology.run(self._outputs, {self._input: vectors})
                    shape = (rows, len(self._fraud_types))
                    worst = max(worst, _worst(types, golden["types"], shape), key=_badness)
                unexplained = self._unexplained(vectors, golden["contributions"])
        except Exception as error:
            raise ModelRefusedError(
                f"{folder}: the golden rows cannot be scored ({error}); export the model again"
            ) from error
        if not worst <= MARGIN_TOLERANCE:
            raise ModelRefusedError(
                f"{folder}: the graph does not give the margins of the golden rows within "
                f"{MARGIN_TOLERANCE}; export the model again with this onnxruntime"
            )
        if not unexplained <= CONTRIBUTION_TOLERANCE:
            raise ModelRefusedError(
                f"{folder}: the arrays of trees do not explain the golden rows as XGBoost does "
                f"(by up to {unexplained:.3g}, allowed: {CONTRIBUTION_TOLERANCE:g}); export the "
                "model again"
            )

    def _one_by_one(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the margins of vectors as transfers get them that come alone."""
        return np.array([self._margins_of(vector) for vector in vectors], np.float32)

    def _unexplained(
        self, vectors: npt.NDArray[np.float32], expected: npt.NDArray[np.float64]
    ) -> float:
        """Return the largest difference of a contribution from XGBoost's own."""
        shape = (len(self._heads), len(expected[0]), len(FEATURE_NAMES) + 1)
        if expected.shape != shape or not 0 < shape[1] <= len(vectors):
            raise ValueError(f"contributions are of shape {expected.shape}")
        worst = 0.0
        for each, rows in zip(self._heads, expected, strict=True):
            for vector, row in zip(vectors, rows, strict=False):
                found, bias = self._explainers[each.head].contributions(vector)
                difference = float(np.abs(np.append(found, bias) - row).max())
                worst = difference if not difference <= worst else worst
        return worst


def _worst(
    found: npt.NDArray[np.float32], expected: npt.NDArray[np.float64], shape: tuple[int, int]
) -> float:
    """Return the largest difference, NaN where one is no number."""
    if found.shape != shape or expected.shape != shape or not shape[0]:
        raise ValueError(
            f"margins are of shape {found.shape}, golden {expected.shape}, not {shape}"
        )
    return float(np.abs(found - expected).max())


def _badness(difference: float) -> float:
    return math.inf if math.isnan(difference) else difference


@cache
def _texts() -> ReasonTexts:
    return load_reason_texts()


def _trees(model: ModelFolder, name: str) -> dict[str, npt.NDArray[Any]]:
    return trees_of(model.files[name], model.folder / name)


def _session(model: ModelFolder, name: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(model.files[name], options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelRefusedError(f"{model.folder / name} cannot be loaded: {error}") from error


def _check_files(model: ModelFolder, manifest: ModelManifest) -> None:
    needed = [GRAPH_FILE, GOLDEN_FILE, *(trees_file(each.head) for each in manifest.heads)]
    needed += [TYPOLOGY_FILE] if manifest.fraud_types else []
    missing = [name for name in needed if name not in model.files]
    if missing:
        raise ModelRefusedError(
            f"the manifest in {model.folder} does not name {', '.join(missing)}; export the model "
            "again"
        )
