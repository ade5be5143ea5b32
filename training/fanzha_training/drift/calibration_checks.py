"""Whether probabilities still hold: frauds expected against frauds reported, on matured labels."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from fanzha_training.dataset import UNLABELLED
from fanzha_training.drift.check import Check, State, judged
from fanzha_training.drift.intervals import count_interval, times_apart
from fanzha_training.drift.limits import Limits
from fanzha_training.drift.matured import Matured
from fanzha_training.drift.psi import Floats
from fanzha_training.drift.score_checks import SHOWN_CHANCE
from fanzha_training.metrics import equal_fraud_bins


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Decisions of about one probability; bins hold equal numbers of expected frauds."""

    decisions: int
    mean_predicted: float
    observed_rate: float
    low: float
    """95 % interval of the observed rate."""
    high: float


@dataclass(frozen=True, slots=True)
class CalibrationDrift:
    """One model's probabilities in one window of matured days."""

    model: str
    first_day: date
    last_day: date
    labelled: int
    unlabelled: int
    """Held back, or reported without a verdict; they are not compared."""
    frauds_expected: float
    frauds_observed: int
    observed_low: float
    """95 % interval of the observed number."""
    observed_high: float
    expected_calibration_error: float | None
    """None with too few frauds."""
    bins: tuple[ReliabilityBin, ...]
    check: Check


def calibration_drifts(
    found: Matured, first_day: date, last_day: date, limits: Limits
) -> list[CalibrationDrift]:
    """Return the calibration of each model that decided in a window, by name."""
    return [
        _of_model(str(model), found, found.model == model, (first_day, last_day), limits)
        for model in np.unique(found.model)
    ]


def _of_model(
    model: str,
    found: Matured,
    chosen: npt.NDArray[np.bool_],
    days: tuple[date, date],
    limits: Limits,
) -> CalibrationDrift:
    labelled = chosen & (found.label != UNLABELLED)
    probability, fraud = found.probability[labelled], found.label[labelled] == 1
    expected, observed = float(probability.sum()), int(fraud.sum())
    low, high = count_interval(observed, SHOWN_CHANCE)
    check = _check(expected, observed, limits)
    enough = check.state is not State.TOO_FEW
    bins = _reliability(probability, fraud) if enough else ()
    rows = int(labelled.sum())
    error = sum(each.decisions * abs(each.mean_predicted - each.observed_rate) for each in bins)
    return CalibrationDrift(
        model=model,
        first_day=days[0],
        last_day=days[1],
        labelled=rows,
        unlabelled=int(chosen.sum()) - rows,
        frauds_expected=expected,
        frauds_observed=observed,
        observed_low=low,
        observed_high=high,
        expected_calibration_error=error / rows if enough else None,
        bins=bins,
        check=check,
    )


def _check(expected: float, observed: int, limits: Limits) -> Check:
    pair = limits.calibration
    low, high = count_interval(observed, limits.chance)
    text = f"{observed:,} frauds were reported, {expected:,.1f} expected"
    if max(expected, observed) < limits.frauds_min:
        text += f"; too few to judge by (at least {limits.frauds_min})"
        state = State.TOO_FEW
    else:
        state = judged(times_apart((low, high), (expected, expected)), pair)
    return Check(
        check="calibration",
        subject="",
        state=state,
        found=float(observed),
        reference=expected,
        noise=(high - low) / 2,
        warn=pair.warn,
        alarm=pair.alarm,
        text=text,
    )


def _reliability(probability: Floats, fraud: npt.NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    order = np.argsort(probability, kind="stable")
    predicted, seen = probability[order], fraud[order]
    bin_of = equal_fraud_bins(predicted, np.ones(len(predicted)))
    bins = []
    for number in np.unique(bin_of):
        chosen = bin_of == number
        rows, frauds = int(chosen.sum()), int(seen[chosen].sum())
        low, high = count_interval(frauds, SHOWN_CHANCE)
        mean = float(predicted[chosen].mean())
        bins.append(ReliabilityBin(rows, mean, frauds / rows, low / rows, min(high / rows, 1.0)))
    return tuple(bins)
