"""Turns margins into probabilities: Platt scaling in float64, then moved to the true base rate.

Platt (1999), "Probabilistic outputs for support vector machines"; the fit is Newton's method with
backtracking and Platt's smoothed targets, after Lin, Lin & Weng (2007), "A note on Platt's
probabilistic outputs". The move of the intercept is the prior correction of King & Zeng (2001),
"Logistic regression in rare events data".
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import SetupError

Floats = npt.NDArray[np.float64]

_STEPS_MAX = 100
_GRADIENT_ENOUGH = 1e-10
_RIDGE = 1e-12
"""Keeps the Hessian invertible where all probabilities are nearly 0."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Probability = sigmoid(slope × margin + intercept), at the true base rate.

    `prior_shift` is what the move to that rate added to the intercept; without it, probabilities
    hold for data with the fraud rate of the calibration days.
    """

    slope: float
    intercept: float
    prior_shift: float
    observed_rate: float
    """Share of fraud on the calibration days."""
    base_rate: float
    """Share of fraud that probabilities are stated for."""

    @property
    def stated_rate(self) -> float | None:
        """The base rate, if training was told one; None if it is the calibration days' own."""
        return self.base_rate if self.prior_shift else None

    def log_odds(self, margin: Floats) -> Floats:
        """Return calibrated log-odds at the true base rate."""
        return self.slope * margin + self.intercept

    def probability(self, margin: Floats) -> Floats:
        """Return probabilities at the true base rate."""
        return sigmoid(self.log_odds(margin))

    def probability_in_data(self, margin: Floats) -> Floats:
        """Return probabilities at the fraud rate of the calibration days."""
        return sigmoid(self.slope * margin + self.intercept - self.prior_shift)

    def probability_at(self, margin: Floats, base_rate: float | None) -> Floats:
        """Return probabilities at another share of fraud; None: that of the calibration days."""
        if base_rate is None:
            return self.probability_in_data(margin)
        shift = logit(base_rate) - logit(self.observed_rate)
        return sigmoid(self.slope * margin + self.intercept - self.prior_shift + shift)


def sigmoid(margin: Floats) -> Floats:
    """Return 1 ÷ (1 + exp(−margin)) without overflow, float64."""
    small = np.exp(-np.abs(margin))
    return np.where(margin >= 0, 1.0, small) / (1.0 + small)


def logit(probability: float) -> float:
    """Return the log-odds of a probability above 0 and below 1."""
    return math.log(probability) - math.log1p(-probability)


def shifted(label: npt.NDArray[np.int8], shift: float) -> float | None:
    """Return the share of positive labels after their odds are moved by exp(shift).

    Data that over-sample fraud over-sample its mules by the same odds, so that the true rate of
    mules' transfers follows from the true rate of fraud. None where nothing is moved.
    """
    if shift == 0:
        return None
    odds = logit(float((label == 1).mean())) + shift
    return float(sigmoid(np.array(odds)))


def calibrate(margin: Floats, label: npt.NDArray[np.int8], base_rate: float | None) -> Calibration:
    """Fit slope and intercept.

    Args:
        margin: raw margins of the calibration days.
        label: 1 or 0 for each.
        base_rate: true share of fraud among all transfers, above 0 and below 1, where the data hold
            more or less of it than reality; None: as much as on the calibration days.

    Raises:
        SetupError: the base rate is out of range, or fraud does not get higher margins than the
            rest, so that no calibration can help.

    """
    if base_rate is not None and not 0 < base_rate < 1:
        raise SetupError(f"--base-rate is {base_rate:g}; it must be above 0 and below 1")
    slope, intercept = _platt(margin, label)
    # Of margins that are all the same, any slope says the same.
    if slope <= 0 or margin.min() == margin.max():
        raise SetupError(
            "on the calibration days fraud gets no higher margins than the rest: the model learned "
            "nothing that holds later; train on more days or more fraud"
        )
    observed = float((label == 1).mean())
    wanted = observed if base_rate is None else base_rate
    shift = logit(wanted) - logit(observed)
    return Calibration(slope, intercept + shift, shift, observed, wanted)


def _platt(margin: Floats, label: npt.NDArray[np.int8]) -> tuple[float, float]:
    frauds = int((label == 1).sum())
    rest = len(label) - frauds
    target = np.where(label == 1, (frauds + 1) / (frauds + 2), 1 / (rest + 2))
    slope, intercept = 0.0, math.log((frauds + 1) / (rest + 1))
    loss = _loss(margin, target, slope, intercept)
    for _ in range(_STEPS_MAX):
        probability = sigmoid(slope * margin + intercept)
        error = probability - target
        gradient = np.array([(error * margin).sum(), error.sum()])
        if np.abs(gradient).max() < _GRADIENT_ENOUGH * len(label):
            break
        weight = probability * (1 - probability)
        hessian = np.array(
            [
                [(weight * margin * margin).sum() + _RIDGE, (weight * margin).sum()],
                [(weight * margin).sum(), weight.sum() + _RIDGE],
            ]
        )
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > _GRADIENT_ENOUGH:
            tried = slope - size * step[0], intercept - size * step[1]
            new_loss = _loss(margin, target, *tried)
            if new_loss < loss:
                slope, intercept, loss = float(tried[0]), float(tried[1]), new_loss
                break
            size /= 2
        else:
            break
    return slope, intercept


def _loss(margin: Floats, target: Floats, slope: float, intercept: float) -> float:
    """Return the cross entropy, stable for large margins."""
    z = slope * margin + intercept
    return float((np.logaddexp(0, z) - target * z).sum())
