"""`fanzha-training evaluate`: measures a model on days later than everything it learned from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fanzha_training.commands.console import AsJson, show, stages
from fanzha_training.dataset import load_dataset
from fanzha_training.evaluate import evaluate as evaluate_model
from fanzha_training.evaluate import later_than, scored_by
from fanzha_training.html_report import write_html_report
from fanzha_training.scorer import load_scorer
from fanzha_training.trained import RECORD_FILE, save_evaluation


def evaluate(
    *,
    dataset: Annotated[Path, typer.Option(help="Data set that build wrote.")],
    model: Annotated[Path, typer.Option(help="Folder of a trained or exported model.")],
    against: Annotated[
        Path | None, typer.Option(help="A second model, measured on the same transfers.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="HTML file to write, with plots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model at alert budgets of 0.5, 1, 2 and 5 for each 1,000 transfers.

    The figures of a trained model are kept in its folder, for its card.
    """
    with stages() as say:
        say("loading")
        data = load_dataset(dataset)
        scorers = [load_scorer(folder) for folder in (model, against) if folder is not None]
        later = later_than(data, max(scorer.cut_ms for scorer in scorers))
        say("scoring")
        results = [(evaluate_model(x, later), scored_by(x, later.data)) for x in scorers]
        if html is not None:
            say("drawing")
            write_html_report(html, results)
    figures = results[0][0]
    if (model / RECORD_FILE).exists() and against is None:
        save_evaluation(model, figures)
    summary: dict[str, Any] = {**figures, "data_fingerprint": data.fingerprint(), **data.repaired}
    if against is not None:
        summary["against"] = results[1][0]
    show(summary, as_json=as_json)
