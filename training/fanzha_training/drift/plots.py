"""Plots of the page of drift."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from fanzha_training.drift.calibration_checks import CalibrationDrift
from fanzha_training.drift.check import State
from fanzha_training.drift.found import ModelOfDay
from fanzha_training.html_page import axes

COLORS: Final = {
    State.OK: "#2e7d32",
    State.TOO_FEW: "#78909c",
    State.NO_REFERENCE: "#78909c",
    State.WARN: "#ef8f00",
    State.ALARM: "#c62828",
}
_ROWS_MAX: Final = 30
_WORST: Final = 6
_PSI_MAX: Final = 0.5
_HEAT: Final = LinearSegmentedColormap.from_list(
    "psi", [(0, "#edf7ed"), (0.2, "#ffe082"), (0.5, "#ef6c00"), (1, "#8e0000")]
)
_GREY: Final = "#90a4ae"
_BLUE: Final = "#1565c0"
_NAME_MAX: Final = 22

Days = Sequence[tuple[date, ModelOfDay]]
"""Days of one model on which features were compared."""


def heat_map(days: Days) -> Figure:
    """Return the index of the worst features by day."""
    index = {
        feature.feature: [_psi_on(model, feature.feature) for _, model in days]
        for feature in days[0][1].features
        if feature.psi is not None
    }
    names = sorted(index, key=lambda name: -max(index[name]))[:_ROWS_MAX]
    values = np.array([index[name] for name in names])
    figure = Figure(figsize=(9, 1.2 + 0.24 * len(names)), layout="constrained")
    plot = figure.add_subplot()
    shown = plot.imshow(values, cmap=_HEAT, vmin=0, vmax=_PSI_MAX, aspect="auto")
    plot.set_yticks(range(len(names)), names, fontsize=8)
    plot.set_xticks(range(len(days)), [f"{day:%m-%d}" for day, _ in days], fontsize=8)
    plot.tick_params(axis="x", rotation=90 if len(days) > 12 else 0)
    if len(days) <= 14:
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                color = "white" if value > 0.6 * _PSI_MAX else "black"
                text = f"{value:.2f}"
                plot.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    figure.colorbar(shown, ax=plot, label="PSI", extend="max", shrink=min(1, 12 / len(names)))
    return figure


def _psi_on(model: ModelOfDay, name: str) -> float:
    return next((each.psi or 0.0 for each in model.features if each.feature == name), 0.0)


def worst_features(days: Days) -> Figure:
    """Return the distributions of the worst features, each on its worst day."""
    worst: dict[str, tuple[float, date, ModelOfDay]] = {}
    for day, model in days:
        for feature in model.features:
            found = feature.psi
            if found is not None and found > worst.get(feature.feature, (-1.0, day, model))[0]:
                worst[feature.feature] = found, day, model
    names = sorted(worst, key=lambda name: -worst[name][0])[:_WORST]
    figure = Figure(figsize=(9.5, 2.7 * -(-len(names) // 2)), layout="constrained")
    for place, name in enumerate(names):
        found, day, model = worst[name]
        plot = figure.add_subplot(-(-len(names) // 2), 2, place + 1)
        _distribution(plot, name, model)
        plot.set_title(f"{name}, {day:%m-%d}: PSI {found:.2f}", fontsize=9)
    return figure


def _distribution(plot: Any, name: str, model: ModelOfDay) -> None:  # noqa: ANN401 - Matplotlib
    feature = next(each for each in model.features if each.feature == name)
    if model.reference is None:
        raise AssertionError("features are compared with a reference")
    bins = model.reference.features[name]
    _bars(plot, bins.names(), bins.shares, feature.shares)


def _bars(
    plot: Any,  # noqa: ANN401 - Matplotlib
    names: Sequence[str],
    reference: Sequence[float],
    found: Sequence[float],
) -> None:
    used = [place for place in range(len(names)) if reference[place] or found[place]]
    at = np.arange(len(used))
    plot.bar(at - 0.2, [reference[place] for place in used], 0.4, color=_GREY, label="reference")
    plot.bar(at + 0.2, [found[place] for place in used], 0.4, color=_BLUE, label="day")
    plot.set_xticks(at, [names[place][:_NAME_MAX] for place in used], rotation=60, fontsize=6)
    plot.tick_params(axis="y", labelsize=7)
    plot.yaxis.set_major_formatter("{x:.0%}")


def points(days: Days) -> Figure:
    """Return the distribution of the points on the last day, and their mean by day."""
    scored = [(day, model, model.score) for day, model in days if model.score is not None]
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    day, model, score = scored[-1]
    if model.reference is None:
        raise AssertionError("points are compared with a reference")
    _bars(left, model.reference.points.names(), model.reference.points.shares, score.shares)
    left.set_title(f"points on {day:%m-%d}: PSI {score.psi:.2f}", fontsize=9)
    right.plot(
        [f"{day:%m-%d}" for day, _, _ in scored],
        [each.mean_points for _, _, each in scored],
        "o-",
        color=_BLUE,
    )
    right.axhline(score.mean_points_reference, color=_GREY, linestyle="--")
    right.set_title("mean points", fontsize=9)
    right.tick_params(axis="x", rotation=60, labelsize=7)
    right.margins(y=0.4)
    right.grid(visible=True, alpha=0.3)
    return figure


def alerts(days: Days) -> Figure:
    """Return the alert rates by day, with their intervals and the reference."""
    figure, plot = axes("day", "share of decisions")
    scored = [(day, model.score) for day, model in days if model.score is not None]
    for color, alert in zip((_BLUE, "#c62828"), scored[-1][1].alerts, strict=True):
        of_days = [
            (f"{day:%m-%d}", each)
            for day, score in scored
            for each in score.alerts
            if each.decision == alert.decision
        ]
        rates = np.array([each.rate for _, each in of_days])
        below = rates - [each.low for _, each in of_days]
        above = [each.high for _, each in of_days] - rates
        plot.errorbar(
            [day for day, _ in of_days], rates, yerr=np.clip([below, above], 0, None), fmt="o",
            capsize=4, color=color, label=f"points to {alert.decision}",
        )  # fmt: skip
        plot.axhline(alert.reference, color=color, linestyle="--", linewidth=1)
    plot.yaxis.set_major_formatter("{x:.2%}")
    plot.tick_params(axis="x", rotation=60, labelsize=8)
    plot.set_ylim(bottom=0)
    plot.legend()
    return figure


def reliability(found: Sequence[CalibrationDrift]) -> Figure:
    """Return the observed rate by mean predicted probability, with 95 % intervals."""
    figure, plot = axes("mean predicted probability", "observed share of fraud")
    least = min(bin_.mean_predicted for each in found for bin_ in each.bins)
    plot.plot([least, 1], [least, 1], color=_GREY, linewidth=1)
    for each in found:
        predicted = [bin_.mean_predicted for bin_ in each.bins]
        seen = np.array([bin_.observed_rate for bin_ in each.bins])
        below = seen - [bin_.low for bin_ in each.bins]
        above = [bin_.high for bin_ in each.bins] - seen
        plot.errorbar(
            predicted, seen, yerr=np.clip([below, above], 0, None), fmt="o", capsize=3,
            label=each.model,
        )  # fmt: skip
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.legend()
    return figure
