"""Which figures are measured of a sample, and how they are told: a value with its interval."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from fanzha_training.evaluation.bootstrap import as_json, interval
from fanzha_training.evaluation.cases import Ints
from fanzha_training.evaluation.groups import Groups
from fanzha_training.evaluation.measure import (
    Draw,
    alerted_frauds,
    average_precision,
    catch_of,
    draw_of,
    observed_rates,
    precision_at,
    prefixes_within,
    rates,
)
from fanzha_training.evaluation.sample import Floats, Sample
from fanzha_training.evaluation.thresholds import Thresholds
from fanzha_training.metrics import BUDGETS_PER_1000

RECALLS: Final = np.arange(1, 51) / 50
SAVINGS: Final = ("money_saved", "money_saved_expected")
"""Figures of a victim's case; the money that a mule passes on is none's savings."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured of every draw."""

    groups: Groups
    overall: Groups
    """One group, of all."""
    thresholds: Thresholds
    cuts: Ints
    """Between each two lies one bin of the reliability plot; lengths of prefixes, rising."""
    stop_rate: float


def measured(sample: Sample, plan: Plan, times: Floats) -> dict[str, Floats]:
    """Return all figures with each account counted as often as `times` says.

    Names begin with `budgets.` (budgets, groups), `thresholds.` (thresholds, 1), or are
    `average_precision` (), `precision` (recalls,) and `observed` (bins,).
    """
    draw = draw_of(sample, times)
    found = at_budgets(sample, draw, BUDGETS_PER_1000, plan.groups, plan.stop_rate)
    figures = {f"budgets.{name}": values for name, values in found.items()}
    thresholds = plan.thresholds
    found = rates(sample, draw, thresholds.catch, plan.overall, thresholds.false(draw))
    figures |= {f"thresholds.{name}": values for name, values in found.items()}
    return figures | {
        "average_precision": np.array(average_precision(sample, draw)),
        "precision": precision_at(sample, draw, RECALLS),
        "observed": observed_rates(draw, plan.cuts),
    }


def at_budgets(
    sample: Sample, draw: Draw, budgets: tuple[float, ...], groups: Groups, stop_rate: float
) -> dict[str, Floats]:
    """Return the figures at alert budgets, each float64 (budgets, groups).

    The bank has one threshold: it is chosen for all transfers, whatever the group.
    """
    prefix = prefixes_within(sample, draw, budgets)
    catch = catch_of(sample.cases, alerted_frauds(sample, prefix), stop_rate)
    most = int(prefix.max())
    false = (
        groups.false_within(prefix, draw.legitimate),
        groups.false_within(prefix, draw.legitimate[:most] * sample.amount[:most]),
    )
    return rates(sample, draw, catch, groups, false)


@dataclass(frozen=True, slots=True)
class Estimates:
    """Figures of the data as they are, and of all draws, by the names of `measured`."""

    value: dict[str, Floats]
    draws: dict[str, Floats]

    def ends(self, name: str) -> tuple[Floats, Floats]:
        """Return the low and high ends of a figure's interval; NaN without draws."""
        if name not in self.draws:
            none = np.full_like(self.value[name], np.nan)
            return none, none
        return interval(self.draws[name])

    def told(self, name: str) -> "Told":
        """Return a figure, ready to be told."""
        return Told(self.value[name], *self.ends(name))


@dataclass(frozen=True, slots=True)
class Told:
    """A figure's values and the ends of their intervals, of one shape."""

    value: Floats
    low: Floats
    high: Floats

    def at(self, *place: int, sure: bool = True) -> dict[str, Any]:
        """Return `value`, `low` and `high` at a place as JSON; only the value if not `sure`."""
        ends = (self.low[place], self.high[place]) if sure else (np.nan, np.nan)
        return {
            "value": as_json(self.value[place]),
            "low": as_json(ends[0]),
            "high": as_json(ends[1]),
        }
