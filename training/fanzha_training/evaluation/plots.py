"""Plots of one head's evaluation, of one model or two."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fanzha_training.evaluation.wording import TITLES
from fanzha_training.html_page import axes

_COLOURS: Final = ("#1f5fa8", "#d1731f")
_SHADES: Final = ("#1f5fa8", "#2f8f5b", "#8a4fa3")
_MEANT: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def precision_recall(models: list[dict[str, Any]], base_rate: float) -> Figure:
    """Return precision by recall, with intervals; grey: alerts by chance."""
    figure, plot = axes("recall (share of fraudulent transfers alerted)", "precision")
    for figures, colour in zip(models, _COLOURS, strict=False):
        curve = figures["precision_recall"]
        recall = [point["recall"] for point in curve]
        ends = {end: _filled(curve, end) for end in ("value", "low", "high")}
        plot.plot(recall, ends["value"], color=colour, label=figures["model"])
        plot.fill_between(recall, ends["low"], ends["high"], color=colour, alpha=0.15)
    plot.axhline(base_rate, color="grey", linewidth=1, linestyle="--", label="by chance")
    plot.set_yscale("log")
    plot.set_xlim(0, 1)
    plot.legend()
    return figure


def _filled(curve: list[dict[str, Any]], end: str) -> list[float]:
    return [np.nan if (value := point["precision"][end]) is None else value for point in curve]


def by_alerts(models: list[dict[str, Any]]) -> Figure:
    """Return what is caught by number of alerts; bars are intervals at the alert budgets."""
    figure, plot = axes("alerts per 1,000 transfers", "share caught")
    for number, figures in enumerate(models):
        curve = figures["by_alerts"]
        names = [name for name in ("value_detection_rate", "case_recall", "money_saved")
                 if name in curve[0]]  # fmt: skip
        for name, colour in zip(names, _SHADES, strict=False):
            plot.plot(
                [point["alerts_per_1000"] for point in curve],
                [point[name] for point in curve],
                color=colour,
                linestyle=("-", "--")[number],
                label=f"{TITLES[name]}, {figures['model']}" if len(models) > 1 else TITLES[name],
            )
            if name != "money_saved":
                _bars(plot, figures["budgets"], name, colour)
    plot.set_xscale("log")
    plot.set_xticks(_MEANT, [f"{rate:g}" for rate in _MEANT])
    plot.minorticks_off()
    plot.set_ylim(0, 1.02)
    plot.legend(fontsize=8)
    return figure


def _bars(plot: Axes, budgets: dict[str, Any], name: str, colour: str) -> None:
    # A little apart, so that the bars of two figures can be told from each other.
    aside = 0.98 if name == "case_recall" else 1.02
    for budget, at in budgets.items():
        low, high = at[name]["low"], at[name]["high"]
        if low is not None and high is not None:
            plot.plot([float(budget) * aside] * 2, [low, high], color=colour, linewidth=2,
                      alpha=0.5, solid_capstyle="butt")  # fmt: skip


def reliability(models: list[dict[str, Any]]) -> Figure:
    """Return observed by predicted share of fraud; on the line is a calibrated model."""
    figure, plot = axes("mean predicted probability of fraud", "observed share of fraud")
    seen: list[float] = []
    for figures, colour in zip(models, _COLOURS, strict=False):
        bins = [line for line in figures["calibration"]["bins"] if line["observed_rate"]["value"]]
        predicted = [line["mean_predicted"] for line in bins]
        observed = [line["observed_rate"]["value"] for line in bins]
        plot.plot(predicted, observed, "o", color=colour, label=figures["model"])
        for line in bins:
            low, high = line["observed_rate"]["low"], line["observed_rate"]["high"]
            if low and high:
                plot.plot([line["mean_predicted"]] * 2, [low, high], color=colour, alpha=0.5)
        seen += [*predicted, *observed]
    ends = [min(seen, default=1e-6), 1.0]
    plot.plot(ends, ends, color="grey", linewidth=1)
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.legend()
    return figure


def score_distribution(figures: dict[str, Any]) -> Figure:
    """Return how the scores of frauds and of legitimate transfers lie."""
    figure, plot = axes("score in points", "share of transfers of its kind")
    steps = figures["score_distribution"]
    edges = [step["points_from"] for step in steps]
    for kind, colour in (("legitimate", "#7a7a7a"), ("frauds", "#b3261e")):
        plot.step(edges, [step[kind] for step in steps], where="post", color=colour, label=kind)
    plot.set_yscale("log")
    plot.legend()
    return figure


def cost(lines: list[dict[str, Any]]) -> Figure:
    """Return what thresholds bring and cost in a day."""
    figure, plot = axes("threshold in points", "money a day, thousands of units")
    grid = [line for line in lines if line["points"] is not None]
    points = [line["points"] for line in grid]
    series = {
        "loss avoided": [line["loss_avoided_minor_per_day"] for line in grid],
        "reviews and friction": [
            line["review_cost_minor_per_day"] + line["friction_minor_per_day"] for line in grid
        ],
        "net": [line["net_minor_per_day"] for line in grid],
    }
    for (name, values), colour in zip(series.items(), ("#2f8f5b", "#b3261e", "#222"), strict=True):
        plot.plot(points, np.array(values) / 1e5, color=colour, label=name,
                  linewidth=2 if name == "net" else 1.2)  # fmt: skip
    most = max(series["loss avoided"], default=1.0) / 1e5 or 1.0
    # Low thresholds alert everything: their costs would hide all others.
    plot.set_ylim(-0.5 * most, 1.1 * most)
    plot.axhline(0, color="grey", linewidth=0.8)
    plot.legend()
    return figure


def by_group(groups: dict[str, Any], budget: str) -> Figure:
    """Return the value detection rate of each group that has enough cases, with intervals."""
    told = [(word, entry["budgets"][budget]["value_detection_rate"])
            for word, entry in reversed(groups.items()) if not entry["too_few"]]  # fmt: skip
    figure, plot = axes("value detection rate", "")
    figure.set_figheight(1.2 + 0.35 * len(told))
    for place, (_, rate) in enumerate(told):
        plot.plot(rate["value"] or 0, place, "o", color=_COLOURS[0])
        if rate["low"] is not None and rate["high"] is not None:
            plot.plot([rate["low"], rate["high"]], [place] * 2, color=_COLOURS[0], alpha=0.5)
    plot.set_yticks(range(len(told)), [word.replace("_", " ") for word, _ in told])
    plot.set_xlim(-0.02, 1.02)
    plot.set_ylim(-0.6, len(told) - 0.4)
    return figure
