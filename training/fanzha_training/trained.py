"""The folder of a trained model that is not yet exported.

`victim.ubj` and its like are XGBoost's own files, one for each head and one for the types of fraud,
`sample.npy` the vectors that the export is proved with, `reference.json` what drift is measured
against, `training.json` says how to train it again, `provenance.json` who trained it, where and
when, and `evaluation.json`, once it was evaluated, how good it is.
"""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha.features.manifest import FEATURE_NAMES, manifest_hash
from fanzha_training.atomic import published_folder, replaced_file
from fanzha_training.calibrate import Calibration
from fanzha_training.drift.reference import REFERENCE_FILE, reference_text
from fanzha_training.provenance import PROVENANCE_FILE, Provenance, read_provenance
from fanzha_training.train import Trained, TrainedHead

TYPOLOGY_FILE: Final = "typology.ubj"
SAMPLE_FILE: Final = "sample.npy"
RECORD_FILE: Final = "training.json"
EVALUATION_FILE: Final = "evaluation.json"

_LIBRARIES: Final = ("xgboost-cpu", "numpy", "polars", "pyarrow")


def booster_file(head: Head) -> str:
    """Return the name of the file of a head's trees."""
    return f"{head.value}.ubj"


@dataclass(frozen=True, slots=True)
class TrainedFolder:
    """What lies in the folder of a trained model."""

    heads: dict[Head, TrainedHead]
    """In the order of `Head`; VICTIM is always there."""
    typology: xgb.Booster | None
    fraud_types: tuple[str, ...]
    """Words of the types that the typology knows, in the order of its outputs."""
    sample: npt.NDArray[np.float32]
    record: dict[str, Any]
    evaluation: dict[str, Any] | None

    @property
    def victim(self) -> TrainedHead:
        """The head that every model has."""
        return self.heads[Head.VICTIM]

    @property
    def cut_ms(self) -> int:
        """Time from which on transfers were not learned from, milliseconds since 1970 UTC."""
        return int(self.record["times"]["cut_ms"])

    @property
    def booster_files(self) -> tuple[str, ...]:
        """Names of the files that hold trees."""
        heads = tuple(booster_file(head) for head in self.heads)
        return heads if self.typology is None else (*heads, TYPOLOGY_FILE)


def sha256_of(file: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_text(value: object) -> str:
    """Return JSON as it stands in files: sorted, indented, with a line end; the same every time."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def save_trained(folder: Path, trained: Trained, made: Provenance) -> None:
    """Write the folder in one step.

    Args:
        folder: where to.
        trained: the model.
        made: who trained it, where and when.

    Raises:
        SetupError: it exists already, or cannot be written.

    """
    record = trained.record | {
        "feature_hash": manifest_hash(),
        "feature_names": list(FEATURE_NAMES),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "platform": f"Python {platform.python_version()}, {platform.machine()}",
    }
    with published_folder(folder) as draft:
        for head, parts in trained.heads.items():
            parts.booster.save_model(draft / booster_file(head))
        if trained.typology is not None:
            trained.typology.booster.save_model(draft / TYPOLOGY_FILE)
        np.save(draft / SAMPLE_FILE, trained.sample)
        text = reference_text(trained.reference)
        (draft / REFERENCE_FILE).write_text(text, encoding="utf-8")
        files = sorted(file.name for file in draft.iterdir())
        record["files_sha256"] = {name: sha256_of(draft / name) for name in files}
        (draft / RECORD_FILE).write_text(json_text(record), encoding="utf-8")
        (draft / PROVENANCE_FILE).write_text(json_text(asdict(made)), encoding="utf-8")


def save_evaluation(folder: Path, evaluation: dict[str, Any]) -> None:
    """Keep the evaluation beside the model, for its card."""
    with replaced_file(folder / EVALUATION_FILE) as draft:
        draft.write_text(json_text(evaluation), encoding="utf-8")


def load_trained(folder: Path) -> TrainedFolder:
    """Read a trained model.

    Raises:
        SetupError: a file is missing or damaged, or the model has other features than this code.

    """
    remedy = "give the folder that fanzha-training train wrote, or train again"
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        feature_hash, hashes = record["feature_hash"], record["files_sha256"]
        # Before they are read: XGBoost does not survive every damaged file.
        for name, expected in hashes.items():
            if sha256_of(folder / name) != expected:
                raise SetupError(f"{folder / name} is damaged: its SHA-256 differs; {remedy}")
        sample = np.load(folder / SAMPLE_FILE, allow_pickle=False)
        kept = folder / EVALUATION_FILE
        evaluation = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise SetupError(f"{folder} holds no trained model: {error!r}; {remedy}") from error
    if feature_hash != manifest_hash():
        raise SetupError(
            f"{folder} was trained with features {feature_hash}, this code has {manifest_hash()}; "
            "train again"
        )
    record["made"] = read_provenance(folder)
    heads = {
        head: TrainedHead(
            _booster(folder / booster_file(head)),
            Calibration(**record["heads"][head.value]["calibration"]),
        )
        for head in Head
        if head.value in record["heads"]
    }
    typology, fraud_types = None, ()
    if record["typology"] is not None:
        typology = _booster(folder / TYPOLOGY_FILE)
        fraud_types = tuple(record["typology"]["fraud_types"])
    return TrainedFolder(heads, typology, fraud_types, sample, record, evaluation)


def _booster(file: Path) -> xgb.Booster:
    booster = xgb.Booster()
    booster.load_model(file)
    return booster
