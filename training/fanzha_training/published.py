"""The folder of an exported model, `<models>/<name>/<version>`, as the service loads it."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Final

from fanzha.domain.errors import ModelRefusedError
from fanzha.domain.model import ModelManifest
from fanzha_training.golden import GOLDEN_FILE
from fanzha_training.trained import BOOSTER_FILE, sha256_of

GRAPH_FILE: Final = "model.onnx"
MANIFEST_FILE: Final = "manifest.json"
CARD_FILE: Final = "card.md"

HASHED_FILES: Final = (GRAPH_FILE, BOOSTER_FILE, GOLDEN_FILE)


def read_manifest(folder: Path) -> ModelManifest:
    """Read `manifest.json` and check that the files beside it are those that it names.

    Raises:
        ModelRefusedError: a file is missing, damaged or was exchanged.

    """
    file = folder / MANIFEST_FILE
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        known = {field.name for field in fields(ModelManifest)}
        manifest = ModelManifest(**{name: stored[name] for name in known if name in stored})
    except (OSError, ValueError, TypeError) as error:
        raise ModelRefusedError(
            f"{file} cannot be used: {error}; give the folder <models>/<name>/<version> that "
            "fanzha-training export wrote"
        ) from error
    # Models of before there were references have none.
    for name in {*HASHED_FILES, *manifest.files_sha256}:
        expected = manifest.files_sha256.get(name)
        if not (folder / name).is_file() or sha256_of(folder / name) != expected:
            raise ModelRefusedError(
                f"{folder / name} is not the file that {MANIFEST_FILE} names; restore the folder "
                "or export the model again"
            )
    return manifest
