"""Texts of reasons, and their placeholders for facts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from string import Formatter
from typing import Final

from fanzha.domain.decision import Reason
from fanzha.policy.fact import FactType, FactValue
from fanzha.policy.facts import FACT_BY_NAME

UNKNOWN_ZH: Final = "（数据暂缺）"
UNKNOWN_EN: Final = "(unknown)"
_SPEC: Final = re.compile(r",?\.[0-3][f%]")

Parts = tuple[tuple[str, str, str], ...]
"""Literal text, then the fact that follows it and its format; both empty after the last one."""


def parse_parts(text: str) -> tuple[Parts, tuple[str, ...]]:
    """Return the parts of a text and its faults.

    A placeholder is a number's name and a format of Python: {payee_account_age_days:.0f}.
    """
    try:
        fields = list(Formatter().parse(text))
    except ValueError as error:
        return (), (f"has a brace without its pair ({error}); write {{{{ for a brace itself",)
    parts, faults = [], []
    for literal, name, spec, conversion in fields:
        parts.append((literal, name or "", spec or ""))
        if name is None:
            continue
        fact = FACT_BY_NAME.get(name)
        if fact is None:
            faults.append(f"names {name or 'nothing'} in braces, which is not a fact")
        elif fact.type is not FactType.DOUBLE:
            faults.append(f"names {name} in braces; only numbers can be shown")
        elif conversion or not _SPEC.fullmatch(spec or ""):
            faults.append(f"shows {name} as {spec!r}; use a format such as .0f, ,.2f or .0%")
    return tuple(parts), tuple(faults)


def placeholders(parts: Parts) -> frozenset[str]:
    """Return the names of the facts that a text shows."""
    return frozenset(name for _, name, _ in parts if name)


def _fill(parts: Parts, values: Mapping[str, FactValue], unknown: str) -> str:
    filled = []
    for literal, name, spec in parts:
        filled.append(literal)
        if name:
            value = values.get(name)
            is_known = isinstance(value, float) and isfinite(value)
            filled.append(format(value, spec) if is_known else unknown)
    return "".join(filled)


@dataclass(frozen=True, slots=True)
class ReasonTemplate:
    """A reason whose texts may show numbers of the transfer."""

    code: str
    zh: Parts
    en: Parts
    customer_zh: Parts
    customer_en: Parts
    fixed: Reason | None
    """The reason itself, when no text shows a number."""

    def reason(self, values: Mapping[str, FactValue]) -> Reason:
        """Return the reason; unknown numbers are shown as missing, never as a number."""
        if self.fixed is not None:
            return self.fixed
        return Reason(
            self.code,
            _fill(self.zh, values, UNKNOWN_ZH),
            _fill(self.en, values, UNKNOWN_EN),
            _fill(self.customer_zh, values, UNKNOWN_ZH),
            _fill(self.customer_en, values, UNKNOWN_EN),
        )


def reason_template(
    code: str, zh: Parts, en: Parts, customer_zh: Parts, customer_en: Parts
) -> ReasonTemplate:
    """Return a template of parsed texts."""
    texts = (zh, en, customer_zh, customer_en)
    fixed = None
    if not any(placeholders(parts) for parts in texts):
        fixed = Reason(code, *(_fill(parts, {}, "") for parts in texts))
    return ReasonTemplate(code, *texts, fixed)
