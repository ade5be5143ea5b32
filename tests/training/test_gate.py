import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.model_folders import change_manifest, make_slow
from tests.people import a_person, a_stranger
from tests.training.learnable import DELAY_DAYS, QUICK, a_dataset, long_test, saved, trained_on
from tests.training.streams import DAY_MS

from fanzha.domain.errors import ModelRefusedError, SetupError
from fanzha.registry.gate_report import passed_report
from fanzha.registry.model_folder import read_model_folder, sign_model
from fanzha.signing.keys import Signer, load_signer, read_trusted
from fanzha_training.dataset import Dataset
from fanzha_training.export import export
from fanzha_training.gate import Margins, gate
from fanzha_training.gate_checks import Demands
from fanzha_training.scorer import load_scorer
from fanzha_training.thresholds import decision_points, margins_at
from fanzha_training.trained import json_text

GOOD = replace(QUICK, shares=long_test())
DECIDED = "golden rows decided otherwise"
STRICT = Margins(value_detection=0.0, average_precision=0.0, calibration=0.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return a_dataset(tmp_path_factory.mktemp("gate") / "dataset.parquet", rows=8000, noise=0.5)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    """Exported: fraud/good, and fraud/worse with three shallow trees."""
    folder = tmp_path_factory.mktemp("models")
    signer = a_person("pipeline", folder / "private", folder / "models" / "keys", is_machine=True)
    worse = replace(GOOD, trees_max=3, depth=1)
    for version, options in (("good", GOOD), ("worse", worse)):
        saved(folder / version, trained_on(dataset, options))
        export(folder / version, folder / "models", "fraud", version, command="", signer=signer)
    return folder / "models"


class TestGate:
    """A candidate passes only if it is no worse than the champion on later days."""

    def test_a_better_model_passes(self, models: Path, dataset: Dataset) -> None:
        # Three stumps predict little more than the base rate, and are well calibrated at that.
        margins = Margins(calibration=0.02)
        report = gate(
            models / "fraud" / "good", models / "fraud" / "worse", dataset, margins, asked(models)
        )

        assert report["passed"]
        assert report["candidate"] == "fraud/good"
        assert report["champion"] == "fraud/worse"
        assert {check["name"] for check in report["checks"]} == {
            "feature hash", "signature", "parity with XGBoost", DECIDED,
            "microseconds for one transfer", "newest outcomes known", "frauds in the window",
            "value detection at 1 per 1,000", "value detection at 5 per 1,000",
            "average precision", "expected calibration error", "types of fraud told right",
            "payee_mule: not measured",
        }  # fmt: skip

    def test_a_worse_model_fails_and_the_report_says_where(
        self, models: Path, dataset: Dataset
    ) -> None:
        report = gate(
            models / "fraud" / "worse", models / "fraud" / "good", dataset, Margins(), asked(models)
        )

        assert not report["passed"]
        failed = {check["name"] for check in report["checks"] if not check["passed"]}
        assert "average precision" in failed
        figures = report["figures"]
        assert figures["candidate"]["average_precision"] < figures["champion"]["average_precision"]

    def test_the_report_says_what_both_find_at_the_budgets_compared(
        self, models: Path, dataset: Dataset
    ) -> None:
        margins = Margins(budgets_per_1000=(20.0, 50.0))
        report = gate(
            models / "fraud" / "good", models / "fraud" / "worse", dataset, margins, asked(models)
        )

        assert list(report["at_budgets"]) == ["20", "50"]
        checks = {check["name"]: check for check in report["checks"]}
        for budget, found in report["at_budgets"].items():
            check = checks[f"value detection at {budget} per 1,000"]
            for role in ("candidate", "champion"):
                assert found[role]["value_detection_rate"] == check[role]

    def test_only_days_later_than_both_trainings_count(
        self, models: Path, dataset: Dataset
    ) -> None:
        report = gate(models / "fraud" / "good", None, dataset, STRICT, asked(models))

        stored = json.loads((models / "fraud" / "good" / "manifest.json").read_text())
        cut_ms = stored["trained"]["times"]["cut_ms"]
        assert report["figures"]["candidate"]["transfers"] == int((dataset.time_ms >= cut_ms).sum())
        early = dataset.rows(dataset.time_ms < cut_ms)
        with pytest.raises(SetupError, match="holds no transfer between the training cut"):
            gate(models / "fraud" / "good", None, early, STRICT, asked(models))

    def test_days_whose_labels_are_not_mature_do_not_count(
        self, models: Path, dataset: Dataset
    ) -> None:
        as_of_ms = int(dataset.time_ms[-1])
        early = replace(dataset, meta=replace(dataset.meta, as_of_ms=as_of_ms))

        report = gate(models / "fraud" / "good", None, early, STRICT, asked(models))

        until_ms = as_of_ms - round(DELAY_DAYS * DAY_MS)
        stored = json.loads((models / "fraud" / "good" / "manifest.json").read_text())
        cut_ms = stored["trained"]["times"]["cut_ms"]
        expected = (dataset.time_ms >= cut_ms) & (dataset.time_ms <= until_ms)
        assert report["figures"]["candidate"]["transfers"] == int(expected.sum())

    def test_too_few_frauds_prove_nothing(self, models: Path, dataset: Dataset) -> None:
        report = gate(
            models / "fraud" / "good", None, dataset, Margins(frauds_min=10**6), asked(models)
        )

        assert not report["passed"]

    def test_a_model_of_other_features_fails(
        self, models: Path, dataset: Dataset, tmp_path: Path
    ) -> None:
        folder = copied(models, "good", tmp_path, feature_hash="0" * 16)

        report = gate(folder, models / "fraud" / "worse", dataset, Margins(), asked(models))

        assert not report["passed"]
        assert [check["name"] for check in report["checks"]] == ["feature hash"]

    def test_a_model_without_parity_fails(
        self, models: Path, dataset: Dataset, tmp_path: Path
    ) -> None:
        folder = copied(models, "good", tmp_path)
        with np.load(folder / "golden.npz") as golden:
            changed = dict(golden) | {"margins": golden["margins"] + 1e-4}
        np.savez(folder / "golden.npz", **changed)
        change_manifest(folder, pipeline_of(models))

        report = gate(folder, None, dataset, Margins(), asked(models))

        parity = next(x for x in report["checks"] if x["name"] == "parity with XGBoost")
        assert not parity["passed"]
        assert not report["passed"]

    def test_the_champion_cannot_challenge_itself(self, models: Path, dataset: Dataset) -> None:
        with pytest.raises(SetupError, match="is the champion already"):
            gate(
                models / "fraud" / "good",
                models / "fraud" / "good",
                dataset,
                Margins(),
                asked(models),
            )

    def test_without_a_trusted_signature_a_model_fails(
        self, models: Path, dataset: Dataset, tmp_path: Path
    ) -> None:
        folder = copied(models, "good", tmp_path)
        (folder / "signature.json").unlink()
        unsigned = gate(folder, None, dataset, Margins(), asked(models))
        sign_model(folder, a_stranger("pipeline", tmp_path))
        foreign = gate(folder, None, dataset, Margins(), asked(models))

        for report, cause in ((unsigned, "is not signed"), (foreign, "does not count")):
            check = check_of(report, "signature")
            assert not check["passed"]
            assert cause in check["candidate"]
            assert not report["passed"]

    @pytest.mark.parametrize("name", ["model.onnx", "golden.npz", "victim.ubj"])
    def test_a_damaged_model_gets_no_report(
        self, models: Path, dataset: Dataset, tmp_path: Path, name: str
    ) -> None:
        folder = copied(models, "good", tmp_path)
        (folder / name).write_bytes((folder / name).read_bytes()[:-10])

        with pytest.raises(ModelRefusedError, match="SHA-256"):
            gate(folder, None, dataset, Margins(), asked(models))

    def test_a_slow_model_fails(self, models: Path, dataset: Dataset, tmp_path: Path) -> None:
        folder = copied(models, "good", tmp_path)
        make_slow(folder, pipeline_of(models))

        report = gate(folder, None, dataset, Margins(), asked(models))

        check = check_of(report, "microseconds for one transfer")
        assert not check["passed"]
        assert check["candidate"] > 1_000
        assert check_of(report, "parity with XGBoost")["passed"]
        assert not report["passed"]

    def test_rows_near_the_thresholds_are_golden_and_decided_alike(
        self, models: Path, dataset: Dataset, tmp_path: Path
    ) -> None:
        folder = copied(models, "good", tmp_path)
        assert check_of(gate(folder, None, dataset, Margins(), asked(models)), DECIDED)["passed"]
        calibration = load_scorer(folder).calibration
        golden = np.load(folder / "golden.npz")
        limits = margins_at(decision_points(), calibration)
        # One margin moves across the nearest threshold; XGBoost would have decided otherwise.
        arrays = {name: golden[name] for name in golden.files}
        margins = arrays["margins"].reshape(len(arrays["vectors"]), -1)
        row = int(np.abs(margins[:, 0] - limits[0]).argmin())
        other_side = limits[0] + (-1e-9 if margins[row, 0] >= limits[0] else 1e-9)
        margins[row, 0] = other_side
        np.savez(folder / "golden.npz", **arrays)
        change_manifest(folder, pipeline_of(models))

        report = gate(folder, None, dataset, Margins(), asked(models))

        assert check_of(report, DECIDED)["candidate"] == 1
        assert not report["passed"]

    def test_older_knowledge_than_the_candidates_own_proves_nothing(
        self, models: Path, dataset: Dataset
    ) -> None:
        older = replace(dataset, meta=replace(dataset.meta, as_of_ms=dataset.meta.as_of_ms - 1))

        report = gate(models / "fraud" / "good", None, older, Margins(), asked(models))

        assert [x["name"] for x in report["checks"] if not x["passed"]] == ["newest outcomes known"]

    def test_the_report_states_its_margins_and_names_both_models_by_their_files(
        self, models: Path, dataset: Dataset
    ) -> None:
        good, worse = models / "fraud" / "good", models / "fraud" / "worse"
        report = gate(good, worse, dataset, STRICT, asked(models))

        assert report["margins"]["calibration"] == 0.0
        assert report["manifest_sha256"] == read_model_folder(good).manifest_sha256
        assert report["champion_manifest_sha256"] == read_model_folder(worse).manifest_sha256

    def test_what_the_report_says_is_what_a_proposal_rests_on(
        self, models: Path, dataset: Dataset, tmp_path: Path
    ) -> None:
        """The file that the gate writes is the file that promote reads."""
        report = gate(models / "fraud" / "good", None, dataset, Margins(), asked(models))
        file = tmp_path / "gate.json"
        file.write_text(json_text(report))

        result = passed_report(file, read_model_folder(models / "fraud" / "good"))

        assert result.checks == report["checks"]
        assert result.champion == ""


def asked(models: Path) -> Demands:
    return Demands(read_trusted(models / "keys"))


def pipeline_of(models: Path) -> Signer:
    return load_signer("pipeline", models.parent / "private" / "pipeline.key")


def check_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(check for check in report["checks"] if check["name"] == name)
    return found


def copied(models: Path, version: str, place: Path, **changes: str) -> Path:
    copy = place / "fraud" / "copy"
    shutil.copytree(models / "fraud" / version, copy)
    change_manifest(copy, pipeline_of(models), version="copy", **changes)
    return copy
