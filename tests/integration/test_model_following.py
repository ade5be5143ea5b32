"""What a worker serves while files change under it: only what people may have wanted, or nothing.

The registry's real follower on real files; `test_models_under_traffic.py` shows the same with real
services.
"""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.model_folders import Bank, a_bank, a_model, change_manifest, make_slow
from tests.people import a_stranger

from fanzha.adapters.model_registry import ModelRegistry
from fanzha.domain.record import ModelRole
from fanzha.registry.model_folder import sign_model

Change = tuple[ModelRole, str, str, str]


class Worker:
    """A follower whose clock a test moves; `changes` is what it was told."""

    def __init__(self, bank: Bank, budget_us: int = 1_000) -> None:
        self.now_s = 0.0
        self.changes: list[Change] = []
        self.registry = ModelRegistry(
            bank.models,
            bank.keys,
            budget_us,
            lambda *change: self.changes.append(change),
            lambda: self.now_s,
        )

    def looks(self) -> tuple[str, str]:
        """Look again, later; return the labels of champion and shadow."""
        self.now_s += 10
        self.registry.refresh()
        served = self.registry.current()
        models = served.champion, served.shadow
        return tuple("" if model is None else model.manifest.label for model in models)  # type: ignore[union-attr,return-value]


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return a_bank(tmp_path)


@pytest.fixture
def worker(bank: Bank) -> Worker:
    worker = Worker(bank)
    assert worker.looks() == ("fraud/1", "")
    return worker


def test_follows_promotion_shadow_and_rollback_and_says_who(bank: Bank, worker: Worker) -> None:
    bank.says(bank.anna).shadow("fraud/2")
    assert worker.looks() == ("fraud/1", "fraud/2")
    bank.promote("fraud/2")
    assert worker.looks() == ("fraud/2", "")
    bank.says(bank.bo).roll_back(None)
    assert worker.looks() == ("fraud/1", "")

    assert worker.registry.refused == ""
    assert worker.changes == [
        ("champion", "", "fraud/1", "statement 2: proposed by anna, approved by bo"),
        ("shadow", "", "fraud/2", "statement 3"),
        ("champion", "fraud/1", "fraud/2", "statement 5: proposed by anna, approved by bo"),
        ("shadow", "fraud/2", "", "statement 5"),
        ("champion", "fraud/2", "fraud/1", "statement 6: rolled back by bo"),
    ]


def test_a_proposal_alone_changes_nothing(bank: Bank, worker: Worker) -> None:
    bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))

    assert worker.looks() == ("fraud/1", "")
    assert len(worker.changes) == 1


def graph_cut(bank: Bank, folder: Path) -> None:
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-100])


def graph_of_noise(bank: Bank, folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"not a graph" * 100)
    change_manifest(folder, bank.pipeline)


def golden_cut(bank: Bank, folder: Path) -> None:
    golden = folder / "golden.npz"
    golden.write_bytes(golden.read_bytes()[: golden.stat().st_size // 2])
    change_manifest(folder, bank.pipeline)


def golden_of_other_margins(bank: Bank, folder: Path) -> None:
    with np.load(folder / "golden.npz") as stored:
        arrays = dict(stored)
    np.savez(folder / "golden.npz", **arrays | {"margins": arrays["margins"] + 1e-4})
    change_manifest(folder, bank.pipeline)


def other_features(bank: Bank, folder: Path) -> None:
    change_manifest(folder, bank.pipeline, feature_hash="0" * 16)


def fewer_features(bank: Bank, folder: Path) -> None:
    names = json.loads((folder / "manifest.json").read_text())["feature_names"]
    change_manifest(folder, bank.pipeline, feature_names=names[:-1])


def no_calibration(bank: Bank, folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    stored = json.loads(text)
    for part in [stored, *stored.get("heads", [])]:
        if "calibration_slope" in part:
            part["calibration_slope"] = float("nan")
    (folder / "manifest.json").write_text(json.dumps(stored))
    sign_model(folder, bank.pipeline)


def fewer_heads(bank: Bank, folder: Path) -> None:
    heads = json.loads((folder / "manifest.json").read_text())["heads"]
    change_manifest(folder, bank.pipeline, heads=heads[:1])


def other_types(bank: Bank, folder: Path) -> None:
    types = json.loads((folder / "manifest.json").read_text())["fraud_types"]
    change_manifest(folder, bank.pipeline, fraud_types=types[:-1])


def types_of_noise(bank: Bank, folder: Path) -> None:
    (folder / "typology.onnx").write_bytes(bytes(range(256)) * 40)
    change_manifest(folder, bank.pipeline)


def explained_by_other_trees(bank: Bank, folder: Path) -> None:
    shutil.copy(folder / "payee_mule.trees.npz", folder / "victim.trees.npz")
    change_manifest(folder, bank.pipeline)


def trees_that_lead_outside(bank: Bank, folder: Path) -> None:
    with np.load(folder / "victim.trees.npz") as stored:
        arrays = dict(stored)
    arrays["feature"] = np.where(arrays["left"] >= 0, np.int32(10_000), arrays["feature"])
    np.savez(folder / "victim.trees.npz", **arrays)
    change_manifest(folder, bank.pipeline)


def slow(bank: Bank, folder: Path) -> None:
    make_slow(folder, bank.pipeline)


def unsigned(bank: Bank, folder: Path) -> None:
    (folder / "signature.json").unlink()


def signed_by_a_stranger(bank: Bank, folder: Path) -> None:
    sign_model(folder, a_stranger("pipeline", bank.private / "eve"))


def manifest_changed(bank: Bank, folder: Path) -> None:
    change_manifest(folder, None, metrics={"better": True})


def exchanged_and_signed(bank: Bank, folder: Path) -> None:
    change_manifest(folder, bank.pipeline, metrics={"better": True})


def gone(bank: Bank, folder: Path) -> None:
    shutil.rmtree(folder)


def half_copied(bank: Bank, folder: Path) -> None:
    (folder / "model.onnx").unlink()


FAULTS: dict[Callable[[Bank, Path], None], str] = {
    graph_cut: "SHA-256",
    graph_of_noise: "cannot be loaded",
    golden_cut: "golden rows",
    golden_of_other_margins: "margins of the golden rows",
    other_features: "trained on other features",
    fewer_features: "trained on other features",
    no_calibration: "",
    fewer_heads: "golden rows",
    other_types: "golden rows",
    types_of_noise: "cannot be loaded",
    explained_by_other_trees: "do not explain",
    trees_that_lead_outside: "not sound",
    slow: "more than the budget of 1,000",
    unsigned: "is not signed",
    signed_by_a_stranger: "does not count",
    manifest_changed: "another model than the one",
    exchanged_and_signed: "another model than the one",
    gone: "cannot be used",
    half_copied: "cannot read",
}
BEFORE_THE_PROPOSAL = {
    graph_of_noise, golden_cut, golden_of_other_margins, other_features, fewer_features,
    no_calibration, fewer_heads, other_types, types_of_noise, explained_by_other_trees,
    trees_that_lead_outside, slow,
}  # fmt: skip
"""Faults of a model that was signed and promoted as it is: only its content gives it away."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_bad_model_never_becomes_champion_and_the_last_good_one_serves(
    bank: Bank, worker: Worker, fault: Callable[[Bank, Path], None]
) -> None:
    served = worker.registry.current().champion
    folder = bank.models / "fraud" / "2"
    if fault in BEFORE_THE_PROPOSAL:
        fault(bank, folder)
        bank.promote("fraud/2")
    else:
        bank.promote("fraud/2")
        fault(bank, folder)

    assert worker.looks() == ("fraud/1", "")
    assert worker.registry.current().champion is served
    assert FAULTS[fault] in worker.registry.refused != ""
    assert len(worker.changes) == 1

    # A worker that starts now has no last good one, and serves none rather than a bad one.
    assert Worker(bank).looks() == ("", "")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_bad_model_never_becomes_shadow_and_the_champion_serves(
    bank: Bank, worker: Worker, fault: Callable[[Bank, Path], None]
) -> None:
    folder = bank.models / "fraud" / "2"
    if fault in BEFORE_THE_PROPOSAL:
        fault(bank, folder)
    bank.says(bank.anna).shadow("fraud/2")
    if fault not in BEFORE_THE_PROPOSAL:
        fault(bank, folder)

    assert worker.looks() == ("fraud/1", "")
    assert FAULTS[fault] in worker.registry.shadow_refused != ""
    assert worker.registry.refused == ""


def test_a_folder_that_is_still_being_copied_is_tried_again(bank: Bank, worker: Worker) -> None:
    bank.promote("fraud/2")
    folder, elsewhere = bank.models / "fraud" / "2", bank.private / "2"
    folder.rename(elsewhere)
    assert worker.looks() == ("fraud/1", "")

    elsewhere.rename(folder)

    assert worker.looks() == ("fraud/2", "")
    assert worker.registry.refused == ""


@pytest.mark.parametrize("bytes_left", [0, 1, 200, -2])
def test_a_half_written_registry_changes_nothing(
    bank: Bank, worker: Worker, bytes_left: int
) -> None:
    bank.promote("fraud/2")
    file = bank.models / "registry.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:bytes_left])
    assert worker.looks() == ("fraud/1", "")
    assert worker.registry.refused

    file.write_bytes(whole)

    assert worker.looks() == ("fraud/2", "")


def test_a_registry_that_names_a_champion_by_hand_changes_nothing(
    bank: Bank, worker: Worker
) -> None:
    file = bank.models / "registry.json"
    stored = json.loads(file.read_text())
    for by_hand in ({**stored, "champion": "fraud/2"}, {"champion": "fraud/2"}, {}, []):
        file.write_text(json.dumps(by_hand))
        assert worker.looks() == ("fraud/1", "")
        assert "no registry" in worker.registry.refused


def test_a_registry_without_the_approval_changes_nothing(bank: Bank, worker: Worker) -> None:
    """The proposal renamed to an approval, or a model's name exchanged: neither is signed."""
    bank.says(bank.anna).propose("fraud/2", bank.gate_report("fraud/2"))
    file = bank.models / "registry.json"
    stored = json.loads(file.read_text())
    stored["statements"][-1]["action"] = "approve"
    file.write_text(json.dumps(stored))

    assert worker.looks() == ("fraud/1", "")
    assert "changed it by hand" in worker.registry.refused


def test_a_registry_that_is_cut_short_does_not_undo_a_rollback(bank: Bank, worker: Worker) -> None:
    bank.promote("fraud/2")
    bad = (bank.models / "registry.json").read_bytes()
    bank.says(bank.bo).roll_back(None)
    assert worker.looks() == ("fraud/1", "")

    (bank.models / "registry.json").write_bytes(bad)

    assert worker.looks() == ("fraud/1", "")
    assert "does not go on" in worker.registry.refused


def test_a_key_that_is_no_longer_trusted_changes_nothing(bank: Bank, worker: Worker) -> None:
    bank.promote("fraud/2")
    key, kept = bank.keys / "bo.pub", bank.private / "bo.pub"
    key.rename(kept.with_suffix(".gone"))
    assert worker.looks() == ("fraud/1", "")
    assert "bo is not trusted" in worker.registry.refused

    kept.with_suffix(".gone").rename(key)

    assert worker.looks() == ("fraud/2", "")


def test_without_registry_or_keys_the_last_good_one_serves(bank: Bank, worker: Worker) -> None:
    shutil.rmtree(bank.keys)
    assert worker.looks() == ("fraud/1", "")
    assert "not trusted" in worker.registry.refused

    shutil.rmtree(bank.models)

    assert worker.looks() == ("fraud/1", "")
    assert "cannot read" in worker.registry.refused


def test_a_bad_champion_does_not_keep_a_good_shadow_away(bank: Bank, worker: Worker) -> None:
    a_model(bank.models, "3", bank.pipeline)
    bank.promote("fraud/3")
    (bank.models / "fraud" / "3" / "signature.json").unlink()
    bank.says(bank.anna).shadow("fraud/2")

    assert worker.looks() == ("fraud/1", "fraud/2")


def test_a_decision_never_sees_two_moments(bank: Bank, worker: Worker) -> None:
    """Whoever reads the models has one pair that was in the registry at some time, never a mix."""
    bank.says(bank.anna).shadow("fraud/2")
    assert worker.looks() == ("fraud/1", "fraud/2")
    seen: set[tuple[str, str]] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            served = worker.registry.current()
            seen.add(
                tuple(  # type: ignore[arg-type]
                    "" if model is None else model.manifest.label  # type: ignore[attr-defined]
                    for model in (served.champion, served.shadow)
                )
            )

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        bank.promote("fraud/2")
        worker.looks()
        bank.says(bank.bo).roll_back("fraud/1")
        worker.looks()
        bank.says(bank.bo).shadow("fraud/2")
        worker.looks()
    stop.set()
    reader.join()

    assert seen <= {("fraud/1", "fraud/2"), ("fraud/2", ""), ("fraud/1", "")}
    assert len(seen) == 3
