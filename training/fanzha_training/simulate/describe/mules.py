"""Draws mules beside the honest who look like them: delays, life spans, first-time payers."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fanzha_training.html_page import axes
from fanzha_training.simulate.accounts import card_numbers
from fanzha_training.simulate.describe.scene import COLORS, HONEST, MULE, Scene
from fanzha_training.simulate.period import DAY_MS, MINUTE_MS

_FAN_IN: Final = 8
_MINUTES: Final[list[float]] = np.logspace(-1, 4, 50).tolist()


def recruits(scene: Scene) -> pl.DataFrame:
    """Return the mules' accounts with what came in and went out for frauds."""
    world = scene.simulation.world
    numbers = card_numbers(len(world.book), world.book["ours"], world.seed)
    every = scene.simulation.frauds.recruits
    known = pl.DataFrame(
        {
            "account": [numbers[recruit.account] for recruit in every],
            "kind": [recruit.kind for recruit in every],
            "layer": [recruit.layer for recruit in every],
        },
        schema_overrides={"account": pl.String, "kind": pl.String, "layer": pl.Int64},
    )
    flows = scene.transfers.filter(
        pl.col("party") != HONEST,
        pl.col("execution") == "posted",
        pl.col("kind") != "gold_purchase",
    )
    came_in = flows.group_by(account="payee_account").agg(
        in_yuan=pl.col("yuan").sum(), payers=pl.col("payer_account").n_unique(),
        first_ms=pl.col("time_ms").min(), last_in_ms=pl.col("time_ms").max(),
    )  # fmt: skip
    went_out = flows.filter("is_mule_flow").group_by(account="payer_account").agg(
        out_yuan=pl.col("yuan").sum(), last_out_ms=pl.col("time_ms").max(),
    )  # fmt: skip
    return (
        known.join(came_in, on="account")
        .join(went_out, on="account", how="left")
        .with_columns(
            life_days=(pl.max_horizontal("last_in_ms", "last_out_ms") - pl.col("first_ms")) / DAY_MS
        )
    )


def passing_on(scene: Scene) -> Figure:
    """Draw the time from money in to the next money out, by layer, and of honest accounts."""
    mules = recruits(scene).select("account", "layer").unique("account")
    figure, plot = axes("minutes from money in to the next money out", "share")
    for layer, style in ((1, "-"), (2, "--"), (3, ":")):
        accounts = mules.filter(pl.col("layer") == layer)["account"]
        flows = scene.transfers.filter(pl.col("party") != HONEST)
        _step(plot, _waits(flows, accounts), COLORS[MULE], style, f"mules, layer {layer}")
    honest = scene.of(HONEST)
    _step(plot, _waits(honest, _collectors(honest)), COLORS[HONEST], "-",
          "honest, days with many payers")  # fmt: skip
    plot.set_xscale("log")
    plot.legend()
    return figure


def _step(plot: Axes, waits: npt.NDArray[np.float64], color: str, style: str, label: str) -> None:
    """Draw the shares of waits (minutes)."""
    weights = np.full(len(waits), 1 / max(1, len(waits)))
    plot.hist(
        waits, _MINUTES, weights=weights, histtype="step", color=color, linestyle=style, label=label
    )


def _waits(transfers: pl.DataFrame, accounts: pl.Series) -> npt.NDArray[np.float64]:
    """Return for each payment to one of the accounts the minutes until that account next pays."""
    columns = ("account", "time_ms")
    came_in = transfers.select(account="payee_account", time_ms="time_ms").drop_nulls()
    came_in = came_in.filter(pl.col("account").is_in(accounts.implode())).sort("time_ms")
    went_out = transfers.select(account="payer_account", time_ms="time_ms", out_ms="time_ms")
    joined = came_in.select(columns).join_asof(
        went_out.sort("time_ms"),
        on="time_ms",
        by="account",
        strategy="forward",
        check_sortedness=False,
    )
    minutes = (joined["out_ms"] - joined["time_ms"]).drop_nulls() / MINUTE_MS
    return minutes.to_numpy().clip(_MINUTES[0], _MINUTES[-1])


def _collectors(honest: pl.DataFrame) -> pl.Series:
    """Return persons' accounts here that many people paid for the first time on one day."""
    return _first_payers(honest).filter(pl.col("len") >= _FAN_IN)["payee_account"].unique()


def _first_payers(transfers: pl.DataFrame) -> pl.DataFrame:
    """Return how many people pay a person's account here for the first time, by account and day."""
    here = (pl.col("payee_type") == "person") & pl.col("payee_open_date").is_not_null()
    first = transfers.filter(here).unique(
        ["payer_account", "payee_account"], keep="first", maintain_order=True
    )
    return first.group_by("payee_account", "day").len()


def life_spans(scene: Scene) -> Figure:
    """Draw from when to when accounts of each kind serve a ring."""
    known = recruits(scene)
    kinds = sorted(known["kind"].unique().to_list())
    figure, plot = axes("days from first to last fraudulent movement", "")
    plot.boxplot(
        [known.filter(pl.col("kind") == kind)["life_days"].to_numpy() for kind in kinds],
        tick_labels=kinds,
        whis=(5, 95),
        showfliers=False,
        orientation="horizontal",
    )
    return figure


def fan_in(scene: Scene) -> Figure:
    """Draw first-time payers of an account in one day: honest collectors, shops, and mules."""
    figure, plot = axes("first-time payers of one person's account in one day", "account-days")
    edges = (np.arange(1, 41) - 0.5).tolist()
    mules = recruits(scene)["account"].unique().implode()
    days = _first_payers(scene.transfers)
    of_mule = pl.col("payee_account").is_in(mules)
    for party, which in ((HONEST, ~of_mule), (MULE, of_mule)):
        counts = days.filter(which)["len"].clip(upper_bound=40).to_numpy()
        plot.hist(counts, edges, histtype="step", color=COLORS[party], label=party)
    plot.set_yscale("log")
    plot.legend()
    return figure


def by_kind(scene: Scene) -> list[list[str]]:
    """Return for each kind of account and layer what went through it."""
    figures = (
        recruits(scene)
        .group_by("layer", "kind")
        .agg(
            pl.len(),
            pl.col("payers").median(),
            pl.col("in_yuan").median(),
            out=pl.col("out_yuan").sum() / pl.col("in_yuan").sum(),
            life=pl.col("life_days").median(),
        )
        .sort("layer", "kind")
    )
    return [
        [f"layer {layer}, {kind}", f"{count:,}", f"{payers:.0f}", f"{in_yuan:,.0f}",
         f"{out:.0%}", f"{life:.1f}"]
        for layer, kind, count, payers, in_yuan, out, life in figures.iter_rows()
    ]  # fmt: skip
