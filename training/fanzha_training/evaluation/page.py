"""Draws an evaluation as one HTML file that needs nothing else."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from fanzha.domain.model import Head
from fanzha_training.evaluation import plots
from fanzha_training.evaluation.report import HEADLINE_BUDGET
from fanzha_training.evaluation.types_page import fraud_types
from fanzha_training.evaluation.wording import NONE, TITLES, money, per_million, signed, told
from fanzha_training.html_page import cards, folded, image, note, picture, table, wide, write_page

_QUESTIONS: Final = {
    Head.VICTIM: "Is the payer being deceived?",
    Head.PAYEE_MULE: "Is the payee's account a mule's?",
    Head.PAYER_MULE: "Is the payer's account a mule's?",
}
_DIMENSIONS: Final = {"channel": "channel", "segment": "segment", "fraud_type": "type of fraud"}
_SHOWN_POINTS: Final = 50
_COARSE: Final = 10
"""With fewer false alerts in the data, a threshold is a matter of chance."""


def write_evaluation(file: Path, document: dict[str, Any]) -> None:
    """Write the page.

    Args:
        file: the HTML file, replaced in one step.
        document: see `docs/reference/evaluation.md`.

    Raises:
        SetupError: the file cannot be written.

    """
    heads = [(Head(name), section) for name, section in document["heads"].items()]
    against = f" against {document['against']['model']}" if "against" in document else ""
    title = f"Evaluation of {document['model']}{against}"
    body = [f"<h1>{escape(title)}</h1>"]
    if document["data"]["simulated"]:
        body.append("<p><b>Simulated data:</b> no figure here says anything about a real bank.</p>")
    for head, section in heads:
        body += _head(head, section)
    body += [
        note(f"Not measured: {_QUESTIONS[Head(name)]}", f"{cause}.")
        for name, cause in document["heads_left_out"].items()
    ]
    body += fraud_types(document["fraud_types"])
    body += _assumptions(document["assumptions"])
    body += [
        note(
            "Area under the ROC curve, for comparison with the literature only:",
            "; ".join(
                f"{figures['model']} ({head.value}) {figures['roc_auc']:.4f}"
                for head, section in heads
                for figures in _models(section)
            ),
        ),
        note(f"Data: {document['data']['source']}, {document['data']['fingerprint']}."),
    ]
    write_page(file, title, body)


def _models(section: dict[str, Any]) -> list[dict[str, Any]]:
    return [section[key] for key in ("model", "against") if key in section]


def _head(head: Head, section: dict[str, Any]) -> list[str]:
    figures, models = section["model"], _models(section)
    rate = section["base_rate"] or section["rate_in_data"]
    parts = [
        f"<h2>{_QUESTIONS[head]}</h2>",
        _where(section),
        cards(
            [
                _card("value_detection_rate", figures),
                _card("case_recall", figures),
                *([_card("money_saved", figures)] if head is Head.VICTIM else []),
                _card("false_per_true", figures),
            ]
        ),
        note(
            "Rates with 95 % intervals.",
            f"Fewer than the cases asked for: {figures['cases']} in all, too few for intervals."
            if figures["too_few"]
            else "",
        ),
        wide(_budgets(models)),
        _coarse(figures),
    ]
    if "difference" in section:
        parts += [
            "<h3>Difference in percentage points, same draws</h3>",
            wide(_difference(section["difference"])),
        ]
    for dimension, groups in figures["groups"].items():
        parts += _groups(dimension, groups)
    parts += [
        image("Precision and recall", plots.precision_recall(models, rate)),
        image("What is caught by number of alerts", plots.by_alerts(models)),
        image("Reliability", plots.reliability(models)),
        _calibration(models),
        image("Scores", plots.score_distribution(figures)),
        *_thresholds(head, section),
    ]
    return parts


def _coarse(figures: dict[str, Any]) -> str:
    few = {
        budget: at["false_in_data"]
        for budget, at in figures["budgets"].items()
        if at["false_in_data"] < _COARSE
    }
    return note(
        *(
            f"The threshold at {budget} per 1,000 rests on {count} legitimate transfers of the "
            "data: more data would make it surer."
            for budget, count in few.items()
        )
    )


def _where(section: dict[str, Any]) -> str:
    figures, window = section["model"], section["window"]
    rate = section["base_rate"]
    stated = (
        f"Figures are stated for {per_million(rate)}, the true rate: each legitimate transfer "
        f"counts {figures['legitimate_weight']:.3g} times."
        if rate is not None
        else "Figures are stated for this rate: the data are taken to hold the true one."
    )
    return (
        f"<p>{figures['transfers']:,} transfers with {figures['frauds']:,} positives in "
        f"{figures['cases']:,} cases, {window['from']} to {window['until']}, later than everything "
        f"learned from: {per_million(section['rate_in_data'])} in the data, "
        f"{per_million(figures['rate_calibrated_on'])} on the calibration days. {stated}</p>"
    )


def _titles(names: Sequence[str]) -> list[str]:
    return [TITLES[name] for name in names]


def _card(name: str, figures: dict[str, Any]) -> tuple[str, str, str]:
    value, _, rest = told(name, figures["budgets"][HEADLINE_BUDGET][name]).partition(" (")
    return TITLES[name], value, f"{rest.rstrip(')')} at {HEADLINE_BUDGET} alert per 1,000".strip()


def _budgets(models: list[dict[str, Any]]) -> str:
    names = [name for name in TITLES if name in models[0]["budgets"][HEADLINE_BUDGET]]
    rows = [
        [budget, *([figures["model"]] if len(models) > 1 else []),
         NONE if at["points"] is None else str(at["points"]),
         *(told(name, at[name]) for name in names)]
        for budget in models[0]["budgets"]
        for figures in models
        for at in [figures["budgets"][budget]]
    ]  # fmt: skip
    model = ["model"] if len(models) > 1 else []
    return table(["alerts per 1,000", *model, "points from", *_titles(names)], rows)


def _difference(difference: dict[str, Any]) -> str:
    names = list(next(iter(difference.values())))
    rows = [[budget, *(signed(at[name]) for name in names)] for budget, at in difference.items()]
    return table(["alerts per 1,000", *_titles(names)], rows)


def _groups(dimension: str, groups: dict[str, Any]) -> list[str]:
    title = _DIMENSIONS[dimension]
    budgets = next(iter(groups.values()))["budgets"] if groups else {}
    parts = [
        f"<h3>By {title}, at {HEADLINE_BUDGET} alert per 1,000 transfers of the bank</h3>",
        wide(_group_table(title, groups, HEADLINE_BUDGET)),
    ]
    if any(not entry["too_few"] for entry in groups.values()):
        figure = plots.by_group(groups, HEADLINE_BUDGET)
        parts.append(picture(f"Value detection rate by {title}", figure))
    parts += [
        folded(f"At {budget} per 1,000", wide(_group_table(title, groups, budget)))
        for budget in budgets
        if budget != HEADLINE_BUDGET
    ]
    return parts


def _group_table(title: str, groups: dict[str, Any], budget: str) -> str:
    first = next(iter(groups.values()))["budgets"][budget] if groups else {}
    names = [name for name in TITLES if name in first]
    rows = []
    for word, entry in groups.items():
        at = entry["budgets"][budget]
        rate, transfers = at["alerts_per_1000"], entry["transfers"]
        rows.append(
            [
                word.replace("_", " "),
                NONE if transfers is None else f"{transfers:,}",
                f"{entry['frauds']:,}",
                f"{entry['cases']:,}",
                NONE if rate is None else f"{rate:.2f}",
                *("too few" if entry["too_few"] else told(name, at[name]) for name in names),
            ]
        )
    head = [title, "transfers", "frauds", "cases", "alerts per 1,000", *_titles(names)]
    return table(head, rows)


def _calibration(models: list[dict[str, Any]]) -> str:
    names = ("mean_predicted", "observed_rate", "expected_calibration_error", "brier_score")
    rows = [
        [name.replace("_", " "), *(f"{figures['calibration'][name]:.3g}" for figures in models)]
        for name in names
    ]
    rows.append(
        ["average precision", *(told("", figures["average_precision"]) for figures in models)]
    )
    return table(["", *(figures["model"] for figures in models)], rows)


def _thresholds(head: Head, section: dict[str, Any]) -> list[str]:
    lines = section["model"]["thresholds"]
    names = [name for name in ("case_recall", "value_detection_rate", "money_saved",
                               "false_per_true", "false_per_true_money")
             if name in lines[0]]  # fmt: skip
    costs = head is Head.VICTIM
    shown = [line for line in lines
             if line["decision"] or (line["points"] % _SHOWN_POINTS == 0
                                   and line["alerts_per_1000"] > 0)]  # fmt: skip
    rows = [
        [
            (line["decision"] or str(line["points"])).replace("_", " "),
            f"{line['alerts_per_1000']:,.3f}",
            *(told(name, line[name]) for name in names),
            *(_costs(line) if costs else []),
        ]
        for line in sorted(shown, key=lambda line: line["decision"] is None)
    ]
    titles = ["reviews a day", "review cost a day", "friction a day", "loss avoided a day",
              "loss left a day", "net a day"]  # fmt: skip
    head_row = ["points from", "alerts per 1,000", *_titles(names)]
    version = section["policy_version"]
    about = f"Policy {version}: the score's thresholds by channel and segment." if version else ""
    unit = "Money in whole units of the data's currency." if costs else ""
    return [
        "<h2>What each threshold would cost</h2>",
        note(about, unit),
        wide(table(head_row + (titles if costs else []), rows)),
        *([picture("Cost of thresholds", plots.cost(lines))] if costs else []),
    ]


def _costs(line: dict[str, Any]) -> list[str]:
    return [
        f"{line['reviews_per_day']:,.1f}",
        *(money(line[f"{name}_minor_per_day"])
          for name in ("review_cost", "friction", "loss_avoided", "loss_left", "net")),
    ]  # fmt: skip


def _assumptions(assumptions: dict[str, Any]) -> list[str]:
    rows = [
        [name.replace("_", " "), "as in the data" if value is None else f"{value:g}"]
        for name, value in assumptions.items()
    ]
    return [
        "<h2>Assumptions</h2>",
        table(["", ""], rows),
        note(
            "Money saved: from the first alerted transfer of a case on, everything is stopped; "
            "expected: each alert stops the victim with the stop rate only. Every figure is "
            "defined in docs/reference/evaluation.md."
        ),
    ]
