"""One model: an ONNX graph that gives the raw margin, checked before it is used."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from fanzha.domain.decision import Score
from fanzha.domain.errors import ModelRefusedError
from fanzha.domain.model import ModelManifest
from fanzha.features.manifest import FEATURE_NAMES, manifest_hash
from fanzha.pipeline.score import score_of_margin

MARGIN_TOLERANCE = 1e-5
_CALIBRATION_MAX = 1e3
"""Beyond this no model is calibrated; also keeps NaN and infinity out."""

# A bank's scorer tells nobody but the bank what it does.
ort.disable_telemetry_events()


class OnnxModel:
    """Meets the port `Model`. One thread, no spinning: called inline by the worker's threads."""

    def __init__(self, folder: Path) -> None:
        """Load and check a model.

        Args:
            folder: holds model.onnx, golden.npz and manifest.json.

        Raises:
            ModelRefusedError: a file is missing or corrupt, the features are not this service's,
                or the graph does not give the margins of the golden rows within 1e-5.
        """
        self.manifest = read_manifest(folder)
        _check_files(folder, self.manifest)
        _check_features(folder, self.manifest)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelRefusedError(f"{folder / 'model.onnx'} cannot be loaded: {error}") from error
        self._input = self.manifest.input_name
        self._outputs = [self.manifest.output_name]
        self._slope = self.manifest.calibration_slope
        self._intercept = self.manifest.calibration_intercept
        self._label = self.manifest.label
        if not (0 < self._slope < _CALIBRATION_MAX and abs(self._intercept) < _CALIBRATION_MAX):
            raise ModelRefusedError(
                f"{folder}: calibration slope {self._slope} and intercept {self._intercept} make "
                "no probability; calibrate and export the model again"
            )
        self._check_golden(folder)

    def margins(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the raw margins, float32 (rows,), of vectors float32 (rows, features)."""
        (margins,) = self._session.run(self._outputs, {self._input: vectors})
        result: npt.NDArray[np.float32] = margins.ravel()
        return result

    def score(self, vector: npt.NDArray[np.float32]) -> Score:
        """Return the score of one vector, float32 (features,)."""
        margin = float(self.margins(vector[np.newaxis, :])[0])
        return score_of_margin(margin, self._slope, self._intercept, self._label)

    def _check_golden(self, folder: Path) -> None:
        try:
            # The file is opened here: of a damaged one numpy would leave it open.
            with (
                (folder / "golden.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as golden,
            ):
                vectors, margins = golden["vectors"], golden["margins"]
            differences = np.abs(self.margins(vectors.astype(np.float32)) - margins)
        except Exception as error:
            raise ModelRefusedError(
                f"{folder}: the golden rows cannot be scored ({error}); export the model again"
            ) from error
        if len(differences) == 0 or not float(differences.max()) <= MARGIN_TOLERANCE:
            raise ModelRefusedError(
                f"{folder}: the graph does not give the margins of the golden rows within "
                f"{MARGIN_TOLERANCE}; export the model again with this onnxruntime"
            )


def read_manifest(folder: Path) -> ModelManifest:
    """Return a model's manifest.

    Raises:
        ModelRefusedError: missing, or not a manifest.
    """
    path = folder / "manifest.json"
    try:
        data: Any = json.loads(path.read_bytes())
        return msgspec.convert(data, ModelManifest)
    except OSError as error:
        raise ModelRefusedError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, msgspec.ValidationError) as error:
        raise ModelRefusedError(f"{path} is no model manifest: {error}") from error


def _check_files(folder: Path, manifest: ModelManifest) -> None:
    for name in ("model.onnx", "golden.npz"):
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise ModelRefusedError(f"cannot read {folder / name}: {error.strerror}") from error
        if found != manifest.files_sha256.get(name):
            raise ModelRefusedError(
                f"{folder / name} is not the file that the manifest names (SHA-256 differs); "
                "copy the model again"
            )


def _check_features(folder: Path, manifest: ModelManifest) -> None:
    if manifest.feature_names != FEATURE_NAMES or manifest.feature_hash != manifest_hash():
        missing = sorted(set(manifest.feature_names) ^ set(FEATURE_NAMES))
        raise ModelRefusedError(
            f"{folder} was trained on other features than this service computes"
            + (f" (differing: {', '.join(missing[:5])})" if missing else "")
            + "; train it again with this version"
        )
