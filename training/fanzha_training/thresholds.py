"""Points at which a policy confirms or pauses, and the margins at which a model reaches them."""

import math
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.points import DECADES_BELOW_EVEN, POINTS_PER_DECADE
from fanzha.domain.vocabulary import DecisionKind
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha_training.calibrate import Calibration

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_HALF: Final = 0.5
"""Points are rounded before they are compared with a threshold."""


def decision_points(policy: Path = DEFAULT_POLICY) -> Ints:
    """Return all points from which a policy confirms or pauses somewhere, sorted.

    Raises:
        FileRefusedError: the policy has faults.

    """
    stated = load_policy(policy).thresholds.values()
    return np.array(sorted({x for y in stated for x in (y.confirm_points, y.pause_points)}))


def margins_at(points: Ints, calibration: Calibration) -> Floats:
    """Return the least margins that give so many points, float64."""
    log_odds = ((points - _HALF) / POINTS_PER_DECADE - DECADES_BELOW_EVEN) * math.log(10)
    return (log_odds - calibration.intercept) / calibration.slope


def reached(points: Ints, thresholds: Ints) -> Ints:
    """Return how many of the thresholds each number of points reaches."""
    return np.searchsorted(thresholds, points, side="right")


def decisions_by_score(
    points: Ints, channel: Ints, segment: Ints, policy: Path = DEFAULT_POLICY
) -> Ints:
    """Return what the score alone asks for: `DecisionKind` ALLOW, CONFIRM or PAUSE.

    Args:
        points: of the score, 0 to 1000.
        channel: codes of `Channel`.
        segment: codes of `CustomerSegment`.
        policy: the policy's file.

    Raises:
        FileRefusedError: the policy has faults.

    """
    kinds = np.full(len(points), int(DecisionKind.ALLOW), np.int64)
    for (where, who), limits in load_policy(policy).thresholds.items():
        chosen = (channel == int(where)) & (segment == int(who))
        kinds[chosen & (points >= limits.confirm_points)] = int(DecisionKind.CONFIRM)
        kinds[chosen & (points >= limits.pause_points)] = int(DecisionKind.PAUSE)
    return kinds
