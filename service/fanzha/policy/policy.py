"""A loaded policy: evaluated once per decision, the same for the same inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from fanzha.domain.decision import Reason
from fanzha.domain.evidence import Evidence
from fanzha.domain.model import Head
from fanzha.domain.vocabulary import Channel, CustomerSegment, DecisionKind
from fanzha.policy.control_share import ControlShare
from fanzha.policy.degraded import GapRules
from fanzha.policy.fact import FactFamily, FactValue, Sources
from fanzha.policy.list_facts import is_payee_involved, is_payer_involved
from fanzha.policy.program import Program
from fanzha.policy.prompts import PromptTopic
from fanzha.policy.wording import ReasonTemplate


class RuleClass(IntEnum):
    """What a rule stands on, in order of precedence."""

    HARD = 1
    STATUTORY = 2
    SOFT = 3


@dataclass(frozen=True, slots=True)
class Involved:
    """Which accounts of a transfer are on the list of involved accounts: the hard evidence."""

    payer: bool
    payee: bool


NOT_INVOLVED: Final = Involved(payer=False, payee=False)
_NO_VALUES: Final[Mapping[str, FactValue]] = {}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Points of the score, 1 to 1000, from which a decision is at least CONFIRM or PAUSE."""

    confirm_points: int
    pause_points: int


@dataclass(frozen=True, slots=True)
class TypologyLimits:
    """Probabilities of a type of fraud from which the prompt speaks of it, 0 to 1."""

    min_probability: float
    """Where no rule that holds names a type."""
    over_rules: float
    """Whatever the rules name."""


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """The fixed words of every notice."""

    general_cause_zh: str
    general_cause_en: str
    objection_zh: str
    objection_en: str
    documents_zh: tuple[str, ...]
    documents_en: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that is live or in shadow. Times are milliseconds since 1970 UTC."""

    id: str
    rule_class: RuleClass
    action: DecisionKind
    is_live: bool
    valid_from_ms: int
    valid_until_ms: int
    """Exclusive."""
    reason: ReasonTemplate
    legal_basis: str
    owner: str
    prompt_topic: PromptTopic | None
    hold_ms: int
    evidence: frozenset[FactFamily]
    """Families of the atoms that say something about fraud."""
    mask: int
    """Its atoms, see `Program.mask`; 0 for class HARD."""
    holds_for: frozenset[Involved]
    """Hard evidence for which it holds; for class HARD only."""
    head: Head | None
    """The model's question whose score it rests on."""

    @property
    def has_two_grounds(self) -> bool:
        """Say whether its evidence is of two families, or the model's score."""
        return len(self.evidence) > 1 or FactFamily.SCORE in self.evidence


class Fired(NamedTuple):
    """Rules that hold, in order of precedence, and the facts that they were told by."""

    live: tuple[Rule, ...]
    shadow: tuple[Rule, ...]
    involved: Involved
    values: Mapping[str, FactValue]
    """Empty where no rule holds."""
    is_complete: bool
    """False: the program failed, and only rules of class HARD were looked at."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, thresholds and texts of one version."""

    version: str
    hold_ms: int
    thresholds: Mapping[tuple[Channel, CustomerSegment], Thresholds]
    """Every channel and segment has an entry."""
    hard_rules: tuple[Rule, ...]
    """Rules of class HARD, in order of precedence."""
    other_rules: tuple[Rule, ...]
    """The others, in order of precedence: by class, soft ones by severity, then as in the file."""
    program: Program
    """The conditions of the others."""
    score_confirm: ReasonTemplate
    score_pause: ReasonTemplate
    essential: Reason
    notice: NoticeTexts
    typology: TypologyLimits
    control_share: ControlShare | None
    """None: everyone is prompted who is to be."""
    gaps: GapRules
    """What is answered at least while parts are missing."""

    def evaluate(self, sources: Sources, now_ms: int) -> Fired:
        """Return the rules that hold at a time, milliseconds since 1970 UTC.

        Hard rules were told at load for every hard evidence there can be, so that no fault of the
        program at run time can switch them off.
        """
        involved = _involved(sources.evidence)
        given = self.program.given(sources)
        held = self.program.held(given)
        fired: list[Rule] = []
        if involved.payer or involved.payee:
            fired += [rule for rule in self.hard_rules if involved in rule.holds_for]
        if held:
            fired += [rule for rule in self.other_rules if held & rule.mask == rule.mask]
        if fired:
            fired = [rule for rule in fired if rule.valid_from_ms <= now_ms < rule.valid_until_ms]
        return Fired(
            live=tuple([rule for rule in fired if rule.is_live]),
            shadow=tuple([rule for rule in fired if not rule.is_live]),
            involved=involved,
            values=self.program.by_name(given) if fired else _NO_VALUES,
            is_complete=held is not None,
        )


def _involved(evidence: Evidence) -> Involved:
    if not evidence.list_hits:
        return NOT_INVOLVED
    return Involved(is_payer_involved(evidence), is_payee_involved(evidence))
