"""Statements of a reason: what one says, what must hold for it, and how its texts are filled."""

import re
from dataclasses import dataclass
from math import isfinite
from operator import eq, ge, gt, le, lt
from string import Formatter
from typing import Final

import numpy as np

from fanzha.explain.figures import FORMS
from fanzha.features.codes import CODES
from fanzha.features.manifest import FEATURE_INDEX, FEATURES

_OPERATORS: Final = {"<=": le, ">=": ge, "<": lt, ">": gt, "==": eq}
_CONDITION: Final = re.compile(r"([a-z0-9_]+) (<=|>=|==|<|>) (-?\d+(?:\.\d+)?|[A-Z_]+)")

Parts = tuple[tuple[str, int, str], ...]
"""Literal text, then the place of the feature that follows it and its form; -1 after the last."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A bound of one feature. What is unknown (NaN) keeps none."""

    source: str
    feature: int
    operator: str
    bound: float

    def holds(self, vector: list[float]) -> bool:
        """Say whether it holds for a vector's values; a value must be finite to be told."""
        value = vector[self.feature]
        return isfinite(value) and bool(_OPERATORS[self.operator](value, self.bound))


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact that a reason may tell."""

    topic: str
    """Of statements of one topic only one is told."""
    when: tuple[Condition, ...]
    """What points to fraud, all of it features of the reason's group."""
    given: tuple[Condition, ...]
    """What must hold beside it for the text to be true."""
    zh: Parts
    en: Parts
    customer_zh: Parts
    customer_en: Parts

    @property
    def features(self) -> tuple[int, ...]:
        """Places of the features that the statement stands for, each once."""
        return tuple(dict.fromkeys(condition.feature for condition in self.when))

    def holds(self, vector: list[float]) -> bool:
        """Say whether a vector's values support the statement."""
        return all(condition.holds(vector) for condition in (*self.when, *self.given))


def parse_condition(source: str) -> Condition | str:
    """Return a condition such as `payee_account_age_days <= 180`, or what is wrong with it."""
    found = _CONDITION.fullmatch(source)
    if found is None:
        return "is not of the form `feature >= number` with one of <= >= == < >"
    name, operator, bound = found.groups()
    if name not in FEATURE_INDEX:
        return f"names {name}, which is not a feature"
    if name in CODES:
        words = {member.name: member.value for member in CODES[name]}
        if bound not in words or operator != "==":
            return f"must compare {name} by == with one of {', '.join(words)}"
        return Condition(source, FEATURE_INDEX[name], operator, float(words[bound]))
    if bound[0].isupper():
        return f"compares {name} with a word; it is a number"
    # As the vector holds it: 0.7 is not reached by float32(0.7) otherwise.
    return Condition(source, FEATURE_INDEX[name], operator, float(np.float32(bound)))


def parse_parts(text: str) -> Parts | str:
    """Return the parts of a text with placeholders such as {out_sum_24h:money}, or its fault."""
    try:
        fields = list(Formatter().parse(text))
    except ValueError as error:
        return f"has a brace without its pair ({error})"
    parts = []
    for literal, name, form, conversion in fields:
        if name is None:
            parts.append((literal, -1, ""))
            continue
        if name not in FEATURE_INDEX:
            return f"names {name or 'nothing'} in braces, which is not a feature"
        unit = FEATURES[FEATURE_INDEX[name]].unit
        fitting = [key for key, found in FORMS.items() if unit in found.units]
        if conversion or form not in fitting:
            return f"shows {name} as {form!r}; {unit} are shown as {' or '.join(fitting) or 'none'}"
        parts.append((literal, FEATURE_INDEX[name], form))
    return tuple(parts)


def shown(parts: Parts) -> frozenset[int]:
    """Return the places of the features that a text shows."""
    return frozenset(feature for _, feature, _ in parts if feature >= 0)


def fill(parts: Parts, vector: list[float], language: str) -> str:
    """Return a text with its values. `language`: zh or en."""
    filled = []
    for literal, feature, form in parts:
        filled.append(literal)
        if feature >= 0:
            write = FORMS[form].zh if language == "zh" else FORMS[form].en
            filled.append(write(vector[feature], FEATURES[feature].unit))
    return "".join(filled)
