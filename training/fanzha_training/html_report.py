"""Draws an evaluation as one HTML file that needs nothing else: plots are embedded as PNG."""

from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from fanzha_training.card import per_true
from fanzha_training.html_page import axes, image, table, write_page
from fanzha_training.metrics import Scored, reliability


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
        image("Precision and recall", _precision_recall(results)),
        image("Value detection rate by alert budget", _value_detection(figures)),
        image("Reliability", _reliability(results)),
    ]
    write_page(file, "Evaluation", body)


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
    return table(
        ["", *(metrics["model"] for metrics in figures)],
        [[name, *values] for name, values in rows],
    )


def _precision_recall(results: list[tuple[dict[str, Any], Scored]]) -> Figure:
    figure, plot = axes("recall", "precision")
    for metrics, scored in results:
        precision, recall, _ = precision_recall_curve(scored.label == 1, scored.margin)
        plot.step(recall, precision, where="post", label=metrics["model"])
    plot.legend()
    return figure


def _value_detection(figures: list[dict[str, Any]]) -> Figure:
    figure, plot = axes("alerts per 1,000 transfers", "value detection rate")
    for metrics in figures:
        budgets = metrics["budgets"]
        rates = [at["value_detection_rate"] for at in budgets.values()]
        plot.plot([float(budget) for budget in budgets], rates, "o-", label=metrics["model"])
    plot.set_ylim(0, 1.02)
    plot.legend()
    return figure


def _reliability(results: list[tuple[dict[str, Any], Scored]]) -> Figure:
    figure, plot = axes("mean predicted probability", "observed share of fraud")
    plot.plot([1e-6, 1], [1e-6, 1], color="grey", linewidth=1)
    for metrics, scored in results:
        bins = reliability(scored)
        plot.plot(
            [predicted for _, predicted, _ in bins],
            [max(seen, 1e-6) for _, _, seen in bins],
            "o",
            label=metrics["model"],
        )
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.legend()
    return figure
