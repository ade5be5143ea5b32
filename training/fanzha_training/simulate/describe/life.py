"""Draws daily life: when and how people pay, what they own, how old they are."""

from itertools import groupby

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fanzha.domain.vocabulary import CustomerSegment, word_of
from fanzha_training.html_page import axes
from fanzha_training.simulate.ages import BANDS, in_band
from fanzha_training.simulate.calendar import free_days, special_day
from fanzha_training.simulate.describe.scene import COLORS, FRAUD, GREY, HONEST, MULE, Scene


def per_day(scene: Scene) -> Figure:
    """Draw transfers and wages of each day; days without work are shaded, special ones named."""
    dates = scene.simulation.world.period.dates()
    days = np.arange(scene.days)
    every = _counts(scene.transfers, "day", days)
    wages = _counts(scene.transfers.filter(pl.col("remark").is_in(["工资", "养老金"])), "day", days)
    # Matplotlib counts days since 1970 too.
    places = days + scene.simulation.world.period.first_day
    figure, plot = axes("", "transfers")
    for place in places[free_days(dates)]:
        plot.axvspan(place - 0.5, place + 0.5, color=GREY, alpha=0.2, linewidth=0)
    plot.plot(places, every, color=COLORS[HONEST], label="all transfers")
    top = 1.55 * max(1, every.max())
    plot.set_ylim(0, top)
    for name, span in groupby(zip(dates, places, strict=True), lambda day: special_day(day[0])):
        if name:
            middle = float(np.mean([place for _, place in span]))
            plot.text(middle, 0.98 * top, name, rotation=90, ha="center", va="top", fontsize=8)
    second = plot.twinx()
    second.bar(places, wages, color="#54a24b", alpha=0.6, label="wages and pensions (right)")
    second.set_ylim(top=max(1, 3 * wages.max()))
    second.set_ylabel("wages and pensions")
    plot.xaxis_date()
    plot.tick_params(axis="x", rotation=30)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def per_hour(scene: Scene) -> Figure:
    """Draw at which hours people pay, on workdays and free days, and victims and mules."""
    hours = np.arange(24)
    honest = scene.of(HONEST)
    lines = {
        "honest, workdays": (honest.filter(~pl.col("free")), COLORS[HONEST], "-"),
        "honest, free days": (honest.filter("free"), COLORS[HONEST], "--"),
        "victims": (scene.of(FRAUD), COLORS[FRAUD], "-"),
        "mules": (scene.of(MULE), COLORS[MULE], "-"),
    }
    figure, plot = axes("local hour", "share of the day's transfers")
    for name, (transfers, color, style) in lines.items():
        counts = _counts(transfers, "hour", hours)
        plot.plot(hours, counts / max(1, counts.sum()), style, color=color, label=name)
    plot.legend()
    return figure


def per_weekday(scene: Scene) -> Figure:
    """Draw the median number of transfers of each weekday, over days that are not special."""
    counts = _counts(scene.transfers, "day", np.arange(scene.days))
    by_weekday: list[list[int]] = [[] for _ in range(7)]
    for day, count in zip(scene.simulation.world.period.dates(), counts, strict=True):
        if not special_day(day):
            by_weekday[day.weekday()].append(int(count))
    figure, plot = axes("", "median transfers of a day")
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    plot.bar(
        [f"{name}\n({len(found)} days)" for name, found in zip(names, by_weekday, strict=True)],
        [float(np.median(found)) if found else 0.0 for found in by_weekday],
        color=COLORS[HONEST],
    )
    return figure


def left_out(scene: Scene) -> str:
    """Say which days the figures by weekday leave out."""
    dates = scene.simulation.world.period.dates()
    out = [f"{day.isoformat()} ({special_day(day)})" for day in dates if special_day(day)]
    return f"Without holidays and shopping days: {', '.join(out)}." if out else ""


def amounts_by(scene: Scene, column: str) -> Figure:
    """Draw the amounts of honest people by kind or channel: 5 to 95 %, quartiles, median."""
    honest = scene.of(HONEST)
    names = honest[column].value_counts(sort=True)[column].to_list()
    figure, plot = axes("", "yuan")
    plot.boxplot(
        [honest.filter(pl.col(column) == name)["yuan"].to_numpy() for name in names],
        tick_labels=[name.replace("_", "\n") for name in names],
        whis=(5, 95),
        showfliers=False,
    )
    plot.set_yscale("log")
    return figure


def balances(scene: Scene) -> Figure:
    """Draw balances before payments: honest payers, victims, mules."""
    figure, plot = axes("balance before the payment, yuan", "share")
    edges = np.logspace(0, 7, 60).tolist()
    for party in (HONEST, FRAUD, MULE):
        known = scene.of(party).drop_nulls(["balance_before_minor", "payer_open_date"])
        yuan = known["balance_before_minor"].to_numpy() / 100 + 1
        plot.hist(
            yuan, edges, weights=np.full(len(yuan), 1 / max(1, len(yuan))), histtype="step",
            color=COLORS[party], label=party,
        )  # fmt: skip
    plot.set_xscale("log")
    plot.legend()
    return figure


def ages(scene: Scene) -> Figure:
    """Draw customers' ages by segment, and below them those of victims."""
    people = scene.simulation.world.people
    segments = [member for member in CustomerSegment if member]
    figure = Figure(figsize=(7.5, 6), layout="constrained")
    edges = list(range(10, 95, 5))
    customers = figure.add_subplot(2, 1, 1)
    customers.hist(
        [people.age[people.segment == member] for member in segments],
        edges,
        stacked=True,
        label=[word_of(member).replace("_", " ") for member in segments],
    )
    customers.set_ylabel("customers")
    victims = figure.add_subplot(2, 1, 2, sharex=customers)
    ages_of = scene.episodes["victim_age"].to_numpy()
    victims.hist(ages_of, edges, color=COLORS[FRAUD])
    victims.set_ylabel(f"victims, {len(ages_of):,} episodes")
    victims.set_xlabel("age in years, bins of five")
    for plot in (customers, victims):
        plot.grid(visible=True, alpha=0.3)
        plot.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside right upper")
    return figure


def owners_per_device(scene: Scene) -> Figure:
    """Draw how many owners' accounts one device serves: families and phone farms."""
    figure, plot = axes("owners of accounts used on one device", "devices")
    most = np.arange(1, 11)
    for shift, party in ((-0.2, HONEST), (0.2, MULE)):
        owners = (
            scene.of(party)
            .drop_nulls(["device_id", "payer_open_date"])
            .group_by("device_id")
            .agg(owners=pl.col("payer_person").n_unique())
        )
        counts = np.bincount(owners["owners"].clip(upper_bound=10).to_numpy(), minlength=11)[1:]
        plot.bar(most + shift, counts, 0.4, color=COLORS[party], label=party)
    plot.set_yscale("symlog")
    plot.set_xticks(most, [*map(str, most[:-1]), "10+"])
    plot.legend()
    return figure


def segments(scene: Scene) -> list[list[str]]:
    """Return for each segment: customers, median age, transfers a day, median payment."""
    people = scene.simulation.world.people
    honest = scene.of(HONEST)
    rows = []
    for member in CustomerSegment:
        count = int((people.segment == member).sum())
        if not member or not count:
            continue
        paid = honest.filter(
            pl.col("payer_segment") == word_of(member), pl.col("payer_open_date").is_not_null()
        )
        rows.append(
            [
                word_of(member).replace("_", " "),
                f"{count:,}",
                f"{np.median(people.age[people.segment == member]):.0f}",
                f"{len(paid) / count / scene.days:.2f}",
                f"{np.median(paid['yuan'].to_numpy()):,.0f}" if len(paid) else "",
            ]
        )
    return rows


def age_bands(scene: Scene) -> list[list[str]]:
    """Return for each age band the share of customers and of victims."""
    customers = scene.simulation.world.people.age
    victims = scene.episodes["victim_age"].to_numpy()
    return [
        [band, f"{in_band(customers, band).mean():.1%}", f"{_mean(in_band(victims, band)):.1%}"]
        for band in BANDS
    ]


def _mean(values: "np.typing.NDArray[np.bool_]") -> float:
    return float(values.mean()) if len(values) else 0.0


def _counts(
    transfers: pl.DataFrame, column: str, values: "np.typing.NDArray[np.int64]"
) -> "np.typing.NDArray[np.int64]":
    return np.bincount(transfers[column].to_numpy(), minlength=len(values))[: len(values)]
