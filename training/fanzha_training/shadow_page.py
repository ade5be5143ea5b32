"""Draws the comparison of champion and shadow as one HTML file."""

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from fanzha_training.html_page import axes, image, note, table, write_page


def write_shadow_page(file: Path, report: dict[str, Any], scores: pl.DataFrame) -> None:
    """Write the page.

    Args:
        file: the HTML file, replaced in one step.
        report: from `compare_shadow`.
        scores: the scores that it was made from.

    Raises:
        SetupError: the file cannot be written.

    """
    body = [
        "<h1>Shadow and champion</h1>",
        (
            f"<p>{report['decisions']:,} decisions, {report['without_both_scores']:,} of them "
            "without a score of both models. What is compared is what the score alone would ask "
            "for; rules and lists come on top of either.</p>"
        ),
    ]
    for found in report["comparisons"]:
        body += _one(found, scores)
    write_page(file, "Shadow and champion", body)


def _one(found: dict[str, Any], scores: pl.DataFrame) -> list[str]:
    champion, shadow = found["champion"], found["shadow"]
    rates = found["alert_rate"]
    rank = found["rank_correlation"]
    pair = scores.filter(
        (pl.col("model_version") == champion) & (pl.col("shadow_version") == shadow)
    )
    return [
        f"<h2>{escape(shadow)} beside {escape(champion)}</h2>",
        note(f"{found['decisions']:,} decisions, {found['from']} to {found['until']}."),
        table(
            ["", champion, shadow],
            [
                ["confirm or more", *(f"{rates[x]['confirm']:.3%}" for x in rates)],
                ["pause", *(f"{rates[x]['pause']:.3%}" for x in rates)],
                *_matured_rows(found["matured"]),
            ],
        ),
        note(
            "Without mature labels of frauds, nothing is said about what they find."
            if found["matured"] is None
            else f"Found: {found['matured']['transfers']:,} transfers with mature labels, "
            f"{found['matured']['frauds']:,} frauds.",
            f"The same decision for {found['agreement']:.3%};",
            "no rank correlation." if rank is None else f"rank correlation {rank:.4f}.",
        ),
        table(["decision", "transfers"], [[x, f"{n:,}"] for x, n in found["changes"].items()]),
        table(
            ["decision that would change", "time", champion, shadow],
            [
                [
                    each["decision_id"],
                    each["time"],
                    f"{each['champion']} ({each['champion_points']})",
                    f"{each['shadow']} ({each['shadow_points']})",
                ]
                for each in found["examples"]
            ],
        ),
        image(f"Points of {shadow} and {champion}", _points(pair, champion, shadow)),
    ]


def _matured_rows(matured: dict[str, Any] | None) -> list[list[str]]:
    if matured is None:
        return []
    return [
        [
            f"{name.replace('_', ' ')} at {budget} per 1,000",
            *(f"{found[role][name]:.1%}" for role in ("champion", "shadow")),
        ]
        for budget, found in matured["at_budgets"].items()
        for name in ("value_detection_rate", "recall")
    ]


def _points(pair: pl.DataFrame, champion: str, shadow: str) -> Figure:
    figure, plot = axes(f"points of {champion}", f"points of {shadow}")
    x, y = pair["points"].to_numpy(), pair["shadow_points"].to_numpy()
    plot.plot([0, 1000], [0, 1000], color="grey", linewidth=1)
    plot.hexbin(x, y, gridsize=60, bins="log", extent=(0, 1000, 0, 1000), mincnt=1)
    plot.set_aspect("equal")
    low = float(min(np.min(x), np.min(y)))
    plot.set_xlim(low, 1000)
    plot.set_ylim(low, 1000)
    return figure
