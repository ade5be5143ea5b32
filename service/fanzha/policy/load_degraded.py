"""Reads the section `degraded` of a policy file."""

from typing import Final

from fanzha.checked_yaml import ABSENT, Document
from fanzha.domain.vocabulary import Channel, DecisionKind
from fanzha.file_shape import Loc
from fanzha.policy.degraded import (
    CODE_OF,
    ORDINARY_MINOR,
    PART_OF,
    Gap,
    GapAnswer,
    GapRule,
    GapRules,
)
from fanzha.policy.guards import checked_template
from fanzha.policy.policy_file import DegradedShape, GapAnswerShape, GapShape

_HOUR_MS: Final = 3_600_000
_SECTION: Final = "degraded"


def gap_rules(document: Document, hold_ms: int) -> GapRules:
    """Return what each missing part means; adds the section's faults to the document.

    Args:
        document: the policy file.
        hold_ms: how long a PAUSE lasts unless an answer says otherwise.
    """
    if document.at(_SECTION) is None:
        return {}
    document.parse(DegradedShape, _SECTION)
    rules = [_rule(document, gap, hold_ms) for gap in Gap]
    return {PART_OF[rule.gap]: rule for rule in rules if rule is not None}


def _rule(document: Document, gap: Gap, hold_ms: int) -> GapRule | None:
    loc: Loc = (_SECTION, gap.value)
    if document.at(*loc) is ABSENT:
        return None
    shape = document.parse(GapShape, *loc)
    default_kind = DecisionKind.ALLOW if shape is None else DecisionKind[shape.default.upper()]
    cases = [
        _answer(document, (*loc, "cases", index), default_kind, hold_ms)
        for index in range(document.count(*loc, "cases"))
    ]
    if shape is None:
        return None
    reason = checked_template(
        document, (*loc, "reason"), CODE_OF[gap], shape.reason, frozenset()
    ).fixed
    default = GapAnswer(default_kind, 0)
    answers: dict[Channel, list[GapAnswer]] = {channel: [default] for channel in Channel}
    for channels, answer in filter(None, cases):
        for channel in channels or answers:
            answers[channel].append(answer)
    if reason is None:
        return None
    ordered = {
        channel: tuple(sorted(each, key=lambda x: -x.amount_from_minor))
        for channel, each in answers.items()
    }
    return GapRule(gap, reason, ordered)


def _answer(
    document: Document, loc: Loc, default: DecisionKind, hold_ms: int
) -> tuple[list[Channel], GapAnswer] | None:
    case = document.parse(GapAnswerShape, *loc)
    if case is None:
        return None
    kind = DecisionKind[case.answer.upper()]
    if kind == DecisionKind.PAUSE and case.amount_from_minor <= ORDINARY_MINOR:
        text = (
            f"a missing part alone never pauses; give amount_from_minor above {ORDINARY_MINOR}, an "
            "ordinary amount, as a second ground, or confirm"
        )
        document.fault((*loc, "answer"), text)
    if kind <= default:
        text = f"{case.answer} is what the default answers already; leave the case out"
        document.fault((*loc, "answer"), text)
    if case.hold_hours is not None and kind != DecisionKind.PAUSE:
        text = "only a pause has hold_hours; leave it out"
        document.fault((*loc, "hold_hours"), text, on_key=True)
    if len(set(case.channels)) < len(case.channels):
        document.fault((*loc, "channels"), "a channel is there twice; keep one")
    held_ms = hold_ms if case.hold_hours is None else case.hold_hours * _HOUR_MS
    if kind != DecisionKind.PAUSE:
        held_ms = 0
    return case.channels, GapAnswer(kind, case.amount_from_minor, held_ms)
