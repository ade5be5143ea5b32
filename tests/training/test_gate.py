import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.learnable import DELAY_DAYS, QUICK, a_dataset, long_test, saved, trained_on
from tests.training.streams import DAY_MS

from fanzha.domain.errors import SetupError
from fanzha_training.dataset import Dataset
from fanzha_training.export import export
from fanzha_training.gate import Margins, gate
from fanzha_training.registry import champion_of, promote
from fanzha_training.trained import json_text, sha256_of

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
GOOD = replace(QUICK, shares=long_test())
STRICT = Margins(value_detection=0.0, average_precision=0.0, calibration=0.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return a_dataset(tmp_path_factory.mktemp("gate") / "dataset.parquet", rows=8000, noise=0.5)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    """Exported: fraud/good, and fraud/worse with three shallow trees."""
    folder = tmp_path_factory.mktemp("models")
    worse = replace(GOOD, trees_max=3, depth=1)
    for version, options in (("good", GOOD), ("worse", worse)):
        saved(folder / version, trained_on(dataset, options))
        export(folder / version, folder / "models", "fraud", version, command="")
    return folder / "models"


class TestGate:
    """A candidate passes only if it is no worse than the champion on later days."""

    def test_a_better_model_passes(self, models: Path, dataset: Dataset) -> None:
        # Three stumps predict little more than the base rate, and are well calibrated at that.
        margins = Margins(calibration=0.02)
        report = gate(models / "fraud" / "good", models / "fraud" / "worse", dataset, margins)

        assert report["passed"]
        assert report["candidate"] == "fraud/good"
        assert report["champion"] == "fraud/worse"
        assert {check["name"] for check in report["checks"]} == {
            "feature hash", "parity with XGBoost", "frauds in the window",
            "value detection at 1 per 1,000", "value detection at 5 per 1,000",
            "average precision", "expected calibration error",
        }  # fmt: skip

    def test_a_worse_model_fails_and_the_report_says_where(
        self, models: Path, dataset: Dataset
    ) -> None:
        report = gate(models / "fraud" / "worse", models / "fraud" / "good", dataset, Margins())

        assert not report["passed"]
        failed = {check["name"] for check in report["checks"] if not check["passed"]}
        assert "average precision" in failed
        figures = report["figures"]
        assert figures["candidate"]["average_precision"] < figures["champion"]["average_precision"]

    def test_the_report_says_what_both_find_at_the_budgets_compared(
        self, models: Path, dataset: Dataset
    ) -> None:
        margins = Margins(budgets_per_1000=(20.0, 50.0))
        report = gate(models / "fraud" / "good", models / "fraud" / "worse", dataset, margins)

        assert list(report["at_budgets"]) == ["20", "50"]
        checks = {check["name"]: check for check in report["checks"]}
        for budget, found in report["at_budgets"].items():
            check = checks[f"value detection at {budget} per 1,000"]
            for role in ("candidate", "champion"):
                assert found[role]["value_detection_rate"] == check[role]

    def test_only_days_later_than_both_trainings_count(
        self, models: Path, dataset: Dataset
    ) -> None:
        report = gate(models / "fraud" / "good", None, dataset, STRICT)

        stored = json.loads((models / "fraud" / "good" / "manifest.json").read_text())
        cut_ms = stored["trained"]["times"]["cut_ms"]
        assert report["figures"]["candidate"]["transfers"] == int((dataset.time_ms >= cut_ms).sum())
        early = dataset.rows(dataset.time_ms < cut_ms)
        with pytest.raises(SetupError, match="holds no transfer between the training cut"):
            gate(models / "fraud" / "good", None, early, STRICT)

    def test_days_whose_labels_are_not_mature_do_not_count(
        self, models: Path, dataset: Dataset
    ) -> None:
        as_of_ms = int(dataset.time_ms[-1])
        early = replace(dataset, meta=replace(dataset.meta, as_of_ms=as_of_ms))

        report = gate(models / "fraud" / "good", None, early, STRICT)

        until_ms = as_of_ms - round(DELAY_DAYS * DAY_MS)
        stored = json.loads((models / "fraud" / "good" / "manifest.json").read_text())
        cut_ms = stored["trained"]["times"]["cut_ms"]
        expected = (dataset.time_ms >= cut_ms) & (dataset.time_ms <= until_ms)
        assert report["figures"]["candidate"]["transfers"] == int(expected.sum())

    def test_too_few_frauds_prove_nothing(self, models: Path, dataset: Dataset) -> None:
        report = gate(models / "fraud" / "good", None, dataset, Margins(frauds_min=10**6))

        assert not report["passed"]

    def test_a_model_of_other_features_fails(
        self, models: Path, dataset: Dataset, tmp_path: Path
    ) -> None:
        folder = copied(models / "fraud" / "good", tmp_path, feature_hash="0" * 16)

        report = gate(folder, models / "fraud" / "worse", dataset, Margins())

        assert not report["passed"]
        assert [check["name"] for check in report["checks"]] == ["feature hash"]

    def test_a_model_without_parity_fails(
        self, models: Path, dataset: Dataset, tmp_path: Path
    ) -> None:
        folder = copied(models / "fraud" / "good", tmp_path)
        with np.load(folder / "golden.npz") as golden:
            vectors, margins = golden["vectors"], golden["margins"]
        np.savez(folder / "golden.npz", vectors=vectors, margins=margins + 1e-4)
        rehash(folder)

        report = gate(folder, None, dataset, Margins())

        parity = next(x for x in report["checks"] if x["name"] == "parity with XGBoost")
        assert not parity["passed"]
        assert not report["passed"]

    def test_the_champion_cannot_challenge_itself(self, models: Path, dataset: Dataset) -> None:
        with pytest.raises(SetupError, match="is the champion already"):
            gate(models / "fraud" / "good", models / "fraud" / "good", dataset, Margins())


def copied(folder: Path, place: Path, **changes: str) -> Path:
    copy = place / "fraud" / "copy"
    copy.mkdir(parents=True)
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    stored = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(stored | {"version": "copy"} | changes))
    return copy


def rehash(folder: Path) -> None:
    stored = json.loads((folder / "manifest.json").read_text())
    stored["files_sha256"] = {name: sha256_of(folder / name) for name in stored["files_sha256"]}
    (folder / "manifest.json").write_text(json.dumps(stored))


class TestPromote:
    """Two different people, and a passed gate report of exactly this candidate."""

    @pytest.fixture
    def registered(self, models: Path, tmp_path: Path) -> Path:
        for version in ("good", "worse"):
            place = tmp_path / "models" / "fraud" / version
            place.mkdir(parents=True)
            for file in (models / "fraud" / version).iterdir():
                (place / file.name).write_bytes(file.read_bytes())
        return tmp_path / "models"

    def report(self, models: Path, dataset: Dataset, version: str, champion: str | None) -> Path:
        old = None if champion is None else models / "fraud" / champion
        found = gate(models / "fraud" / version, old, dataset, Margins(calibration=0.02))
        file = models.parent / f"gate-{version}.json"
        file.write_text(json_text(found))
        return file

    def promote(self, models: Path, report: Path, **changes: str) -> dict[str, Any]:
        words = {"candidate": "fraud/good", "proposed_by": "Li Wei", "approved_by": "Wang Fang"}
        words |= changes
        candidate = words.pop("candidate")
        return promote(models, candidate, gate_report=report, now=NOW, **words)

    def test_writes_champion_and_history(self, registered: Path, dataset: Dataset) -> None:
        assert champion_of(registered) is None
        worse = self.report(registered, dataset, "worse", None)
        self.promote(registered, worse, candidate="fraud/worse")
        good = self.report(registered, dataset, "good", "worse")

        self.promote(registered, good)

        registry = json.loads((registered / "registry.json").read_text())
        assert registry["champion"] == champion_of(registered) == "fraud/good"
        assert [entry["version"] for entry in registry["history"]] == ["fraud/worse", "fraud/good"]
        last = registry["history"][-1]
        assert last["time"] == "2026-11-22T08:30:00Z"
        assert (last["proposed_by"], last["approved_by"]) == ("Li Wei", "Wang Fang")
        assert last["gate"]["passed"]
        assert sorted(path.name for path in registered.iterdir()) == ["fraud", "registry.json"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"approved_by": "Li Wei"}, "cannot both propose and approve"),
            ({"approved_by": " li wei "}, "cannot both propose and approve"),
            ({"proposed_by": " "}, "must each name a person"),
            ({"candidate": "good"}, "write name/version"),
            ({"candidate": "../good"}, "write name/version"),
            ({"candidate": "fraud/none"}, "cannot be used"),
            ({"candidate": "fraud/worse"}, "is the gate report of fraud/good"),
        ],
    )
    def test_refuses_what_two_people_did_not_agree_on(
        self, registered: Path, dataset: Dataset, changes: dict[str, str], message: str
    ) -> None:
        report = self.report(registered, dataset, "good", None)

        with pytest.raises(SetupError, match=message):
            self.promote(registered, report, **changes)

        assert not (registered / "registry.json").exists()

    def test_refuses_a_candidate_that_failed(self, registered: Path, dataset: Dataset) -> None:
        good = self.report(registered, dataset, "good", None)
        self.promote(registered, good)
        before = (registered / "registry.json").read_bytes()
        worse = self.report(registered, dataset, "worse", "good")

        with pytest.raises(SetupError, match=r"did not pass the gate .*average precision"):
            self.promote(registered, worse, candidate="fraud/worse")

        assert (registered / "registry.json").read_bytes() == before

    def test_refuses_a_report_of_other_files_or_another_champion(
        self, registered: Path, dataset: Dataset
    ) -> None:
        report = self.report(registered, dataset, "good", "worse")

        with pytest.raises(SetupError, match="but the champion is None"):
            self.promote(registered, report)
        forged = json.loads(report.read_text()) | {"graph_sha256": "0" * 64}
        report.write_text(json.dumps(forged))
        with pytest.raises(SetupError, match="with other files"):
            self.promote(registered, report)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"passed": true}'])
    def test_refuses_what_is_no_report(self, registered: Path, content: str) -> None:
        file = registered.parent / "report.json"
        file.write_text(content)

        with pytest.raises(SetupError, match="is no gate report"):
            self.promote(registered, file)

    def test_a_damaged_registry_is_not_overwritten(
        self, registered: Path, dataset: Dataset
    ) -> None:
        report = self.report(registered, dataset, "good", None)
        (registered / "registry.json").write_text("{")

        with pytest.raises(SetupError, match="is damaged"):
            self.promote(registered, report)

        assert (registered / "registry.json").read_text() == "{"
