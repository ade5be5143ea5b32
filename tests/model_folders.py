"""Folders of models for tests: the shipped ones, signed again by a test's own people."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from tests.people import a_person

from fanzha.features.manifest import FEATURE_INDEX
from fanzha.registry.changes import Registrar
from fanzha.registry.model_folder import read_model_folder, sign_model
from fanzha.registry.registry_file import read_history
from fanzha.registry.standing import Standing, standing_of
from fanzha.signing.keys import Signer, read_trusted

SHIPPED = Path(__file__).parents[1] / "models"
NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)


def standing(models: Path) -> Standing:
    """Return what the registry of a folder says."""
    return standing_of(read_history(models), read_trusted(models / "keys"))


def champion_folder(models: Path) -> Path:
    """Return the folder of the champion."""
    return models / standing(models).champion_label


def a_model(models: Path, version: str, signer: Signer | None, *, of: int = -1) -> Path:
    """Put a shipped model, the newest or another one, there as `fraud/<version>`."""
    source = sorted((SHIPPED / "fraud").iterdir())[of]
    folder = models / "fraud" / version
    shutil.copytree(source, folder)
    (folder / "signature.json").unlink()
    change_manifest(folder, signer, version=version)
    return folder


def change_manifest(folder: Path, signer: Signer | None, **changes: Any) -> None:
    """Change a model's manifest, which then names the files that lie there, and sign it."""
    file = folder / "manifest.json"
    stored = json.loads(file.read_text()) | changes
    stored["files_sha256"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in stored["files_sha256"]
    }
    file.write_text(json.dumps(stored))
    if signer is not None:
        sign_model(folder, signer)


def make_slow(folder: Path, signer: Signer) -> None:
    """Have a model multiply large matrices before it gives the same margins as before."""
    model = onnx.load(folder / "model.onnx")
    width, graph = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value, model.graph
    name, margin = graph.input[0].name, graph.output[0].name
    graph.node[-1].output[0] = "fast"
    for tensor, array in (
        ("first", np.zeros((width, 1000), np.float32)),
        ("more", np.zeros((1000, 1000), np.float32)),
        ("last", np.zeros((1000, 1), np.float32)),
        ("zero", np.zeros(1, np.float32)),
    ):
        graph.initializer.append(numpy_helper.from_array(array, tensor))
    nodes = [
        onnx.helper.make_node("IsNaN", [name], ["unknown"]),
        onnx.helper.make_node("Where", ["unknown", "zero", name], ["h0"]),
        onnx.helper.make_node("MatMul", ["h0", "first"], ["h1"]),
        *(onnx.helper.make_node("MatMul", [f"h{n}", "more"], [f"h{n + 1}"]) for n in range(1, 60)),
        onnx.helper.make_node("MatMul", ["h60", "last"], ["slow"]),
        onnx.helper.make_node("Add", ["fast", "slow"], [margin]),
    ]
    graph.node.extend(nodes)
    onnx.save(model, folder / "model.onnx")
    change_manifest(folder, signer)


def make_fail_above(folder: Path, signer: Signer, amount_minor: int) -> None:
    """Have a model fail for amounts beyond all golden ones; below, it gives the same as before."""
    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    name, margin = graph.input[0].name, graph.output[0].name
    graph.node[-1].output[0] = "good"
    for tensor, array in (
        ("first", np.array([FEATURE_INDEX["amount_minor"]], np.int64)),
        ("limit", np.array([amount_minor], np.float32)),
        ("one_zero", np.zeros(1, np.float32)),
    ):
        graph.initializer.append(numpy_helper.from_array(array, tensor))
    graph.node.extend(
        [
            onnx.helper.make_node("Gather", [name, "first"], ["amount"], axis=1),
            onnx.helper.make_node("Greater", ["amount", "limit"], ["beyond"]),
            onnx.helper.make_node("Cast", ["beyond"], ["place"], to=onnx.TensorProto.INT64),
            # Place 1 of a tensor with one element: the runtime refuses it.
            onnx.helper.make_node("Gather", ["one_zero", "place"], ["nothing"]),
            onnx.helper.make_node("Add", ["good", "nothing"], [margin]),
        ]
    )
    onnx.save(model, folder / "model.onnx")
    change_manifest(folder, signer)


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank's folder of models, and its people: a pipeline that signs, and two who decide."""

    models: Path
    private: Path
    pipeline: Signer
    anna: Signer
    bo: Signer

    @property
    def keys(self) -> Path:
        """Folder of the trusted keys."""
        return self.models / "keys"

    def says(self, who: Signer) -> Registrar:
        """Return a person at the registry."""
        return Registrar(self.models, read_trusted(self.keys), who, NOW)

    def promote(self, label: str) -> None:
        """Have Anna propose and Bo approve."""
        self.says(self.anna).propose(label, self.gate_report(label))
        self.says(self.bo).approve(label)

    def gate_report(self, label: str, **changes: Any) -> Path:
        """Write the report of a gate that a model passed against the present champion."""
        now = standing(self.models)
        report = {
            "candidate": label,
            "champion": now.champion_label or None,
            "passed": True,
            "checks": [{"name": "signature", "passed": True, "candidate": "pipeline",
                        "champion": None, "limit": "by a trusted key"}],
            "margins": {"value_detection": 0.02},
            "manifest_sha256": read_model_folder(self.models / label).manifest_sha256,
            "champion_manifest_sha256": now.champion.manifest_sha256 if now.champion else None,
            "data_fingerprint": "f" * 32,
        }  # fmt: skip
        file = self.private / "gate.json"
        file.write_text(json.dumps(report | changes))
        return file


def a_bank(folder: Path) -> Bank:
    """Return a bank with the models fraud/1 (the champion) and fraud/2 (a candidate)."""
    models, private = folder / "models", folder / "private"
    people = {
        name: a_person(name, private, models / "keys", is_machine=name == "pipeline")
        for name in ("pipeline", "anna", "bo")
    }
    a_model(models, "1", people["pipeline"], of=0)
    a_model(models, "2", people["pipeline"], of=1)
    bank = Bank(models, private, **people)
    bank.promote("fraud/1")
    return bank
