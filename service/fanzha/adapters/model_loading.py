"""Loads a model that passed every check: files, signature, features, margins, speed."""

from io import BytesIO
from pathlib import Path

import numpy as np

from fanzha.adapters.onnx_model import GOLDEN_FILE, OnnxModel
from fanzha.domain.errors import ModelRefusedError
from fanzha.registry.latency import row_cost_us
from fanzha.registry.model_folder import ModelFolder, check_signature, read_model_folder
from fanzha.signing.keys import TrustedKeys


def load_model(
    folder: Path,
    keys: TrustedKeys,
    budget_us: int,
    *,
    manifest_sha256: str | None = None,
    number: int | None = None,
) -> OnnxModel:
    """Return a model that may be served.

    Args:
        folder: the model's folder.
        keys: the trusted keys.
        budget_us: what one row may cost, in microseconds of processor time.
        manifest_sha256: of the manifest that people spoke of; None: nobody did yet.
        number: of the statement that first named the model; None: none did yet.

    Raises:
        ModelRefusedError: it may not be served; says why.
    """
    found = read_model_folder(folder)
    if manifest_sha256 is not None and found.manifest_sha256 != manifest_sha256:
        raise ModelRefusedError(
            f"{folder} holds another model than the one that the registry's statements are about; "
            "restore the folder, or publish the other model under another version"
        )
    check_signature(found, keys, number)
    model = OnnxModel(found)
    try:
        cost_us = golden_cost_us(model, found, budget_us)
    except Exception as error:
        raise ModelRefusedError(
            f"{found.label} cannot score its golden rows: {error!r}; export the model again"
        ) from error
    if cost_us > budget_us:
        raise ModelRefusedError(
            f"{found.label} takes {cost_us:,.0f} µs for one transfer, more than the budget of "
            f"{budget_us:,} µs; train fewer or smaller trees, or raise FANZHA_MODEL_BUDGET_US"
        )
    return model


def golden_cost_us(model: OnnxModel, found: ModelFolder, budget_us: int) -> float:
    """Return what one golden row costs a model, in microseconds of processor time."""
    with np.load(BytesIO(found.files[GOLDEN_FILE]), allow_pickle=False) as golden:
        rows = golden["vectors"].astype(np.float32)
    return row_cost_us(model.score, rows, budget_us)
