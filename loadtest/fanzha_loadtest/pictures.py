"""Draws plots as PNG in base64, to stand in a page that needs nothing else.

English only: not every machine has Chinese fonts.
"""

import base64
import io
from collections.abc import Sequence
from typing import Final

from hdrh.histogram import HdrHistogram
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS: Final = {
    "allow": "#b7d7b0",
    "confirm": "#3b78c2",
    "pause": "#e0a800",
    "block": "#c0392b",
    "other": "#777777",
}
_MILLISECONDS: Final = [step * 10**power for power in range(-1, 5) for step in (1, 2, 5)]
_NINES: Final = (50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 99.999)


def percentile_curves(curves: Sequence[tuple[str, HdrHistogram]]) -> str:
    """Draw latency by percentile, the tail stretched out; histograms hold microseconds."""
    figure, axes = axes_of("percentile of answers", "latency from the due time, ms")
    for name, histogram in curves:
        # A percentile of which fewer than one answer lies beyond says nothing.
        most = 1 - 1 / max(2, histogram.get_total_count())
        shown = [nine for nine in _NINES if nine / 100 <= most] or [50]
        x = [1 / (1 - nine / 100) for nine in shown]
        y = [histogram.get_value_at_percentile(nine) / 1000 for nine in shown]
        axes.plot(x, y, marker="o", markersize=3, linewidth=1.4, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1 / (1 - nine / 100) for nine in (50, 90, 99, 99.9, 99.99)])
    axes.set_xticklabels(["50", "90", "99", "99.9", "99.99"])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    ticks = [tick for tick in _MILLISECONDS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.legend(fontsize="small")
    return png(figure)


def stacked_shares(rows: Sequence[tuple[str, dict[str, int]]]) -> str:
    """Draw the shares of words in each row, as bars of equal length."""
    figure, axes = axes_of("share of the answers", "")
    names = [name for name, _ in rows]
    left = [0.0] * len(rows)
    for word, colour in COLOURS.items():
        widths = [counts.get(word, 0) / max(1, sum(counts.values())) for _, counts in rows]
        if any(widths):
            axes.barh(names, widths, left=left, label=word, color=colour)
            left = [begin + width for begin, width in zip(left, widths, strict=True)]
    axes.set_xlim(0, 1)
    axes.legend(fontsize="small", loc="lower left")
    return png(figure)


def bars_beside(
    names: Sequence[str], series: Sequence[tuple[str, Sequence[float], str]], label: str
) -> str:
    """Draw several values for each name beside each other; a series is label, values, colour."""
    figure, axes = axes_of("", label)
    width = 0.8 / len(series)
    for number, (name, values, colour) in enumerate(series):
        at = [place + (number - (len(series) - 1) / 2) * width for place in range(len(names))]
        axes.bar(at, values, width, label=name, color=colour)
    axes.set_xticks(range(len(names)), list(names))
    axes.legend(fontsize="small")
    return png(figure)


def lines_over_time(
    times_min: Sequence[float], series: Sequence[tuple[str, Sequence[float]]], label: str
) -> str:
    """Draw values over minutes."""
    figure, axes = axes_of("minutes", label)
    for name, values in series:
        axes.plot(times_min, values, linewidth=1.2, label=name)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small", loc="lower left")
    return png(figure)


def axes_of(x: str, y: str, height: float = 3.6) -> tuple[Figure, Axes]:
    """Return a figure of the reports' width and a height in inches, and its axes."""
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def png(figure: Figure) -> str:
    """Return a figure as PNG in base64."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return base64.b64encode(buffer.getvalue()).decode()
