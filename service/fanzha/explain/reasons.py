"""Turns contributions into reasons: what the score rests on, in words that the data support."""

from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Reason
from fanzha.explain.statements import Parts, Statement, fill
from fanzha.explain.texts import ReasonGroup, ReasonTexts

REASONS_MAX: Final = 5
STATEMENTS_MAX: Final = 3


def model_reasons(
    vector: npt.NDArray[np.float32], contributions: npt.NDArray[np.float64], texts: ReasonTexts
) -> tuple[Reason, ...]:
    """Return at most five reasons, by contribution, the largest first; ties in the file's order.

    A group becomes a reason when its features together raise the margin by the floor or more, and
    at least one of its statements can be told.

    Args:
        vector: float32 (features,), NaN where unknown.
        contributions: float64 (features,), what each feature adds to the margin.
        texts: the groups.

    """
    values: list[float] = vector.tolist()
    found: list[tuple[float, ReasonGroup, tuple[Statement, ...]]] = []
    for group in texts.groups:
        total = float(contributions[list(group.features)].sum())
        if total >= texts.floor:
            statements = _told(group, values, contributions)
            if statements:
                found.append((total, group, statements))
    found.sort(key=lambda one: -one[0])
    return tuple(_reason(group, told, values) for _, group, told in found[:REASONS_MAX])


def _told(
    group: ReasonGroup, values: list[float], contributions: npt.NDArray[np.float64]
) -> tuple[Statement, ...]:
    """Return the statements to tell, at most three, in the file's order.

    A statement can be told when its conditions hold and its own features together raise the margin.
    Of one topic the first is told; of more than three those that raise the margin most.
    """
    weights: dict[int, float] = {}
    topics: set[str] = set()
    for place, statement in enumerate(group.statements):
        weight = float(contributions[list(statement.features)].sum())
        if weight > 0 and statement.topic not in topics and statement.holds(values):
            topics.add(statement.topic)
            weights[place] = weight
    strongest = sorted(weights, key=lambda place: -weights[place])[:STATEMENTS_MAX]
    return tuple(group.statements[place] for place in sorted(strongest))


def _reason(group: ReasonGroup, told: tuple[Statement, ...], values: list[float]) -> Reason:
    public = [statement for statement in told if statement.customer_zh]
    return Reason(
        group.code,
        _chinese(group, [statement.zh for statement in told], values),
        _english(group, [statement.en for statement in told], values),
        _ended(
            _chinese(group, [statement.customer_zh for statement in public], values),
            ("，", group.advice_zh, "。"),
        ),
        _ended(
            _english(group, [statement.customer_en for statement in public], values),
            (". ", group.advice_en, "."),
        ),
    )


def _chinese(group: ReasonGroup, texts: list[Parts], values: list[float]) -> str:
    said = "，".join(fill(text, values, "zh") for text in texts)
    return f"{group.lead_zh}{said}" if said else ""


def _english(group: ReasonGroup, texts: list[Parts], values: list[float]) -> str:
    said = "; ".join(fill(text, values, "en") for text in texts)
    if said and group.lead_en:
        said = f"{group.lead_en}: {said}"
    return said[:1].upper() + said[1:]


def _ended(said: str, ending: tuple[str, str, str]) -> str:
    """Return a customer's text with the group's advice; empty when nothing may be said."""
    between, advice, stop = ending
    if not said:
        return ""
    return said + (between + advice if advice else "") + stop
