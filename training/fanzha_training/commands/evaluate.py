"""`fanzha-training evaluate`: measures a model on days later than everything it learned from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha_training.atomic import replaced_file
from fanzha_training.calibrate import logit, shifted
from fanzha_training.commands.console import AsJson, counted, show, stages
from fanzha_training.dataset import Dataset, load_dataset
from fanzha_training.evaluate import figures_of, later_than, scored_by
from fanzha_training.evaluation.assumptions import assumptions_of
from fanzha_training.evaluation.head import Answers
from fanzha_training.evaluation.page import write_evaluation
from fanzha_training.evaluation.report import Question, document_of, evaluate_question
from fanzha_training.evaluation.thresholds import PolicyLimits, policy_limits
from fanzha_training.scorer import Scorer, load_scorers, load_type_scorer
from fanzha_training.trained import RECORD_FILE, json_text, save_evaluation
from fanzha_training.type_metrics import type_metrics

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
        folders = [folder for folder in (model, against) if folder is not None]
        scorers = [load_scorers(folder) for folder in folders]
        cut_ms = max(each[Head.VICTIM].cut_ms for each in scorers)
        types = [load_type_scorer(folder) for folder in folders]
        say("scoring")
        questions, left_out = _questions(data, scorers, cut_ms, base_rate, limits)
        victims = questions[0]
        told_types = [
            None if each is None else type_metrics(each, victims.later.data, limits.typology_min)
            for each in types
        ]
    with counted("drawing accounts") as tell:
        sections = {
            question.head: evaluate_question(question, assumptions, tell) for question in questions
        }
    rate = victims.base_rate
    figures = [figures_of(said.label, victims.later, said.scored, rate) for said in victims.answers]
    about = {
        "source": data.meta.source,
        "simulated": data.meta.simulated,
        "fingerprint": data.fingerprint(),
        "repaired": data.repaired,
    }
    document = document_of(figures, sections, assumptions, about) | {
        "heads_left_out": left_out,
        "fraud_types": dict(zip(("model", "against"), told_types, strict=False)),
    }
    if out is not None:
        _write(out, document)
    if (model / RECORD_FILE).exists() and against is None:
        save_evaluation(model, figures[0] | {"headline": document["headline"]})
    told = (
        "model", "headline", "window", "base_rate", "budgets", "calibration", "heads_left_out",
        "data",
    )  # fmt: skip
    brief = {name: document[name] for name in told}
    show(document if as_json else brief, as_json=as_json)


def _questions(
    data: Dataset,
    scorers: Sequence[Mapping[Head, Scorer]],
    cut_ms: int,
    base_rate: float | None,
    limits: PolicyLimits,
) -> tuple[list[Question], dict[str, str]]:
    """Return the questions that all models answer and the data can judge, VICTIM first.

    And of the others, why they are left out.
    """
    questions, left_out = [], {}
    victim = scorers[0][Head.VICTIM].calibration
    rate = victim.stated_rate if base_rate is None else base_rate
    shift = 0.0
    for head in Head:
        if not all(head in each for each in scorers):
            left_out[head.value] = "a model has no such head"
            continue
        try:
            later = later_than(data.for_head(head), cut_ms)
        except SetupError as error:
            if head is Head.VICTIM:
                raise
            left_out[head.value] = str(error)
            continue
        if head is Head.VICTIM and rate is not None:
            # What these transfers over-sample fraud by, not those that the model learned from.
            shift = logit(rate) - logit(float((later.data.label == 1).mean()))
        true_rate = rate if head is Head.VICTIM else shifted(later.data.label, shift)
        answers = tuple(
            Answers(
                each[head].label,
                each[head].calibration,
                scored_by(each[head], later.data, true_rate),
            )
            for each in scorers
        )
        priced = limits if head is Head.VICTIM else None
        questions.append(Question(head, later, answers, true_rate, priced))
    return questions, left_out


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
