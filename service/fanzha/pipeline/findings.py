"""What speaks for a restriction: rules, the model's score, missing parts; each clamped again.

Whatever a policy says, here hold: BLOCK only on hard evidence; a soft PAUSE only on two grounds or
the score; an essential payment never above CONFIRM on soft grounds.
"""

from dataclasses import dataclass, replace

from fanzha.domain.decision import Reason
from fanzha.domain.model import Head
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DecisionKind, DegradedPart
from fanzha.policy.policy import NOT_INVOLVED, Fired, Policy, Rule, RuleClass
from fanzha.policy.prompts import PromptTopic


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause for a restriction: what it may do, and what it would have done."""

    kind: DecisionKind
    wished: DecisionKind
    reason: Reason
    hold_ms: int
    topic: PromptTopic | None
    head: Head | None
    """The model's question whose score it rests on."""
    is_soft: bool
    is_gap: bool = False
    """It says nothing about fraud, only that something could not be looked at."""


def of_rule(rule: Rule, fired: Fired, *, is_spared: bool) -> Finding:
    """Return what a rule that holds may do."""
    kind = rule.action
    is_hard = rule.rule_class is RuleClass.HARD and fired.involved != NOT_INVOLVED
    if kind >= DecisionKind.BLOCK and not is_hard:
        kind = DecisionKind.PAUSE
    is_soft = not is_hard and rule.rule_class is not RuleClass.STATUTORY
    if is_soft and kind >= DecisionKind.PAUSE and (is_spared or not rule.has_two_grounds):
        kind = DecisionKind.CONFIRM
    reason = rule.reason.reason(fired.values)
    return Finding(
        kind, rule.action, reason, rule.hold_ms, rule.prompt_topic, rule.head, is_soft=is_soft
    )


def of_score(
    transfer: Transfer, scored: Scored, policy: Policy, *, is_spared: bool
) -> Finding | None:
    """Return what the score that the payer is deceived may do, None for nothing."""
    if scored.score is None:
        return None
    points = scored.score.points
    limits = policy.thresholds[transfer.channel, transfer.payer.segment]
    values = {"score_points": float(points)}
    if points >= limits.pause_points:
        kind = DecisionKind.CONFIRM if is_spared else DecisionKind.PAUSE
        reason = policy.score_pause.reason(values)
        return Finding(
            kind, DecisionKind.PAUSE, reason, policy.hold_ms, None, Head.VICTIM, is_soft=True
        )
    if points >= limits.confirm_points:
        reason = policy.score_confirm.reason(values)
        confirm = DecisionKind.CONFIRM
        return Finding(confirm, confirm, reason, 0, None, Head.VICTIM, is_soft=True)
    return None


def of_gaps(
    transfer: Transfer, degraded: tuple[DegradedPart, ...], policy: Policy, *, is_spared: bool
) -> list[Finding]:
    """Return what the policy answers at least because parts are missing: the strictest.

    Milder answers for other parts are left out: what is missing, the decision names anyway. The
    customer reads the same words once.
    """
    findings: list[Finding] = []
    for part in degraded:
        rule = policy.gaps.get(part)
        if rule is None:
            continue
        found = rule.answer(transfer.channel, transfer.base_amount_minor)
        kind = min(found.answer, DecisionKind.PAUSE)
        if kind == DecisionKind.PAUSE and (is_spared or not found.has_two_grounds):
            kind = DecisionKind.CONFIRM
        if kind == DecisionKind.ALLOW or any(finding.kind > kind for finding in findings):
            continue
        findings = [finding for finding in findings if finding.kind == kind]
        reason, said = rule.reason, {finding.reason.customer_zh for finding in findings}
        if reason.customer_zh in said:
            reason = replace(reason, customer_zh="", customer_en="")
        findings.append(
            Finding(
                kind, found.answer, reason, found.hold_ms, None, None, is_soft=True, is_gap=True
            )
        )
    return findings
