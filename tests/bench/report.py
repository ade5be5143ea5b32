"""The page of a bench: figures beside what is wanted, and plots of rates, tails and costs."""

import html
from datetime import UTC, datetime
from pathlib import Path

from matplotlib.figure import Figure

from fanzha_loadtest.pictures import png

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;"
    "text-align:right}td:first-child,th:first-child{text-align:left}.miss{color:#b00020}"
    ".good{color:#1b7f3b}img{max-width:100%}"
)
Figures = dict[str, dict[str, float]]


def write_report(
    path: Path,
    figures: Figures,
    skipped: dict[str, str],
    machine: dict[str, str],
    targets: dict[str, tuple[str, float]],
    began_s: float,
) -> None:
    """Write the page.

    Args:
        path: where.
        figures: spreads by name.
        skipped: names and causes.
        machine: what a figure has to be read with.
        targets: by name, "at least" or "at most" and a number.
        began_s: seconds since 1970 UTC.
    """
    when = datetime.fromtimestamp(began_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    on = ", ".join(f"{name} {value}" for name, value in machine.items())
    rows = "".join(_row(name, spread, targets.get(name)) for name, spread in figures.items())
    plots = "".join(f'<p><img alt="{name}" src="{src}"></p>' for name, src in _plots(figures))
    left = "".join(f"<li>{html.escape(n)}: {html.escape(c)}</li>" for n, c in skipped.items())
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Fanzha: speed</title>'
        f"<style>{_STYLE}</style><h1>Speed</h1><p>{when}; {html.escape(on)}. Medians over rounds, "
        "with their least and most; ratios are to floors measured in the same rounds.</p>"
        f"{plots}<table><tr><th>figure<th>median<th>least<th>most<th>wanted</tr>{rows}</table>"
        + (f"<h2>Skipped</h2><ul>{left}</ul>" if left else "")
        + "</html>\n",
        encoding="utf-8",
    )


def is_met(value: float, target: tuple[str, float]) -> bool:
    """Say whether a figure is what is wanted of it."""
    word, bound = target
    return value >= bound if word == "at least" else value <= bound


def _row(name: str, spread: dict[str, float], target: tuple[str, float] | None) -> str:
    values = "".join(f"<td>{_number(spread[key])}" for key in ("median", "least", "most"))
    if target is None:
        return f"<tr><td>{html.escape(name)}{values}<td></tr>"
    mark = "good" if is_met(spread["median"], target) else "miss"
    return f'<tr><td>{html.escape(name)}{values}<td class="{mark}">{target[0]} {target[1]:g}</tr>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) > 1000 else f"{value:.3g}"


def _plots(figures: Figures) -> list[tuple[str, str]]:
    found = []
    rates = {
        "empty handler": "empty_handler_per_s",
        "ScoreTransfer": "unary_per_s",
        "ScoreBatch of 64": "batch_per_s",
        "by hand (rival)": "rival_per_s",
    }
    known = {label: figures[name] for label, name in rates.items() if name in figures}
    if known:
        found.append(("rates", _bars(known, "a second, one worker on one core")))
    costs = {
        name.removesuffix("_us").replace("_", " "): spread
        for name, spread in figures.items()
        if name.startswith("part_") and name.endswith("_us")
    }
    if costs:
        found.append(("costs", _bars(costs, "microseconds of processor time a decision")))
    steps = ("p50", "p99", "p99.9", "max")
    lines = {
        label: [figures[f"{prefix}{step}{suffix}_ms"]["median"] for step in steps]
        for label, prefix, suffix in (
            ("decision", "", ""),
            ("empty handler", "empty_", ""),
            ("decision, TLS", "", "_tls"),
            ("empty handler, TLS", "empty_", "_tls"),
        )
        if f"{prefix}p50{suffix}_ms" in figures
    }
    if lines:
        found.append(("tails", _lines(lines, steps)))
    return found


def _bars(figures: Figures, label: str) -> str:
    figure = Figure(figsize=(8, 0.6 + 0.5 * len(figures)), layout="constrained")
    axes = figure.subplots()
    names = list(figures)[::-1]
    medians = [figures[name]["median"] for name in names]
    errors = [
        [figures[name]["median"] - figures[name]["least"] for name in names],
        [figures[name]["most"] - figures[name]["median"] for name in names],
    ]
    axes.barh(names, medians, xerr=errors, color="#3b78c2", ecolor="#555555")
    axes.set_xlabel(label)
    return "data:image/png;base64," + png(figure)


def _lines(lines: dict[str, list[float]], steps: tuple[str, ...]) -> str:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for label, values in lines.items():
        axes.plot(steps, values, marker="o", label=label)
    axes.set_yscale("log")
    axes.set_ylabel("latency from the due time, ms")
    axes.set_xlabel("each at half of its own saturation")
    axes.legend()
    return "data:image/png;base64," + png(figure)
