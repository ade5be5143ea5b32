"""What a model says of itself, read and checked: its manifest."""

import json
from pathlib import Path
from typing import Any

import msgspec

from fanzha.domain.errors import ModelRefusedError
from fanzha.domain.model import Head, HeadManifest, ModelManifest
from fanzha.domain.vocabulary import FraudType, words_of
from fanzha.features.manifest import FEATURE_NAMES, manifest_hash

_CALIBRATION_MAX = 1e3
"""Beyond this no model is calibrated; also keeps NaN and infinity out."""


def heads_of(folder: Path, manifest: ModelManifest) -> tuple[HeadManifest, ...]:
    """Return the questions that a model answers, in the order of its graph's columns.

    Raises:
        ModelRefusedError: they cannot be served, or a calibration makes no probability.
    """
    heads = manifest.heads
    named = [each.head for each in heads]
    if named[:1] != [Head.VICTIM] or len(set(named)) < len(named):
        raise ModelRefusedError(
            f"{folder} answers {', '.join(named) or 'nothing'}; the first head must be "
            f"{Head.VICTIM}, and each may be there once: export the model again"
        )
    for each in heads:
        slope, intercept = each.calibration_slope, each.calibration_intercept
        if not (0 < slope < _CALIBRATION_MAX and abs(intercept) < _CALIBRATION_MAX):
            raise ModelRefusedError(
                f"{folder}: calibration slope {slope} and intercept {intercept} of {each.head} "
                "make no probability; calibrate and export the model again"
            )
    return heads


def fraud_types_of(folder: Path, manifest: ModelManifest) -> tuple[FraudType, ...]:
    """Return the types of fraud that a model tells, in the order of its graph's columns.

    Raises:
        ModelRefusedError: this service does not know one.
    """
    known = words_of(FraudType)
    unknown = [word for word in manifest.fraud_types if word not in known]
    if unknown:
        raise ModelRefusedError(
            f"{folder} knows types of fraud that this service does not: {', '.join(unknown)}; "
            "train it again with this version"
        )
    return tuple(known[word] for word in manifest.fraud_types)


def manifest_of(content: bytes, path: Path) -> ModelManifest:
    """Return the manifest that was read from a file.

    Raises:
        ModelRefusedError: it is none.
    """
    try:
        data: Any = json.loads(content)
        return msgspec.convert(data, ModelManifest)
    except (ValueError, msgspec.ValidationError) as error:
        raise ModelRefusedError(f"{path} is no model manifest: {error}") from error


def check_features(folder: Path, manifest: ModelManifest) -> None:
    """Hold a model's features against those that the kernel computes.

    Raises:
        ModelRefusedError: they differ.
    """
    if manifest.feature_names != FEATURE_NAMES or manifest.feature_hash != manifest_hash():
        missing = sorted(set(manifest.feature_names) ^ set(FEATURE_NAMES))
        raise ModelRefusedError(
            f"{folder} was trained on other features than this service computes"
            + (f" (differing: {', '.join(missing[:5])})" if missing else "")
            + "; train it again with this version"
        )
