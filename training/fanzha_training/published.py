"""The folder of an exported model, `<models>/<name>/<version>`, as the service loads it."""

from pathlib import Path
from typing import Final

import msgspec

from fanzha.domain.errors import ModelRefusedError
from fanzha.domain.model import ModelManifest
from fanzha_training.trained import sha256_of

GRAPH_FILE: Final = "model.onnx"
TYPOLOGY_GRAPH_FILE: Final = "typology.onnx"
MANIFEST_FILE: Final = "manifest.json"
CARD_FILE: Final = "card.md"


def read_manifest(folder: Path) -> ModelManifest:
    """Read `manifest.json` and check that the files beside it are those that it names.

    Raises:
        ModelRefusedError: a file is missing, damaged or was exchanged.

    """
    file = folder / MANIFEST_FILE
    try:
        manifest = msgspec.json.decode(file.read_bytes(), type=ModelManifest)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise ModelRefusedError(
            f"{file} cannot be used: {error}; give the folder <models>/<name>/<version> that "
            "fanzha-training export wrote"
        ) from error
    for name, expected in manifest.files_sha256.items():
        if not (folder / name).is_file() or sha256_of(folder / name) != expected:
            raise ModelRefusedError(
                f"{folder / name} is not the file that {MANIFEST_FILE} names; restore the folder "
                "or export the model again"
            )
    return manifest
