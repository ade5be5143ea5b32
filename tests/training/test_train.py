import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.learnable import DELAY_DAYS, QUICK, a_dataset, saved, trained_on
from tests.training.streams import DAY_MS

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha.domain.vocabulary import FraudType
from fanzha.features.kernel import PAYEE_START, PAYER_START
from fanzha_training.augment import OUTAGES, with_missing_history
from fanzha_training.calibrate import calibrate, sigmoid
from fanzha_training.dataset import Dataset
from fanzha_training.evaluate import later_than
from fanzha_training.grow import margins
from fanzha_training.matrix import Layer, batches, labels_of
from fanzha_training.metrics import Scored, metrics_of
from fanzha_training.trained import load_trained


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return a_dataset(tmp_path_factory.mktemp("train") / "dataset.parquet", noise=0.5)


@pytest.fixture(scope="module")
def model(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "model"
    saved(folder, trained_on(dataset))
    return folder


class TestTrain:
    """XGBoost on one thread, time split, missing-history augmentation."""

    def test_the_same_seed_gives_the_same_bytes(self, dataset: Dataset, tmp_path: Path) -> None:
        saved(tmp_path / "first", trained_on(dataset))
        saved(tmp_path / "second", trained_on(dataset))
        saved(tmp_path / "other", trained_on(dataset, replace(QUICK, seed=8)))

        for name in (
            "victim.ubj", "payee_mule.ubj", "typology.ubj", "sample.npy", "training.json",
        ):  # fmt: skip
            first = (tmp_path / "first" / name).read_bytes()
            assert first == (tmp_path / "second" / name).read_bytes()
            # No chance has a part in the typology.
            same = first == (tmp_path / "other" / name).read_bytes()
            assert same == (name == "typology.ubj")
        record = load_trained(tmp_path / "first").record
        assert record["threads"] == record["heads"]["victim"]["parameters"]["nthread"] == 1

    def test_finds_what_can_be_found(self, dataset: Dataset) -> None:
        trained = trained_on(dataset)

        later = later_than(dataset, trained.record["times"]["cut_ms"]).data
        margin = margins(trained.victim.booster, later.vectors)
        scored = Scored(
            margin, trained.victim.calibration.probability(margin), later.label,
            later.amount_minor, later.fraud_type,
        )  # fmt: skip
        assert metrics_of(scored)["roc_auc"] > 0.9

    def test_saves_no_tree_beyond_the_best(self, dataset: Dataset) -> None:
        trained = trained_on(dataset, replace(QUICK, trees_max=200, learning_rate=0.5))

        assert trained.record["heads"]["victim"]["tree_count_tuned"]
        trees = trained.record["heads"]["victim"]["trees"]
        assert trained.victim.booster.num_boosted_rounds() == trees < 150

    def test_heads_without_known_mules_are_left_out(self, dataset: Dataset) -> None:
        trained = trained_on(dataset)

        assert set(trained.heads) == {Head.VICTIM, Head.PAYEE_MULE}
        assert "fewer than 20 transfers" in trained.record["heads_left_out"]["payer_mule"]

    def test_a_head_learns_its_own_labels(self, dataset: Dataset) -> None:
        """Mules that are told by another feature than victims are."""
        telling = np.nan_to_num(dataset.vectors[:, 50]) > 1.5
        mules = replace(dataset, payee_mule=telling.astype(np.int8))

        head = trained_on(mules).heads[Head.PAYEE_MULE].booster

        margin = margins(head, mules.vectors)
        assert margin[telling].mean() > margin[~telling].mean() + 5

    def test_the_types_of_fraud_are_told_apart(self, dataset: Dataset) -> None:
        fraud = dataset.label == 1
        kind = np.where(np.nan_to_num(dataset.vectors[:, 60]) > 0, 3, 1).astype(np.int8)
        typed = replace(dataset, fraud_type=np.where(fraud, kind, np.int8(0)))

        typology = trained_on(typed).typology

        assert typology is not None
        assert typology.fraud_types == (FraudType.TASK_REBATE, FraudType.FAKE_SHOPPING)
        likely = margins(typology.booster, typed.vectors[fraud]).argmax(axis=1)
        assert (np.array([1, 3])[likely] == typed.fraud_type[fraud]).mean() > 0.95

    def test_a_stated_base_rate_shifts_every_head_by_the_same_odds(self, dataset: Dataset) -> None:
        heads = trained_on(dataset, replace(QUICK, base_rate=0.001)).heads

        shifts = {head.calibration.prior_shift for head in heads.values()}
        assert len(heads) == 2
        assert max(shifts) - min(shifts) == pytest.approx(0, abs=1e-9)

    def test_scores_without_history_still_tell_fraud_apart(self, dataset: Dataset) -> None:
        trained = trained_on(dataset)
        later = later_than(dataset, trained.record["times"]["cut_ms"]).data

        for outage in OUTAGES:
            vectors = later.vectors.copy()
            vectors[:, outage] = np.nan
            margin = margins(trained.victim.booster, vectors)
            assert margin[later.label == 1].mean() > margin[later.label == 0].mean() + 0.5

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"trees_max": 0}, "--trees is 0"),
            ({"depth": 99}, "--depth is 99"),
            ({"learning_rate": float("nan")}, "--learning-rate is nan"),
            ({"augment_share": 2}, "--augment-share is 2"),
            ({"base_rate": 0.0}, "--base-rate is 0"),
        ],
    )
    def test_absurd_options_are_refused(
        self, dataset: Dataset, change: dict[str, float], message: str
    ) -> None:
        with pytest.raises(SetupError, match=message):
            trained_on(dataset, replace(QUICK, **change))


class TestRareFraud:
    """Steps far beyond certainty are limited where, without limit, no tree is better than none."""

    @pytest.mark.parametrize("look_alikes", [False, True])
    def test_steps_are_limited_where_they_lead_too_far(
        self, tmp_path: Path, *, look_alikes: bool
    ) -> None:
        rows = 20_000
        dataset = a_dataset(tmp_path / "dataset.parquet", rows=rows)
        rng = np.random.default_rng(3)
        fraud = rng.random(rows) < 0.006
        # As fraud looks, and others only in the later days: the leaf seems pure when it is grown.
        later = np.arange(rows) > 0.42 * rows
        alike = later & (rng.random(rows) < 0.01) & look_alikes
        vectors = np.zeros_like(dataset.vectors)
        vectors[:, 0] = fraud | alike
        seen = replace(
            dataset,
            label=fraud.astype(np.int8),
            label_known_ms=dataset.time_ms + round(DELAY_DAYS * DAY_MS),
            stored_vectors=vectors,
        )
        options = replace(QUICK, learning_rate=1.0, min_child_weight=0.0, augment_share=0)

        trained = trained_on(seen, options)

        assert ("max_delta_step" in trained.record["heads"]["victim"]["parameters"]) == look_alikes
        margin = margins(trained.victim.booster, vectors)
        assert margin[fraud].mean() > margin[~fraud].mean() + 3


class TestFolder:
    """What is loaded is what was saved, or a clear error."""

    def test_keeps_margins_and_calibration(self, dataset: Dataset, tmp_path: Path) -> None:
        trained = trained_on(dataset)
        saved(tmp_path / "model", trained)

        loaded = load_trained(tmp_path / "model")

        again = margins(loaded.victim.booster, dataset.vectors)
        assert again.tobytes() == margins(trained.victim.booster, dataset.vectors).tobytes()
        assert loaded.victim.calibration == trained.victim.calibration

    @pytest.mark.parametrize("name", ["victim.ubj", "sample.npy", "training.json"])
    def test_damaged_files_are_refused(self, model: Path, tmp_path: Path, name: str) -> None:
        shutil.copytree(model, tmp_path / "model")
        file = tmp_path / "model" / name
        file.write_bytes(file.read_bytes()[:-100])

        with pytest.raises(SetupError, match=r"train.* again"):
            load_trained(tmp_path / "model")

    @pytest.mark.parametrize("name", ["victim.ubj", "sample.npy", "training.json"])
    def test_missing_files_are_refused(self, model: Path, tmp_path: Path, name: str) -> None:
        shutil.copytree(model, tmp_path / "model")
        (tmp_path / "model" / name).unlink()

        with pytest.raises(SetupError, match="holds no trained model"):
            load_trained(tmp_path / "model")

    def test_an_existing_folder_is_not_overwritten(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(SetupError, match="exists already"):
            saved(tmp_path, trained_on(dataset))

        assert not list(tmp_path.iterdir())


class TestAugment:
    """A share of the rows is repeated with history missing; the rows themselves stay."""

    def test_each_outage_loses_its_part(self, dataset: Dataset) -> None:
        rng = np.random.default_rng(1)
        layers = with_missing_history(
            Layer(dataset.vectors, dataset.label), share=0.1, randomness=rng
        )
        vectors, label = np.concatenate(list(batches(layers, 1000))), labels_of(layers)

        rows, each = len(dataset), round(0.1 * len(dataset))
        payer, payee, both = np.split(vectors[rows:], 3)
        assert len(vectors) == len(label) == rows + 3 * each
        assert vectors[:rows].tobytes() == dataset.vectors.tobytes()
        assert np.isnan(payer[:, PAYER_START:PAYEE_START]).all()
        assert not np.isnan(payer[:, PAYEE_START:]).all(axis=1).any()
        assert np.isnan(payee[:, PAYEE_START:]).all()
        assert not np.isnan(payee[:, PAYER_START:PAYEE_START]).all(axis=1).any()
        assert np.isnan(both[:, PAYER_START:]).all()


class TestCalibrate:
    """Platt scaling in float64, with prior correction to the stated true base rate."""

    def test_recovers_slope_and_intercept(self) -> None:
        rng = np.random.default_rng(2)
        margin = rng.normal(-2, 2, 400_000)
        label = (rng.random(400_000) < sigmoid(0.7 * margin - 1.5)).astype(np.int8)

        found = calibrate(margin, label, None)

        assert found.slope == pytest.approx(0.7, abs=0.02)
        assert found.intercept == pytest.approx(-1.5, abs=0.05)
        assert found.prior_shift == 0

    def test_moves_to_the_true_base_rate(self) -> None:
        rng = np.random.default_rng(3)
        margin = np.concatenate([rng.normal(2, 1, 1000), rng.normal(-2, 1, 9000)])
        label = np.repeat(np.array([1, 0], np.int8), [1000, 9000])
        plain = calibrate(margin, label, None)

        moved = calibrate(margin, label, 0.001)

        odds = plain.probability(margin) / (1 - plain.probability(margin))
        moved_odds = moved.probability(margin) / (1 - moved.probability(margin))
        assert moved_odds / odds == pytest.approx((0.001 / 0.999) / (0.1 / 0.9))
        assert moved.probability_in_data(margin) == pytest.approx(plain.probability(margin))

    def test_perfectly_separated_margins_stay_finite(self) -> None:
        margin = np.array([-9.0, -8.0, 8.0, 9.0])

        found = calibrate(margin, np.array([0, 0, 1, 1], np.int8), None)

        assert math.isfinite(found.slope)
        assert (np.diff(found.probability(margin)) > 0).all()

    def test_sigmoid_keeps_very_low_margins(self) -> None:
        """ONNX Runtime's LOGISTIC returns exactly 0 for -17.31 (onnxruntime issue 26281)."""
        low, high = sigmoid(np.array([-17.31, 800.0]))

        assert low == pytest.approx(3.04e-8, rel=1e-2)
        assert high == 1.0

    def test_a_model_that_ranks_backwards_is_refused(self) -> None:
        margin = np.linspace(-3, 3, 100)

        with pytest.raises(SetupError, match="learned nothing"):
            calibrate(margin, (margin < 0).astype(np.int8), None)
