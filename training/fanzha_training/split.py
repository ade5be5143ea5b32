"""Splits a data set by time, as if training had happened on a day in the past.

    |------ fit ------|- tune -|...... label delay ......|- calibration -|---- test ----|

Trees are grown on `fit` and their number is found on `tune`. Labels of both are those known when
the delay has passed, which is when the calibration days begin; so nothing is learned from a label
that nobody had. `test` is left to `evaluate` and `gate`. The labels of the calibration days become
known during the test days; two numbers are learned from them, no tree.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import SetupError
from fanzha_training.dataset import DAY_MS, UNLABELLED, Dataset
from fanzha_training.labels import labels_known_at
from fanzha_training.vectors import AnyVectors, joined_vectors


@dataclass(frozen=True, slots=True)
class Part:
    """Labelled rows of one stretch of time."""

    vectors: AnyVectors
    label: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float32]
    """How much each row counts, above 0 to 1."""
    fraud_type: npt.NDArray[np.int8]

    @property
    def frauds(self) -> int:
        """Number of rows labelled as fraud."""
        return int((self.label == 1).sum())


@dataclass(frozen=True, slots=True)
class Times:
    """Where the stretches begin and end, milliseconds since 1970 UTC; ends are exclusive."""

    fit_from_ms: int
    tune_from_ms: int
    train_until_ms: int
    calibrate_from_ms: int
    cut_ms: int
    """End of the calibration days. Only later transfers tell how good the model is."""
    test_until_ms: int
    """Until here the data set's labels are mature."""


@dataclass(frozen=True, slots=True)
class Split:
    """The parts that a model learns from."""

    times: Times
    fit: Part
    tune: Part
    calibration: Part
    frauds_unknown_in_time: int
    """Training rows that were reported as fraud too late, and so were learned as legitimate."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the time that is left beside the label delay; `tune` is a share of the training."""

    test: float = 0.2
    calibration: float = 0.2
    tune: float = 0.2

    def check(self) -> None:
        """Raise SetupError unless every part has some time."""
        usable = (
            0 <= self.test < 1
            and 0 < self.calibration < 1
            and 0 < self.tune < 1
            and self.test + self.calibration < 1
        )
        if not usable:
            raise SetupError(
                f"shares of {self.test:g} for the test, {self.calibration:g} for the calibration "
                f"and {self.tune:g} for finding the number of trees leave nothing to train on; "
                "choose shares above 0 (the test may be 0) that add up to less than 1"
            )


def split_by_time(dataset: Dataset, delay_days: float, shares: Shares) -> Split:
    """Split a data set.

    Args:
        dataset: sorted by time.
        delay_days: how long reports of fraud usually take.
        shares: how the time is shared out.

    Raises:
        SetupError: the shares leave nothing, the data set is too short for the delay, or a part
            lacks fraud or legitimate transfers.

    """
    shares.check()
    delay_ms = round(delay_days * DAY_MS)
    times = _times(dataset, delay_ms, shares)
    begin, tune, end, calibrate, cut = np.searchsorted(
        dataset.time_ms,
        [
            times.fit_from_ms,
            times.tune_from_ms,
            times.train_until_ms,
            times.calibrate_from_ms,
            times.cut_ms,
        ],
    )
    known = labels_known_at(
        dataset.label,
        dataset.label_known_ms,
        dataset.time_ms,
        when_ms=times.calibrate_from_ms,
        delay_ms=delay_ms,
    )
    late = int((known[begin:end] != dataset.label[begin:end]).sum())
    calibration_label = labels_known_at(
        dataset.label,
        dataset.label_known_ms,
        dataset.time_ms,
        when_ms=times.cut_ms + delay_ms,
        delay_ms=delay_ms,
    )
    split = Split(
        times=times,
        fit=_part(dataset, known, begin, tune),
        tune=_part(dataset, known, tune, end),
        calibration=_part(dataset, calibration_label, calibrate, cut),
        frauds_unknown_in_time=late,
    )
    for name, part in (("fit", split.fit), ("calibration", split.calibration)):
        _check_classes(name, part)
    return split


def _times(dataset: Dataset, delay_ms: int, shares: Shares) -> Times:
    begin = int(dataset.time_ms[0])
    mature_until = min(int(dataset.time_ms[-1]) + 1, dataset.meta.as_of_ms - delay_ms + 1)
    usable = mature_until - begin - delay_ms
    if usable <= 0:
        days = (int(dataset.time_ms[-1]) - begin) / DAY_MS
        raise SetupError(
            f"the data set spans {days:.1f} days; labels mature {delay_ms / DAY_MS:g} days late, "
            "and the same gap is left before the calibration, so that nothing remains to train on; "
            "build it from more days, or give a smaller --delay-days"
        )
    cut = mature_until - int(shares.test * usable)
    calibrate_from = cut - int(shares.calibration * usable)
    train_until = calibrate_from - delay_ms
    tune_from = train_until - int(shares.tune * (train_until - begin))
    return Times(begin, tune_from, train_until, calibrate_from, cut, mature_until)


def _part(dataset: Dataset, label: npt.NDArray[np.int8], begin: np.int64, end: np.int64) -> Part:
    labelled = np.flatnonzero(label[begin:end] != UNLABELLED) + begin
    return Part(
        dataset.stored_vectors[labelled],
        label[labelled],
        dataset.weight[labelled],
        dataset.fraud_type[labelled],
    )


def joined(first: Part, second: Part) -> Part:
    """Return the rows of both."""
    return Part(
        joined_vectors(first.vectors, second.vectors),
        np.concatenate([first.label, second.label]),
        np.concatenate([first.weight, second.weight]),
        np.concatenate([first.fraud_type, second.fraud_type]),
    )


def _check_classes(name: str, part: Part) -> None:
    if part.frauds == 0 or part.frauds == len(part.label):
        kind = "no fraud" if part.frauds == 0 else "nothing but fraud"
        raise SetupError(
            f"the {name} days hold {kind} among {len(part.label)} labelled transfers, so that "
            "there is nothing to tell apart; build the data set from more days, or from a world "
            "with more fraud"
        )
