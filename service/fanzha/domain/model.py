"""What comes with a model file, written by training and checked by the service at load."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Head(StrEnum):
    """The questions that a model answers about a transfer, each with a score of its own."""

    VICTIM = "victim"
    """Is the payer being deceived?"""
    PAYEE_MULE = "payee_mule"
    """Is the payee's account a mule's?"""
    PAYER_MULE = "payer_mule"
    """Is the payer's account a mule's?"""


@dataclass(frozen=True, slots=True)
class HeadManifest:
    """One head: the calibrated probability is sigmoid(slope × margin + intercept), in float64."""

    head: Head
    calibration_slope: float
    calibration_intercept: float


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """Contents of `manifest.json`.

    `model.onnx` takes `input_name` float32 (rows, features) and gives `output_name` float32 (rows,
    heads): the raw margin of each head. Probabilities hold for the true base rate.

    `typology.onnx`, of the same form, has one column for each of `fraud_types`; the softmax of a
    row says of which type a fraud is. There is none where `fraud_types` is empty.
    """

    name: str
    version: str
    feature_names: tuple[str, ...]
    feature_hash: str
    """`fanzha.features.manifest.manifest_hash` of the code that trained it."""
    input_name: str
    output_name: str
    heads: tuple[HeadManifest, ...]
    """In the order of the graph's columns; VICTIM is the first."""
    fraud_types: tuple[str, ...]
    """Words of `FraudType`."""
    files_sha256: dict[str, str]
    """Hexadecimal SHA-256 of every other file of the folder that the service or training reads."""
    trained: dict[str, Any] = field(default_factory=dict)
    """Command, seed, data fingerprint, times, versions of libraries."""
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and version, as decisions carry it."""
        return f"{self.name}/{self.version}"
