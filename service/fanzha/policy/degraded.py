"""What is answered at least while a part is missing: by part, channel and amount.

Without this a bank learns what its system answers when it is broken on the day it breaks. A gap
never blocks, since it is no evidence of fraud. It may pause only together with the amount, as a
second ground: no single soft fact pauses (银发〔2016〕261号, annex).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fanzha.domain.decision import Reason
from fanzha.domain.vocabulary import Channel, DecisionKind, DegradedPart
from fanzha.policy.facts import FACT_BY_NAME


class Gap(StrEnum):
    """A part that may be missing, as policy files name it."""

    PAYER_HISTORY = "payer_history"
    PAYEE_HISTORY = "payee_history"
    LISTS = "lists"
    MODEL = "model"
    JOURNAL = "journal"


PART_OF: Final = {gap: DegradedPart[gap.name] for gap in Gap}
CODE_OF: Final = {gap: f"{gap.name}_MISSING" for gap in Gap}
"""Codes of the reasons."""


_ORDINARY: Final = FACT_BY_NAME["amount_minor"].ordinary
ORDINARY_MINOR: Final = int(_ORDINARY) if isinstance(_ORDINARY, float) else 0
"""An amount, in minor units, that says nothing by itself: no atom that holds for it is evidence."""


@dataclass(frozen=True, slots=True)
class GapAnswer:
    """What is answered at least, from an amount on."""

    answer: DecisionKind
    """ALLOW, CONFIRM or PAUSE."""
    amount_from_minor: int
    """In minor units of the base currency; 0: for every amount."""
    hold_ms: int = 0
    """How long a PAUSE lasts."""

    @property
    def has_two_grounds(self) -> bool:
        """Say whether the amount is a ground beside the gap; an ordinary one is none."""
        return self.amount_from_minor > ORDINARY_MINOR


@dataclass(frozen=True, slots=True)
class GapRule:
    """What one missing part means."""

    gap: Gap
    reason: Reason
    answers: Mapping[Channel, tuple[GapAnswer, ...]]
    """Every channel has at least one for every amount; the largest amounts come first."""

    def answer(self, channel: Channel, amount_minor: int) -> GapAnswer:
        """Return the strictest answer for a channel and an amount."""
        fitting = [x for x in self.answers[channel] if x.amount_from_minor <= amount_minor]
        return max(fitting, key=lambda x: x.answer)


GapRules = Mapping[DegradedPart, GapRule]
"""By the part that is missing; a part without a rule is answered as if nothing were missing."""


def steps(rule: GapRule, channel: Channel) -> list[GapAnswer]:
    """Return what a channel answers, from the smallest amount to the largest; each is stricter."""
    found: list[GapAnswer] = []
    for each in sorted(rule.answers[channel], key=lambda x: (x.amount_from_minor, x.answer)):
        if found and each.answer <= found[-1].answer:
            continue
        if found and each.amount_from_minor == found[-1].amount_from_minor:
            found.pop()
        found.append(each)
    return found
