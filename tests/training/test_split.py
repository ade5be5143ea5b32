from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.learnable import DAYS, DELAY_DAYS, a_dataset
from tests.training.streams import DAY_MS, START_MS

from fanzha.domain.errors import SetupError
from fanzha_training.dataset import UNLABELLED, Dataset
from fanzha_training.labels import labels_known_at
from fanzha_training.split import Shares, split_by_time

DELAY_MS = round(DELAY_DAYS * DAY_MS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return a_dataset(tmp_path_factory.mktemp("split") / "dataset.parquet")


class TestTime:
    """Train, a gap of the label delay, calibration, and later days that nothing is learned from."""

    def test_the_label_delay_lies_between_training_and_calibration(self, dataset: Dataset) -> None:
        split = split_by_time(dataset, DELAY_DAYS, Shares())

        times = split.times
        assert times.fit_from_ms < times.tune_from_ms < times.train_until_ms
        assert times.calibrate_from_ms - times.train_until_ms == DELAY_MS
        assert times.calibrate_from_ms < times.cut_ms < times.test_until_ms

    def test_each_part_holds_the_rows_of_its_time_and_no_others(self, dataset: Dataset) -> None:
        split = split_by_time(dataset, DELAY_DAYS, Shares())

        times = split.times
        spans = [
            (split.fit, times.fit_from_ms, times.tune_from_ms),
            (split.tune, times.tune_from_ms, times.train_until_ms),
            (split.calibration, times.calibrate_from_ms, times.cut_ms),
        ]
        for part, start, end in spans:
            chosen = (dataset.time_ms >= start) & (dataset.time_ms < end)
            assert part.vectors.tobytes() == dataset.vectors[chosen].tobytes()

    def test_immature_days_are_left_out(self, dataset: Dataset) -> None:
        early = replace(dataset.meta, as_of_ms=START_MS + DAYS * DAY_MS)

        split = split_by_time(replace(dataset, meta=early), DELAY_DAYS, Shares(test=0.0))

        assert split.times.cut_ms <= early.as_of_ms - DELAY_MS + 1


class TestLabels:
    """Nobody learns from a label before it is known."""

    def test_fraud_reported_after_the_delay_is_learned_as_legitimate(
        self, dataset: Dataset
    ) -> None:
        split = split_by_time(dataset, DELAY_DAYS, Shares())

        train = dataset.time_ms < split.times.train_until_ms
        late = dataset.label_known_ms > split.times.calibrate_from_ms
        known = (dataset.label[train] == 1) & ~late[train]
        assert split.frauds_unknown_in_time == int((dataset.label[train & late] == 1).sum()) > 0
        assert split.fit.frauds + split.tune.frauds == known.sum()

    def test_what_is_reported_later_changes_nothing(self, dataset: Dataset) -> None:
        split = split_by_time(dataset, DELAY_DAYS, Shares())
        later = dataset.label_known_ms > split.times.calibrate_from_ms
        other = replace(dataset, label=np.where(later, 1, dataset.label).astype(np.int8))

        again = split_by_time(other, DELAY_DAYS, Shares())

        assert again.fit.label.tobytes() == split.fit.label.tobytes()
        assert again.tune.label.tobytes() == split.tune.label.tobytes()

    def test_labels_at_a_time_are_those_known_then(self) -> None:
        label = np.array([1, 1, 0, 0, UNLABELLED, 1], np.int8)
        known_ms = np.array([5, 50, 10, 50, 0, 50])
        time_ms = np.array([1, 1, 1, 40, 1, 25])

        seen = labels_known_at(label, known_ms, time_ms, when_ms=20, delay_ms=10)

        assert seen.tolist() == [1, 0, 0, UNLABELLED, UNLABELLED, UNLABELLED]


class TestFaults:
    """What cannot be learned from is refused, with the remedy."""

    def test_too_few_days_are_refused(self, dataset: Dataset) -> None:
        with pytest.raises(SetupError, match="build it from more days"):
            split_by_time(dataset, 45, Shares())

    @pytest.mark.parametrize("value", [0, 1])
    def test_one_class_alone_is_refused(self, dataset: Dataset, value: int) -> None:
        alike = replace(dataset, label=np.full(len(dataset), value, np.int8))

        with pytest.raises(SetupError, match="nothing to tell apart"):
            split_by_time(alike, DELAY_DAYS, Shares())

    @pytest.mark.parametrize(
        "shares",
        [Shares(test=0.8, calibration=0.2), Shares(calibration=0.0), Shares(test=float("nan"))],
    )
    def test_shares_that_leave_nothing_are_refused(self, dataset: Dataset, shares: Shares) -> None:
        with pytest.raises(SetupError, match="leave nothing to train on"):
            split_by_time(dataset, DELAY_DAYS, shares)


def test_the_number_of_rows_does_not_grow(dataset: Dataset) -> None:
    split = split_by_time(dataset, DELAY_DAYS, Shares(test=0.0))

    used = sum(len(part.label) for part in (split.fit, split.tune, split.calibration))
    assert 0 < used < len(dataset)


def test_unreadable_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SetupError, match="cannot be written"):
        a_dataset(tmp_path / "file" / "dataset.parquet", rows=10)
