"""The guards: what a rule may stand on, checked when a policy is loaded.

- BLOCK needs hard evidence: only class hard may block, on facts of family hard alone.
- No single soft fact may PAUSE: a soft rule needs evidence of two families, or the model's score.
- A customer's segment or type is never the sole cause of a restriction.
- Rules of class hard and statutory name their law.
- No rule may hold when everything is unknown, nor for an ordinary transfer.
"""

from collections.abc import Sequence
from typing import Final

from fanzha.checked_yaml import Document
from fanzha.domain.confidential import confidential_words
from fanzha.file_shape import Loc
from fanzha.policy.atoms import Atom, AtomFault, compile_atom
from fanzha.policy.fact import FactFamily
from fanzha.policy.policy import Involved
from fanzha.policy.policy_file import RuleShape, TextsShape
from fanzha.policy.wording import (
    ReasonTemplate,
    parse_parts,
    placeholders,
    reason_template,
)

ALL_INVOLVED: Final = tuple(
    Involved(payer, payee) for payer in (False, True) for payee in (False, True)
)
MODEL_PREFIX: Final = "MODEL_"
"""Codes of the model's own reasons begin with it, see `fanzha.explain`."""
TEXTS: Final = ("zh", "en", "customer_zh", "customer_en")


def compiled_atoms(document: Document, loc: Loc, sources: Sequence[str]) -> tuple[Atom, ...] | None:
    """Return a rule's atoms, or None after adding their faults."""
    atoms: list[Atom] = []
    is_sound = True
    for index, source in enumerate(sources):
        match compile_atom(source):
            case Atom() as atom:
                atoms.append(atom)
            case faults:
                is_sound = False
                _add(document, (*loc, "all", index), faults)
    return tuple(atoms) if is_sound else None


def _add(document: Document, loc: Loc, faults: tuple[AtomFault, ...]) -> None:
    for fault in faults:
        document.fault(loc, f"condition {fault.text}", shift=fault.offset)


def check_rule(document: Document, loc: Loc, rule: RuleShape) -> None:
    """Add the faults of a rule that do not depend on its atoms."""
    if rule.reason.code.startswith(MODEL_PREFIX):
        text = f"codes that begin with {MODEL_PREFIX} are the model's own; choose another code"
        document.fault((*loc, "reason", "code"), text)
    if rule.action == "block" and rule.rule_class != "hard":
        text = f"a {rule.rule_class} rule may not block; BLOCK needs class hard"
        document.fault((*loc, "action"), text)
    if rule.rule_class != "soft" and not rule.legal_basis.strip():
        text = f"a {rule.rule_class} rule must name its law; add legal_basis"
        document.fault((*loc, "legal_basis"), text)
    if rule.hold_hours is not None and rule.action != "pause":
        document.fault(
            (*loc, "hold_hours"), "only a pause has hold_hours; leave it out", on_key=True
        )
    if rule.valid_from and rule.valid_until and rule.valid_from > rule.valid_until:
        document.fault((*loc, "valid_until"), "valid_until lies before valid_from; swap them")


def check_atoms(document: Document, loc: Loc, rule: RuleShape, atoms: tuple[Atom, ...]) -> None:
    """Add the faults of what a rule stands on."""
    where = (*loc, "all")
    _check_families(document, where, rule, atoms)
    if all(atom.holds_when_unknown for atom in atoms):
        text = "the rule holds when everything is unknown; add a condition on something known"
        document.fault(where, text, on_key=True)
    elif all(atom.holds_ordinarily for atom in atoms):
        text = "the rule holds for an ordinary transfer, and so for everyone; narrow it"
        document.fault(where, text, on_key=True)
    elif _rests_on_party_alone(rule, atoms):
        text = "what the customer is may not be the sole cause; add a condition on the transfer"
        document.fault(where, text, on_key=True)
    elif rule.rule_class == "soft" and rule.action == "pause":
        _check_soft_pause(document, where, atoms)
    if rule.rule_class == "hard" and not _is_monotone(atoms):
        text = "the rule holds for less hard evidence and not for more; leave out the negation"
        document.fault(where, text, on_key=True)


def _rests_on_party_alone(rule: RuleShape, atoms: tuple[Atom, ...]) -> bool:
    if rule.rule_class == "soft" and any(atom.family is FactFamily.PARTY for atom in atoms):
        return not any(atom.is_evidence for atom in atoms)
    return all(atom.family is FactFamily.PARTY for atom in atoms)


def _check_families(
    document: Document, where: Loc, rule: RuleShape, atoms: tuple[Atom, ...]
) -> None:
    for index, atom in enumerate(atoms):
        if rule.rule_class == "hard" and atom.family is not FactFamily.HARD:
            text = f"condition is of family {atom.family.value}; a hard rule names family hard only"
            document.fault((*where, index), text)
        if rule.rule_class != "hard" and atom.family is FactFamily.HARD:
            text = "condition is of family hard; give the rule class hard"
            document.fault((*where, index), text)


def _check_soft_pause(document: Document, where: Loc, atoms: tuple[Atom, ...]) -> None:
    evidence = sorted({atom.family.value for atom in atoms if atom.is_evidence})
    if len(evidence) > 1 or FactFamily.SCORE.value in evidence:
        return
    others = [f"{atom.source} ({atom.family.value})" for atom in atoms if not atom.is_evidence]
    text = (
        "a soft pause needs evidence of two families or of family score, and has "
        f"{evidence[0] if evidence else 'none'}; add a condition, or confirm instead"
    )
    if others:
        text += f"; not evidence by themselves: {', '.join(others)}"
    document.fault(where, text, on_key=True)


def holds_for(atoms: tuple[Atom, ...]) -> frozenset[Involved]:
    """Return the hard evidence for which all of a hard rule's atoms hold."""
    return frozenset(
        involved
        for involved in ALL_INVOLVED
        if all(
            atom.holds({"payer_involved": involved.payer, "payee_involved": involved.payee})
            for atom in atoms
        )
    )


def _is_monotone(atoms: tuple[Atom, ...]) -> bool:
    if any(atom.family is not FactFamily.HARD for atom in atoms):
        return True  # Told elsewhere.
    held = holds_for(atoms)
    return all(
        more in held
        for less in held
        for more in ALL_INVOLVED
        if more.payer >= less.payer and more.payee >= less.payee
    )


def checked_template(
    document: Document,
    loc: Loc,
    code: str,
    texts: TextsShape,
    shown: frozenset[str] | None,
) -> ReasonTemplate:
    """Return a reason's template after adding the faults of its texts.

    Args:
        document: the file.
        loc: place of the texts in it.
        code: the reason's code.
        texts: the texts.
        shown: names of the facts that the texts may show, None when that cannot be told.

    """
    parsed = []
    for key in TEXTS:
        text: str = getattr(texts, key)
        parts, faults = parse_parts(text)
        missing = placeholders(parts) - (placeholders(parts) if shown is None else shown)
        for fault in faults:
            document.fault((*loc, key), f"text {fault}")
        for name in () if faults else sorted(missing):
            fault = f"text shows {name}, which no condition of the rule names; add a condition"
            document.fault((*loc, key), fault)
        parsed.append(parts)
    if bool(texts.customer_zh.strip()) != bool(texts.customer_en.strip()):
        document.fault(loc, "customer_zh and customer_en go together; write both or neither")
    for key in TEXTS[2:]:
        check_public(document, (*loc, key), getattr(texts, key))
    return reason_template(code, *parsed)


def check_public(document: Document, loc: Loc, text: str) -> None:
    """Add a fault when a text for customers names what must stay confidential."""
    words = confidential_words(text)
    if words:
        fault = f"a customer may not read of {', '.join(words)} (反洗钱法 art. 35); reword it"
        document.fault(loc, fault)
