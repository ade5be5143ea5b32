"""Draws the report's plots as PNG in base64. English only: not every machine has Chinese fonts."""

from collections import Counter
from typing import Any, Final

from matplotlib.figure import Figure

from fanzha_loadtest.demo.screen import BANK_ZONE
from fanzha_loadtest.pictures import axes_of, png
from fanzha_loadtest.tally import LEVELS, Answer
from fanzha_loadtest.world import HOUR_MS

_COLOURS: Final = {
    "allow": "#b7d7b0",
    "confirm": "#3b78c2",
    "pause": "#e0a800",
    "block": "#c0392b",
}
_ZONE_MS: Final = int(BANK_ZONE.utcoffset(None).total_seconds() * 1000)
_SCORE_STEP: Final = 25
_HEIGHT: Final = 3.8


def decisions_by_hour(answers: list[Answer]) -> str:
    """Draw how many transfers of each hour of the day were confirmed, paused and blocked."""
    counts = Counter((answer.level, _hour(answer.time_ms)) for answer in answers)
    figure, axes = axes_of("hour of the day", "transfers with an alert, all days", _HEIGHT)
    hours = list(range(24))
    floor = [0] * 24
    for level in LEVELS[1:]:
        heights = [counts[level, hour] for hour in hours]
        axes.bar(hours, heights, bottom=floor, label=level.upper(), color=_COLOURS[level])
        floor = [low + height for low, height in zip(floor, heights, strict=True)]
    every = axes.twinx()
    totals = [sum(counts[level, hour] for level in LEVELS) for hour in hours]
    every.plot(hours, totals, color="#777777", linewidth=1, label="all transfers")
    every.set_ylabel("all transfers")
    every.set_ylim(bottom=0)
    lines, labels = axes.get_legend_handles_labels()
    more_lines, more_labels = every.get_legend_handles_labels()
    axes.legend(lines + more_lines, labels + more_labels, loc="upper left")
    return png(figure)


def latencies(latencies_ms: list[float], p50_ms: float, p99_ms: float) -> str:
    """Draw the distribution of the latencies that clients saw."""
    figure, axes = axes_of("latency of ScoreTransfer at the client, ms", "calls", _HEIGHT)
    longest = max(latencies_ms)
    shown = min(longest, 3 * p99_ms)
    axes.hist([min(value, shown) for value in latencies_ms], bins=80, color="#3b78c2")
    for value, name in ((p50_ms, "p50"), (p99_ms, "p99")):
        axes.axvline(value, color="#c0392b", linewidth=1)
        axes.annotate(f" {name} {value:.1f} ms", (value, axes.get_ylim()[1] * 0.95), va="top")
    axes.set_yscale("log")
    return png(figure)


def scores(answers: list[Answer]) -> str:
    """Draw the scores of victims' payments and of all others, each as shares."""
    figure, axes = axes_of("score", "share of its kind", _HEIGHT)
    edges = list(range(0, 1001, _SCORE_STEP))
    for is_fraud, name, colour in ((False, "others", "#7f8c8d"), (True, "victims", "#c0392b")):
        values = [a.score for a in answers if a.score is not None and a.is_fraud is is_fraud]
        if values:
            weights = [1 / len(values)] * len(values)
            label = f"{name} ({len(values):,})"
            axes.hist(values, bins=edges, weights=weights, alpha=0.6, label=label, color=colour)
    axes.set_yscale("log")
    axes.legend()
    return png(figure)


def old_against_new(gate: dict[str, Any]) -> str:
    """Draw what both models find at the alert budgets at which the gate compared them.

    Args:
        gate: the gate's report, with `figures` and `at_budgets`.

    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    frauds, budgets = gate["figures"]["candidate"]["frauds"], gate["at_budgets"]
    sides = [("old", "champion", -0.2, "#7f8c8d"), ("new", "candidate", 0.2, "#3b78c2")]
    for place, (key, title) in enumerate(
        (("recall", "frauds alerted"), ("value_detection_rate", "fraudulent money alerted")), 1
    ):
        axes = figure.add_subplot(1, 2, place)
        axes.set_xlabel("alerts for each 1,000 transfers")
        axes.set_ylabel(f"share of {title}")
        for name, role, shift, colour in sides:
            if gate["figures"][role] is None:
                continue
            shares = [found[role][key] for found in budgets.values()]
            bars = axes.bar(
                [number + shift for number in range(len(budgets))],
                *(shares, 0.38),
                label=f"{name}: {gate['figures'][role]['model']}",
                color=colour,
            )
            written = [
                f"{round(share * frauds)} of {frauds}" if key == "recall" else f"{share:.0%}"
                for share in shares
            ]
            axes.bar_label(bars, written, fontsize="small")
        axes.set_xticks(range(len(budgets)), list(budgets))
        axes.set_ylim(0, 1.35)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.grid(visible=True, axis="y", alpha=0.3)
        axes.legend(loc="upper left", fontsize="small")
    return png(figure)


def _hour(time_ms: int) -> int:
    return (time_ms + _ZONE_MS) // HOUR_MS % 24
