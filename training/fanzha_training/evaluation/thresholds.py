"""What decision thresholds alert, and what that costs: a grid of points, and the bank's policy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.points import POINTS_MAX
from fanzha.domain.vocabulary import Channel, CustomerSegment, DecisionKind
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha_training.evaluation.assumptions import Assumptions
from fanzha_training.evaluation.cases import Ints
from fanzha_training.evaluation.measure import Catch, Draw, catch_of
from fanzha_training.evaluation.sample import Floats, Sample

GRID: Final = np.arange(0, POINTS_MAX + 1, 25)


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """Points from which a policy confirms and pauses, int64 (channels, segments) by their numbers.

    `version` is the policy's.
    """

    version: str
    confirm: Ints
    pause: Ints
    typology_min: float
    """Probability of a type of fraud from which the prompt speaks of it."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Transfers that each threshold alerts: those of the grid, then decisions by their names."""

    prefix: Ints
    """How many transfers of the sample each threshold of the grid alerts."""
    decided: dict[str, Ints]
    """The transfers that decisions alert, by name: those from CONFIRM up, then from PAUSE up."""
    catch: Catch
    amount: Floats
    """Of every transfer of the sample, minor units."""

    def false(self, draw: Draw) -> tuple[Floats, Floats]:
        """Return number and money of false alerts, each (thresholds, 1)."""
        counts = [draw.legitimate[rows].sum() for rows in self.decided.values()]
        money = [draw.legitimate[rows] @ self.amount[rows] for rows in self.decided.values()]
        return (
            np.append(draw.false[self.prefix], counts)[:, None],
            np.append(draw.false_money[self.prefix], money)[:, None],
        )


def policy_limits(path: Path = DEFAULT_POLICY) -> PolicyLimits:
    """Read the thresholds of a policy.

    Raises:
        FileRefusedError: the policy has faults.

    """
    policy = load_policy(path)
    shape = (len(Channel), len(CustomerSegment))
    confirm, pause = np.empty(shape, np.int64), np.empty(shape, np.int64)
    for place, limits in policy.thresholds.items():
        confirm[place], pause[place] = limits.confirm_points, limits.pause_points
    return PolicyLimits(policy.version, confirm, pause, policy.typology.min_probability)


def thresholds_of(sample: Sample, limits: PolicyLimits | None, stop_rate: float) -> Thresholds:
    """Return what the grid alerts, the policy if one decides by the score, and what was served.

    Served decisions came from all of the policy, its rules and lists too. They are left out unless
    every transfer has one.
    """
    prefix = np.searchsorted(-sample.points, -GRID, side="right")
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    if limits is not None:
        place = sample.channel, sample.segment
        masks["policy_confirm"] = sample.points >= limits.confirm[place]
        masks["policy_pause"] = sample.points >= limits.pause[place]
        if (sample.decision != DecisionKind.UNSPECIFIED).all():
            masks["served_confirm"] = sample.decision >= DecisionKind.CONFIRM
            masks["served_pause"] = sample.decision >= DecisionKind.PAUSE
    alerted = np.concatenate(
        [
            sample.cases.row < prefix[:, None],
            *(mask[None, sample.cases.row] for mask in masks.values()),
        ]
    )
    decided = {name: np.flatnonzero(mask) for name, mask in masks.items()}
    return Thresholds(prefix, decided, catch_of(sample.cases, alerted, stop_rate), sample.amount)


def cost_lines(
    rates: dict[str, Floats], alerts: Floats, draw: Draw, sample: Sample,
    assumptions: Assumptions, days: float,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return for each threshold what a day with it brings and costs, at the true base rate.

    Args:
        rates: figures by name, each float64 (thresholds,).
        alerts: alerts at each threshold, weighted as the draw's transfers.
        draw: the data as they are.
        sample: the transfers.
        assumptions: unit costs.
        days: how long the data took.

    """
    per_day = assumptions.transfers_per_day or len(sample) / days
    scale = per_day / draw.transfers
    # CONFIRM asks the customer; only from PAUSE up, the next one, does staff look at an alert.
    reviews = alerts.copy()
    reviews[len(GRID) :: 2] = reviews[len(GRID) + 1 :: 2]
    fraud_money = float(sample.amount[sample.cases.row] @ draw.fraud) * scale
    hits = rates["recall"] * draw.hits[-1]
    lines = []
    for place, count in enumerate(alerts):
        review = reviews[place] * scale * assumptions.review_minutes * assumptions.minute_cost_minor
        friction = (count - hits[place]) * scale * assumptions.friction_minor
        lost = fraud_money * assumptions.loss_share
        avoided = lost * rates["money_saved_expected"][place]
        lines.append(
            {
                "alerts_per_1000": float(1000 * count / draw.transfers),
                "alerts_per_day": float(count * scale),
                "reviews_per_day": float(reviews[place] * scale),
                "review_cost_minor_per_day": float(review),
                "friction_minor_per_day": float(friction),
                "loss_avoided_minor_per_day": float(avoided),
                "loss_left_minor_per_day": float(lost - avoided),
                "net_minor_per_day": float(avoided - review - friction),
            }
        )
    return lines
