"""`fanzha-training evaluate`: measures a model on days later than everything it learned from."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha_training.atomic import replaced_file
from fanzha_training.commands.console import AsJson, counted, show, stages
from fanzha_training.dataset import load_dataset
from fanzha_training.evaluate import figures_of, later_than, scored_by
from fanzha_training.evaluation.assumptions import assumptions_of
from fanzha_training.evaluation.head import Answers
from fanzha_training.evaluation.page import write_evaluation
from fanzha_training.evaluation.report import Question, document_of, evaluate_question
from fanzha_training.evaluation.thresholds import policy_limits
from fanzha_training.scorer import load_scorer
from fanzha_training.trained import RECORD_FILE, json_text, save_evaluation

PAGE_FILE: Final = "report.html"
JSON_FILE: Final = "report.json"


def evaluate(
    *,
    dataset: Annotated[Path, typer.Option(help="Data set that build wrote.")],
    model: Annotated[Path, typer.Option(help="Folder of a trained or exported model.")],
    against: Annotated[
        Path | None, typer.Option(help="A second model, measured on the same transfers.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"Folder for {PAGE_FILE} and {JSON_FILE}; made if missing.")
    ] = None,
    base_rate: Annotated[
        float | None,
        typer.Option(help="True share of fraud; without it what the model was trained with."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy whose thresholds are priced; default: shipped one.")
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(help="An assumption in place of its default, such as stop_rate=0.5."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model at alert budgets of 0.2, 0.5, 1 and 5 for each 1,000 transfers.

    The main figures of a trained model are kept in its folder, for its card.
    """
    assumptions = assumptions_of(assume or ())
    if base_rate is not None and not 0 < base_rate < 1:
        raise SetupError(f"--base-rate is {base_rate:g}; it must be above 0 and below 1")
    with stages() as say:
        say("loading")
        limits = policy_limits() if policy is None else policy_limits(policy)
        data = load_dataset(dataset)
        scorers = tuple(load_scorer(folder) for folder in (model, against) if folder is not None)
        later = later_than(data, max(scorer.cut_ms for scorer in scorers))
        rate = scorers[0].calibration.stated_rate if base_rate is None else base_rate
        say("scoring")
        answers = tuple(
            Answers(scorer.label, scorer.calibration, scored_by(scorer, later.data, rate))
            for scorer in scorers
        )
    with counted("drawing accounts") as tell:
        question = Question(Head.VICTIM, later, answers, rate, limits)
        sections = {Head.VICTIM: evaluate_question(question, assumptions, tell)}
    figures = [figures_of(said.label, later, said.scored, rate) for said in answers]
    about = {
        "source": data.meta.source,
        "simulated": data.meta.simulated,
        "fingerprint": data.fingerprint(),
        "repaired": data.repaired,
    }
    document = document_of(figures, sections, assumptions, about)
    if out is not None:
        _write(out, document)
    if (model / RECORD_FILE).exists() and against is None:
        save_evaluation(model, figures[0] | {"headline": document["headline"]})
    told = ("model", "headline", "window", "base_rate", "budgets", "calibration", "data")
    brief = {name: document[name] for name in told}
    show(document if as_json else brief, as_json=as_json)


def _write(folder: Path, document: dict[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{folder} cannot be made: {error}; choose another --out") from error
    with stages() as say:
        say("drawing plots")
        write_evaluation(folder / PAGE_FILE, document)
    with replaced_file(folder / JSON_FILE) as draft:
        draft.write_text(json_text(document), encoding="utf-8")
