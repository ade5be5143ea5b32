"""Points of many transfers at once, as the service shows them: see `fanzha.domain.points`."""

import math

import numpy as np
import numpy.typing as npt

from fanzha.domain.points import DECADES_BELOW_EVEN, POINTS_MAX, POINTS_PER_DECADE


def points_of(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the points of calibrated log-odds (slope × margin + intercept), rounded, 0 to 1000.

    As `fanzha.pipeline.score.head_score`; a test holds both together.
    """
    points = POINTS_PER_DECADE * (log_odds / math.log(10) + DECADES_BELOW_EVEN)
    return np.rint(np.clip(points, 0, POINTS_MAX)).astype(np.int64)
