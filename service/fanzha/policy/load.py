"""Reads a policy file into a policy, or refuses it with all its faults at once."""

from datetime import date, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final

from fanzha.checked_yaml import Document, read_document
from fanzha.domain.decision import Reason
from fanzha.domain.model import Head
from fanzha.domain.vocabulary import Channel, CustomerSegment, DecisionKind
from fanzha.file_shape import Loc
from fanzha.policy.atoms import Atom
from fanzha.policy.control_share import ControlShare
from fanzha.policy.facts import HEAD_OF_FACT
from fanzha.policy.guards import (
    check_atoms,
    check_public,
    check_rule,
    checked_template,
    compiled_atoms,
    holds_for,
)
from fanzha.policy.load_degraded import gap_rules
from fanzha.policy.policy import NoticeTexts, Policy, Rule, RuleClass, Thresholds, TypologyLimits
from fanzha.policy.policy_file import (
    ControlShareShape,
    NoticeShape,
    PolicyShape,
    RuleShape,
    ScoreReasonsShape,
    TextsShape,
    ThresholdsShape,
    ThresholdTableShape,
    TypologyShape,
)
from fanzha.policy.program import Program, compile_program
from fanzha.policy.wording import ReasonTemplate

DEFAULT_POLICY: Final = Path(__file__).parent / "data" / "policy.yaml"
BEIJING: Final = timezone(timedelta(hours=8))
SCORE_CONFIRM_CODE: Final = "MODEL_SCORE_CONFIRM"
SCORE_PAUSE_CODE: Final = "MODEL_SCORE_PAUSE"
ESSENTIAL_CODE: Final = "ESSENTIAL_PAYMENT"
TYPOLOGY: Final = TypologyLimits(min_probability=0.5, over_rules=0.75)
"""Unless the file says otherwise."""

_HOUR_MS: Final = 3_600_000
_ALWAYS_MS: Final = 2**62
_SCORE_FACTS: Final = frozenset({"score_points"})

Checked = tuple[RuleShape, tuple[Atom, ...], ReasonTemplate]


def load_policy(
    path: Path = DEFAULT_POLICY, zone: tzinfo = BEIJING, content: bytes | None = None
) -> Policy:
    """Read a policy.

    Args:
        path: the file.
        zone: the bank's time zone, for the days on which rules count.
        content: what was read of the file already; None: it is read now.

    Raises:
        FileRefusedError: the file has faults; names all of them with line and column.

    """
    document = read_document(path, content)
    header = document.parse(PolicyShape)
    thresholds = _thresholds(document)
    reasons = _score_reasons(document)
    essential = _essential(document)
    notice = _notice(document)
    typology = _typology(document)
    control_share = _control_share(document, zone)
    hold_ms = header.hold_hours * _HOUR_MS if header else 0
    gaps = gap_rules(document, hold_ms)
    checked = _rules(document)
    program = _program(document, checked)
    document.refuse_if_faulty()
    if not (header and thresholds and reasons and essential and notice and program):
        raise AssertionError("a part that could not be read leaves a fault")
    rules = [
        _rule(shape, atoms, reason, program, hold_ms, zone)
        for shape, atoms, reason in checked
        if shape.mode != "off"
    ]
    rules.sort(key=_precedence)
    return Policy(
        version=header.version,
        hold_ms=hold_ms,
        thresholds=thresholds,
        hard_rules=tuple(rule for rule in rules if rule.rule_class is RuleClass.HARD),
        other_rules=tuple(rule for rule in rules if rule.rule_class is not RuleClass.HARD),
        program=program,
        score_confirm=reasons[0],
        score_pause=reasons[1],
        essential=essential,
        notice=notice,
        typology=typology,
        control_share=control_share,
        gaps=gaps,
    )


def _precedence(rule: Rule) -> tuple[int, int]:
    severity = rule.action if rule.rule_class is RuleClass.SOFT else 0
    return rule.rule_class, -severity


def _thresholds(document: Document) -> dict[tuple[Channel, CustomerSegment], Thresholds] | None:
    table = document.parse(ThresholdTableShape, "thresholds")
    if table is None:
        return None
    _check_order(document, ("thresholds", "default"), table.default)
    stated: dict[tuple[Channel | None, CustomerSegment | None], Thresholds] = {
        (None, None): _as_thresholds(table.default)
    }
    for index, override in enumerate(table.overrides):
        loc = ("thresholds", "overrides", index)
        _check_order(document, loc, override)
        key = override.channel, override.segment
        if key == (None, None):
            document.fault(loc, "an override names a channel, a segment, or both")
        elif key in stated:
            document.fault(loc, "thresholds for this channel and segment are there twice; keep one")
        stated[key] = _as_thresholds(override)
    return {
        (channel, segment): next(
            stated[wish]
            for wish in ((channel, segment), (channel, None), (None, segment), (None, None))
            if wish in stated
        )
        for channel in Channel
        for segment in CustomerSegment
    }


def _check_order(document: Document, loc: Loc, shape: ThresholdsShape) -> None:
    if shape.pause_points <= shape.confirm_points:
        text = (
            f"pause_points {shape.pause_points} must be above confirm_points {shape.confirm_points}"
        )
        document.fault((*loc, "pause_points"), text)


def _as_thresholds(shape: ThresholdsShape) -> Thresholds:
    return Thresholds(shape.confirm_points, shape.pause_points)


def _score_reasons(document: Document) -> tuple[ReasonTemplate, ReasonTemplate] | None:
    shape = document.parse(ScoreReasonsShape, "score_reasons")
    if shape is None:
        return None
    confirm, pause = (
        checked_template(document, ("score_reasons", key), code, texts, _SCORE_FACTS)
        for key, code, texts in (
            ("confirm", SCORE_CONFIRM_CODE, shape.confirm),
            ("pause", SCORE_PAUSE_CODE, shape.pause),
        )
    )
    return confirm, pause


def _essential(document: Document) -> Reason | None:
    key = "essential_reason"
    texts = document.parse(TextsShape, key)
    if texts is None:
        return None
    return checked_template(document, (key,), ESSENTIAL_CODE, texts, frozenset()).fixed


def _notice(document: Document) -> NoticeTexts | None:
    shape = document.parse(NoticeShape, "notice")
    if shape is None:
        return None
    for key, value in shape:
        for index, text in enumerate(value if isinstance(value, list) else ()):
            check_public(document, ("notice", key, index), text)
        if isinstance(value, str):
            check_public(document, ("notice", key), value)
    return NoticeTexts(
        general_cause_zh=shape.general_cause_zh,
        general_cause_en=shape.general_cause_en,
        objection_zh=shape.objection_zh,
        objection_en=shape.objection_en,
        documents_zh=tuple(shape.documents_zh),
        documents_en=tuple(shape.documents_en),
    )


def _typology(document: Document) -> TypologyLimits:
    if document.at("typology") is None:
        return TYPOLOGY
    shape = document.parse(TypologyShape, "typology")
    if shape is None:
        return TYPOLOGY
    if shape.over_rules < shape.min_probability:
        text = "over_rules lies below min_probability; it takes more to count above a rule"
        document.fault(("typology", "over_rules"), text)
    return TypologyLimits(shape.min_probability, shape.over_rules)


def _control_share(document: Document, zone: tzinfo) -> ControlShare | None:
    if document.at("control_share") is None:
        return None
    shape = document.parse(ControlShareShape, "control_share")
    if shape is None:
        return None
    if shape.proposed_by.strip().casefold() == shape.approved_by.strip().casefold():
        text = "a control share takes two people; another one than proposed_by must approve"
        document.fault(("control_share", "approved_by"), text)
    return ControlShare(
        share=shape.share,
        amount_max_minor=shape.amount_max_minor,
        points_max=shape.points_max,
        valid_until_ms=_day_ms(shape.valid_until + timedelta(days=1), zone),
        proposed_by=shape.proposed_by.strip(),
        approved_by=shape.approved_by.strip(),
    )


def _rules(document: Document) -> list[Checked]:
    checked: list[Checked] = []
    ids: set[str] = set()
    for index in range(document.count("rules")):
        loc = ("rules", index)
        shape = document.parse(RuleShape, *loc)
        if shape is None:
            continue
        if shape.id in ids:
            document.fault((*loc, "id"), f"id {shape.id} is there twice; ids are unique")
        ids.add(shape.id)
        check_rule(document, loc, shape)
        atoms = compiled_atoms(document, loc, shape.atoms)
        shown = None
        if atoms is not None:
            check_atoms(document, loc, shape, atoms)
            shown = frozenset(fact.name for atom in atoms for fact in atom.facts)
        code, texts = shape.reason.code, shape.reason
        reason = checked_template(document, (*loc, "reason"), code, texts, shown)
        checked.append((shape, atoms or (), reason))
    return checked


def _program(document: Document, checked: list[Checked]) -> Program | None:
    """Return one program of the distinct atoms of all rules that are not off, nor hard."""
    atoms = {
        atom.source: atom
        for shape, atoms, _ in checked
        for atom in atoms
        if shape.mode != "off" and shape.rule_class != "hard"
    }
    try:
        return compile_program(tuple(atoms.values()))
    except RuntimeError as error:
        text = f"the conditions do not compile together: {str(error).splitlines()[0]}"
        document.fault(("rules",), text, on_key=True)
        return None


def _rule(
    shape: RuleShape,
    atoms: tuple[Atom, ...],
    reason: ReasonTemplate,
    program: Program,
    hold_ms: int,
    zone: tzinfo,
) -> Rule:
    is_hard = shape.rule_class == "hard"
    until = shape.valid_until
    return Rule(
        id=shape.id,
        rule_class=RuleClass[shape.rule_class.upper()],
        action=DecisionKind[shape.action.upper()],
        is_live=shape.mode == "live",
        valid_from_ms=-_ALWAYS_MS if shape.valid_from is None else _day_ms(shape.valid_from, zone),
        valid_until_ms=_ALWAYS_MS if until is None else _day_ms(until + timedelta(days=1), zone),
        reason=reason,
        legal_basis=shape.legal_basis.strip(),
        owner=shape.owner,
        prompt_topic=shape.prompt_topic,
        hold_ms=hold_ms if shape.hold_hours is None else shape.hold_hours * _HOUR_MS,
        evidence=frozenset(atom.family for atom in atoms if atom.is_evidence),
        mask=0 if is_hard else program.mask(atom.source for atom in atoms),
        holds_for=holds_for(atoms) if is_hard else frozenset(),
        head=_head(atoms),
    )


def _head(atoms: tuple[Atom, ...]) -> Head | None:
    named = (HEAD_OF_FACT.get(fact.name) for atom in atoms for fact in atom.facts)
    return next((head for head in named if head is not None), None)


def _day_ms(day: date, zone: tzinfo) -> int:
    """Return the start of a local day, milliseconds since 1970 UTC."""
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)
