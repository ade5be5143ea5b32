"""Evaluates a model, or two on the same transfers, head by head, into one JSON document."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from fanzha.domain.model import Head
from fanzha_training.dataset import DAY_MS
from fanzha_training.evaluate import Later
from fanzha_training.evaluation.assumptions import Assumptions
from fanzha_training.evaluation.bootstrap import LEVEL, interval
from fanzha_training.evaluation.figures import Estimates, Told
from fanzha_training.evaluation.head import Answers, HeadResult, evaluate_head
from fanzha_training.evaluation.thresholds import PolicyLimits
from fanzha_training.metrics import BUDGETS_PER_1000

HEADLINE_BUDGET: Final = "1"
"""Alerts per 1,000 transfers at which a model is judged first."""
_COMPARED: Final = ("value_detection_rate", "case_recall", "recall", "money_saved")


@dataclass(frozen=True, slots=True)
class Question:
    """One head to evaluate."""

    head: Head
    later: Later
    """Transfers with the head's labels."""
    answers: tuple[Answers, ...]
    """Those of the model, then of the one that it is compared with, if any."""
    base_rate: float | None
    """True share of positive labels; None for the data's own."""
    limits: PolicyLimits | None = None
    """Thresholds of the policy, where it decides by this head's score."""


def evaluate_question(
    question: Question, assumptions: Assumptions, tell: Callable[[int, int], None]
) -> dict[str, Any]:
    """Return one head's section: `model`, and `against` and `difference` if there are two."""
    later = question.later
    label = later.data.label
    results = [
        evaluate_head(
            answers,
            later.data,
            head=question.head,
            base_rate=question.base_rate,
            limits=question.limits,
            assumptions=assumptions,
            days=(later.until_ms - later.from_ms) / DAY_MS,
            tell=tell,
        )
        for answers in question.answers
    ]
    section: dict[str, Any] = {
        "window": later.window(),
        "rate_in_data": float((label == 1).mean()),
        "base_rate": question.base_rate,
        "policy_version": None if question.limits is None else question.limits.version,
        "model": results[0].figures,
    }
    if len(results) > 1:
        section["against"] = results[1].figures
        section["difference"] = _difference(*results)
    return section


def _difference(model: HeadResult, against: HeadResult) -> dict[str, Any]:
    """Return the model's rates less the other's, with intervals from the same draws."""
    told = {}
    for name in _COMPARED:
        key = f"budgets.{name}"
        if name in model.figures["budgets"][f"{BUDGETS_PER_1000[0]:g}"]:
            told[name] = _less(model.estimates, against.estimates, key)
    return {
        f"{budget:g}": {name: values.at(place, 0) for name, values in told.items()}
        for place, budget in enumerate(BUDGETS_PER_1000)
    }


def _less(one: Estimates, other: Estimates, key: str) -> Told:
    value = one.value[key] - other.value[key]
    if key not in one.draws:
        return Told(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
    return Told(value, *interval(one.draws[key] - other.draws[key]))


def document_of(
    figures: list[dict[str, Any]],
    sections: dict[Head, dict[str, Any]],
    assumptions: Assumptions,
    data: dict[str, Any],
) -> dict[str, Any]:
    """Return everything as one JSON document; see `docs/reference/evaluation.md`.

    Args:
        figures: main figures of the model, and of the one it is compared with, from `evaluate`.
        sections: one for each head, from `evaluate_question`; VICTIM is among them.
        assumptions: those of the sections.
        data: where the data come from.

    """
    document = {
        **figures[0],
        "headline": _headline(sections[Head.VICTIM]["model"]),
        "data": data,
        "assumptions": {**asdict(assumptions), "confidence": LEVEL},
        "heads": {head.value: section for head, section in sections.items()},
    }
    return document | ({"against": figures[1]} if len(figures) > 1 else {})


def _headline(figures: dict[str, Any]) -> dict[str, Any]:
    at = figures["budgets"][HEADLINE_BUDGET]
    names = ("value_detection_rate", "case_recall", "money_saved", "false_per_true")
    return {"alerts_per_1000": float(HEADLINE_BUDGET), **{name: at[name] for name in names}}
