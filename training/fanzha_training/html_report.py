"""Draws an evaluation as one HTML file that needs nothing else: plots are embedded as PNG."""

import base64
import io
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from fanzha_training.atomic import replaced_file
from fanzha_training.card import per_true
from fanzha_training.metrics import Scored, reliability

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:980px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.3em .7em;"
    "text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}"
)


def write_html_report(file: Path, results: list[tuple[dict[str, Any], Scored]]) -> None:
    """Write the report of one model, or of several on the same transfers.

    Args:
        file: the HTML file, replaced in one step.
        results: for each model its figures from `evaluate` and its scored transfers.

    Raises:
        SetupError: the file cannot be written.

    """
    figures = [metrics for metrics, _ in results]
    window = figures[0]["window"]
    body = [
        f"<h1>Evaluation of {escape(', '.join(metrics['model'] for metrics in figures))}</h1>",
        (
            f"<p>{figures[0]['transfers']:,} transfers with {figures[0]['frauds']:,} frauds, "
            f"{window['from']} to {window['until']}, later than everything learned from.</p>"
        ),
        _table(figures),
        _image("Precision and recall", _precision_recall(results)),
        _image("Value detection rate by alert budget", _value_detection(figures)),
        _image("Reliability", _reliability(results)),
    ]
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Evaluation</title>"
        f"<style>{_STYLE}</style><body>{''.join(body)}</body></html>"
    )
    with replaced_file(file) as draft:
        draft.write_text(page, encoding="utf-8")


def _table(figures: list[dict[str, Any]]) -> str:
    rows: list[tuple[str, list[str]]] = [
        ("average precision", [f"{metrics['average_precision']:.4f}" for metrics in figures])
    ]
    for budget in figures[0]["budgets"]:
        at = [metrics["budgets"][budget] for metrics in figures]
        rows.append((f"recall at {budget} per 1,000", [f"{x['recall']:.1%}" for x in at]))
        rows.append(
            (f"value detection at {budget} per 1,000",
             [f"{x['value_detection_rate']:.1%}" for x in at])
        )  # fmt: skip
        rows.append(
            (f"false per true at {budget} per 1,000",
             [per_true(x["false_per_true"]) for x in at])
        )  # fmt: skip
    for name in ("mean_predicted", "observed_rate", "expected_calibration_error"):
        values = [f"{metrics['calibration'][name]:.3g}" for metrics in figures]
        rows.append((name.replace("_", " "), values))
    rows.append(("area under the ROC curve", [f"{metrics['roc_auc']:.4f}" for metrics in figures]))
    head = "".join(f"<th>{escape(metrics['model'])}</th>" for metrics in figures)
    lines = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{value}</td>' for value in values)}</tr>"
        for name, values in rows
    )
    return f"<table><tr><th></th>{head}</tr>{lines}</table>"


def _image(title: str, figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<h2>{title}</h2><img alt='{title}' src='data:image/png;base64,{data}'>"


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _precision_recall(results: list[tuple[dict[str, Any], Scored]]) -> Figure:
    figure, axes = _axes("recall", "precision")
    for metrics, scored in results:
        precision, recall, _ = precision_recall_curve(scored.label == 1, scored.margin)
        axes.step(recall, precision, where="post", label=metrics["model"])
    axes.legend()
    return figure


def _value_detection(figures: list[dict[str, Any]]) -> Figure:
    figure, axes = _axes("alerts per 1,000 transfers", "value detection rate")
    for metrics in figures:
        budgets = metrics["budgets"]
        rates = [at["value_detection_rate"] for at in budgets.values()]
        axes.plot([float(budget) for budget in budgets], rates, "o-", label=metrics["model"])
    axes.set_ylim(0, 1.02)
    axes.legend()
    return figure


def _reliability(results: list[tuple[dict[str, Any], Scored]]) -> Figure:
    figure, axes = _axes("mean predicted probability", "observed share of fraud")
    axes.plot([1e-6, 1], [1e-6, 1], color="grey", linewidth=1)
    for metrics, scored in results:
        bins = reliability(scored)
        axes.plot(
            [predicted for _, predicted, _ in bins],
            [max(seen, 1e-6) for _, _, seen in bins],
            "o",
            label=metrics["model"],
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend()
    return figure
