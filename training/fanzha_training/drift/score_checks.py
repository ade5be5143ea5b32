"""Compares one day's points with the reference: their distribution, their mean, and alerts."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import polars as pl
from scipy.stats import norm

from fanzha.domain.vocabulary import Channel, CustomerSegment, DecisionKind
from fanzha_training.drift.check import Check, judged
from fanzha_training.drift.feature_checks import psi_check
from fanzha_training.drift.intervals import rate_interval, times_apart
from fanzha_training.drift.limits import Limits
from fanzha_training.drift.psi import Floats
from fanzha_training.drift.reference import Group, Reference

Lines = dict[DecisionKind, dict[Group, int]]
"""For CONFIRM and PAUSE the points from which on they are due, for every channel and segment."""

SHOWN_CHANCE: Final = 0.05
"""Intervals are shown at 95 %; judged are wider ones."""


@dataclass(frozen=True, slots=True)
class AlertRate:
    """Share of decisions with enough points for a decision, with its 95 % interval."""

    decision: str
    alerts: int
    rate: float
    low: float
    high: float
    reference: float


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """Points of one day."""

    rows: int
    psi: float
    mean_points: float
    mean_points_reference: float
    shares: tuple[float, ...]
    """In the bins of the reference."""
    alerts: tuple[AlertRate, ...]
    checks: tuple[Check, ...]


def score_drift(
    frame: pl.DataFrame, reference: Reference, lines: Lines, limits: Limits
) -> ScoreDrift:
    """Return how the points of a day's decisions differ.

    Args:
        frame: channel, payer_segment and points, none of them null; at least one row.
        reference: what they are compared with.
        lines: the policy's thresholds.
        limits: from when on a difference counts.

    """
    points = frame["points"].to_numpy().astype(np.float32)
    counts = reference.points.counts(points)
    expected = np.array(reference.points.shares) * reference.calibrated.looked_at
    index = psi_check("score_psi", "", expected, counts, limits, limits.chance)
    rates = [_alert_rate(frame, kind, lines[kind], reference) for kind in lines]
    return ScoreDrift(
        rows=len(points),
        psi=index.found or 0.0,
        mean_points=float(points.mean()),
        mean_points_reference=reference.points_mean,
        shares=tuple(float(share) for share in counts / len(points)),
        alerts=tuple(rates),
        checks=(
            index,
            _mean(points.astype(np.float64), reference, limits),
            *(_alerts(rate, len(points), reference, limits) for rate in rates),
        ),
    )


def _mean(points: Floats, reference: Reference, limits: Limits) -> Check:
    found, before = float(points.mean()), reference.points_mean
    deviation = sqrt(
        points.var() / len(points) + reference.points_deviation**2 / reference.calibrated.looked_at
    )
    noise = float(norm.isf(limits.chance / 2)) * deviation
    pair = limits.mean_points
    state = judged(abs(found - before) - noise, pair)
    text = f"mean of {found:.0f} points, in the reference {before:.0f}"
    return Check("mean_points", "", state, found, before, noise, pair.warn, pair.alarm, text)


def _alert_rate(
    frame: pl.DataFrame, kind: DecisionKind, lines: dict[Group, int], reference: Reference
) -> AlertRate:
    table = pl.DataFrame(
        [(int(channel), int(segment), points) for (channel, segment), points in lines.items()],
        schema={"channel": pl.Int64, "payer_segment": pl.Int64, "line": pl.Int64},
        orient="row",
    )
    due = frame.select(
        pl.col("channel").cast(pl.Int64), pl.col("payer_segment").cast(pl.Int64), "points"
    ).join(table, on=["channel", "payer_segment"], how="left")
    alerts = due.filter(pl.col("points") >= pl.col("line").fill_null(default_line(lines))).height
    low, high = rate_interval(alerts, len(frame), SHOWN_CHANCE)
    rate = alerts / len(frame)
    return AlertRate(kind.name.lower(), alerts, rate, low, high, reference.alert_rate(lines))


def default_line(lines: dict[Group, int]) -> int:
    """Return the line for what a newer service might name and this code does not know."""
    return lines[Channel.UNSPECIFIED, CustomerSegment.UNSPECIFIED]


def _alerts(rate: AlertRate, rows: int, reference: Reference, limits: Limits) -> Check:
    before_rows = reference.calibrated.looked_at
    found = rate_interval(rate.alerts, rows, limits.chance)
    before = rate_interval(rate.reference * before_rows, before_rows, limits.chance)
    factor = times_apart(found, before)
    pair = limits.alerts
    text = f"{rate.rate:.3%} with points to {rate.decision}, in the reference {rate.reference:.3%}"
    return Check(
        check="alerts",
        subject=rate.decision,
        state=judged(factor, pair),
        found=rate.rate,
        reference=rate.reference,
        noise=(found[1] - found[0]) / 2,
        warn=pair.warn,
        alarm=pair.alarm,
        text=text,
    )
