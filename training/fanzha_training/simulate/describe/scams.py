"""Draws fraud by type: how often, how much, how it escalates, who is warned, what is reported."""

from collections.abc import Sequence, Sized

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fanzha_training.html_page import axes
from fanzha_training.simulate.describe.scene import COLORS, FRAUD, GREY, Scene
from fanzha_training.simulate.interventions import COACHED, INSISTED, NOT_WARNED, STOPPED

_STEPS = 7
_PER_MILLION_ENOUGH = 2000
_EPISODES_ENOUGH = 10
"""So many episodes of a type, on the average, are enough to look at."""
_EPISODES_LEAST = 3
"""A curve over fewer episodes says nothing."""


def frequency(scene: Scene) -> Figure:
    """Draw episodes and payments of each type."""
    names = scene.types()[::-1]
    by_type = _by_type(scene)
    figure, plot = axes("number in this world", "")
    place = np.arange(len(names))
    plot.barh(place + 0.2, [len(by_type[name]) for name in names], 0.4, color=GREY,
              label="episodes")  # fmt: skip
    plot.barh(place - 0.2, [int(by_type[name]["payments"].sum()) for name in names], 0.4,
              color=COLORS[FRAUD], label="payments")  # fmt: skip
    plot.set_yticks(place, [_spoken(name) for name in names])
    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    plot.legend()
    return figure


def amounts(scene: Scene) -> Figure:
    """Draw the amounts of victims' payments by type: 5 to 95 %, quartiles, median."""
    names = scene.types()[::-1]
    fraud = scene.of(FRAUD)
    figure, plot = axes("yuan", "")
    paid = [fraud.filter(pl.col("fraud_type") == name)["yuan"].to_numpy() for name in names]
    plot.boxplot(
        paid,
        tick_labels=_counted(names, paid),
        whis=(5, 95),
        showfliers=False,
        orientation="horizontal",
    )
    plot.set_xscale("log")
    return figure


def escalation(scene: Scene) -> Figure:
    """Draw the median payment of an episode by its number, relative to the first one."""
    steps = (
        scene.of(FRAUD)
        .sort("time_ms")
        .with_columns(
            step=pl.int_range(pl.len()).over("episode_id"),
            growth=pl.col("yuan") / pl.col("yuan").first().over("episode_id"),
        )
        .filter(pl.col("step") < _STEPS)
        .group_by("fraud_type", "step")
        .agg(pl.col("growth").median(), episodes=pl.len())
        .filter(pl.col("episodes") >= _EPISODES_LEAST)
        .sort("step")
    )
    figure, plot = axes("payment of the episode", "median, relative to the first")
    for number, name in enumerate(scene.types()):
        curve = steps.filter(pl.col("fraud_type") == name)
        plot.plot(
            curve["step"] + 1, curve["growth"], "o-" if number < 7 else "s--", label=_spoken(name),
            color=f"C{number % 10}",
        )  # fmt: skip
    plot.set_yscale("log")
    figure.legend(loc="outside right upper", fontsize="small")
    return figure


def delays(scene: Scene) -> Figure:
    """Draw after how many days episodes are reported, by type."""
    by_type = _by_type(scene)
    names = [name for name in scene.types()[::-1] if by_type[name]["delay_days"].count()]
    figure, plot = axes("days from the last payment to the report", "")
    waits = [by_type[name]["delay_days"].drop_nulls().to_numpy() for name in names]
    plot.boxplot(
        waits,
        tick_labels=_counted(names, waits),
        whis=(5, 95),
        showfliers=False,
        orientation="horizontal",
    )
    plot.set_xscale("log")
    return figure


def responses(scene: Scene) -> Figure:
    """Draw what victims did after a warning, by type."""
    names = scene.types()[::-1]
    by_type = _by_type(scene)
    colors = {
        NOT_WARNED: "#d9d9d9",
        STOPPED: "#54a24b",
        COACHED: "#b279a2",
        INSISTED: COLORS[FRAUD],
    }
    figure, plot = axes("share of episodes", "")
    left = np.zeros(len(names))
    for response, color in colors.items():
        share = np.array([(by_type[name]["response"] == response).mean() for name in names])
        labels = _counted(names, [by_type[name]["response"] for name in names])
        plot.barh(labels, share, left=left, color=color, label=response)
        left += share
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def ground(scene: Scene) -> str:
    """Say on how many episodes the figures stand, and which types have none."""
    episodes = len(scene.episodes)
    mix = scene.simulation.parameters.fraud_mix
    there = set(scene.types())
    missing = [_spoken(name) for name, weight in mix.items() if weight and name not in there]
    text = f"All that follows stands on n = {episodes:,} episodes."
    if missing:
        text += f" Types without an episode here: {', '.join(missing)}."
    if missing or episodes < _EPISODES_ENOUGH * len(there):
        more = "more customers or days"
        if scene.simulation.parameters.fraud_per_million < _PER_MILLION_ENOUGH:
            more = f"--fraud-per-million {_PER_MILLION_ENOUGH}, or {more},"
        text += (
            " So few say little about a type, whose figures may be those of one victim; "
            f"{more} will show more."
        )
    return text


def by_type(scene: Scene) -> list[list[str]]:
    """Return how often and how much each type takes, one row each."""
    episodes = _by_type(scene)
    fraud = scene.of(FRAUD)
    rows = []
    for name in scene.types():
        mine = episodes[name]
        paid = fraud.filter(pl.col("fraud_type") == name)["yuan"]
        rows.append(
            [
                _spoken(name),
                f"{len(mine):,}",
                f"{len(paid):,}",
                f"{_median(paid):,.0f}",
                f"{sum(mine['yuan'].to_list()):,.0f}",
                f"{_median(mine['span_hours']):.1f}",
                f"{_median(mine['victim_age']):.0f}",
            ]
        )
    return rows


def known_by_type(scene: Scene) -> list[list[str]]:
    """Return for each type how visible it was and what became known of it, one row each."""
    episodes = _by_type(scene)
    rows = []
    for name in scene.types():
        mine = episodes[name]
        reported = mine.filter(pl.col("reported_ms").is_not_null())
        warned = mine.filter(pl.col("response") != NOT_WARNED)
        stopped = mine.filter(pl.col("response") == STOPPED)
        rows.append(
            [
                _spoken(name),
                f"{len(mine.filter('quiet')) / len(mine):.0%}",
                f"{len(warned) / len(mine):.0%}",
                f"{len(stopped) / len(mine):.0%}",
                f"{len(reported) / len(mine):.0%}",
                f"{_median(reported['delay_days']):.1f}" if len(reported) else "",
                f"{len(reported.filter('wrong_type')) / max(1, len(reported)):.0%}",
            ]
        )
    return rows


BY_TYPE_HEAD = (
    "type", "episodes", "payments", "median yuan", "lost yuan", "median hours*", "median age",
)  # fmt: skip
KNOWN_HEAD = (
    "type", "quiet", "warned", "stopped", "reported", "median days until", "under a wrong type",
)  # fmt: skip


def outcomes(scene: Scene) -> list[list[str]]:
    """Return for each outcome how often it was said of whose transfers."""
    said = (
        scene.outcomes.group_by("outcome", "source", "party")
        .len()
        .sort("outcome", "source", "party")
    )
    return [
        [str(outcome).replace("_", " "), str(source), str(party), f"{count:,}"]
        for outcome, source, party, count in said.iter_rows()
    ]


def _median(values: pl.Series) -> float:
    return float(np.median(values.to_numpy()))


def _by_type(scene: Scene) -> dict[str, pl.DataFrame]:
    return {name: scene.episodes.filter(pl.col("fraud_type") == name) for name in scene.types()}


def _counted(names: list[str], values: Sequence[Sized]) -> list[str]:
    """Return labels of types, each with the number of values it stands on."""
    return [
        f"{_spoken(name)} (n = {len(found)})" for name, found in zip(names, values, strict=True)
    ]


def _spoken(name: str) -> str:
    return name.replace("_", " ")
