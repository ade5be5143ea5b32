"""Decides: the one place where findings become ALLOW, CONFIRM, PAUSE or BLOCK.

Pure, and total over every possible evidence. What is unknown never restricts by itself, so a
transfer of which little is known passes ("fail open") unless the policy says otherwise by a rule on
family `outage`; hard evidence always counts. An essential payment is one that is known to be: while
lists cannot be read, none is. The guards of the policy's loader hold here again:

- BLOCK only with hard evidence: an involved account (涉案账户) of this transfer;
- a soft PAUSE only on evidence of two families, or on the model's score;
- an essential payment (verified biller) never above CONFIRM on soft rules or the score.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Decision, Notice, Prompt, Reason, Versions
from fanzha.domain.evidence import Evidence
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DecisionKind, DegradedPart, FraudType
from fanzha.features.manifest import FEATURES
from fanzha.policy.fact import UNKNOWN_NUMBER, Sources
from fanzha.policy.list_facts import is_essential
from fanzha.policy.policy import NOT_INVOLVED, Fired, Policy, Rule, RuleClass
from fanzha.policy.prompts import PromptCatalogue, PromptTopic

_ALL_UNKNOWN: Final = (UNKNOWN_NUMBER,) * len(FEATURES)


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision, and the codes of shadow rules that held beside it."""

    decision: Decision
    shadow_reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    """One cause for a restriction: what it may do, and what it would have done."""

    kind: DecisionKind
    wished: DecisionKind
    reason: Reason
    hold_ms: int
    topic: PromptTopic | None


def decide(
    transfer: Transfer,
    evidence: Evidence,
    scored: Scored,
    features: npt.NDArray[np.float32],
    policy: Policy,
    prompts: PromptCatalogue,
    *,
    decision_id: str,
    now_ms: int,
    degraded: tuple[DegradedPart, ...],
    service_version: str,
) -> Decided:
    """Return the decision about one attempt.

    Args:
        transfer: a valid transfer.
        evidence: what is known.
        scored: what the model says.
        features: float32 of shape (features,), NaN where unknown; of another shape: all unknown.
        policy: the policy in force.
        prompts: the words to show.
        decision_id: name of the decision.
        now_ms: the service's clock, milliseconds since 1970 UTC.
        degraded: parts that were missing so far, in the order of the enum.
        service_version: version of the service.

    """
    vector = features.tolist() if features.shape == (len(FEATURES),) else _ALL_UNKNOWN
    fired = policy.evaluate(Sources(transfer, evidence, scored.score, vector), now_ms)
    is_spared = is_essential(evidence)
    findings = [_of_rule(rule, fired, is_spared=is_spared) for rule in fired.live]
    by_score = _of_score(transfer, scored, policy, is_spared=is_spared)
    if by_score is not None:
        findings.append(by_score)

    kind = max((finding.kind for finding in findings), default=DecisionKind.ALLOW)
    reasons = [_told(finding, kind) for finding in findings]
    if any(finding.kind < finding.wished for finding in findings) and is_spared:
        reasons.append(policy.essential)
    decision = Decision(
        decision_id=decision_id,
        request_id=transfer.request_id,
        transfer_id=transfer.transfer_id,
        kind=kind,
        score=scored.score,
        reasons=tuple(reasons),
        prompt=_prompt(transfer, kind, findings, prompts),
        notice=_notice(decision_id, kind, reasons, policy),
        hold_until_ms=_hold_until_ms(now_ms, kind, findings),
        versions=Versions(
            model="" if scored.score is None else scored.score.model_version,
            policy=policy.version,
            lists=evidence.lists_version,
            service=service_version,
        ),
        degraded=degraded if fired.is_complete else _with_policy(degraded),
        decide_time_ms=now_ms,
        earlier_decision_id=evidence.earlier_decision_id,
    )
    return Decided(decision, tuple(rule.reason.code for rule in fired.shadow))


def _of_rule(rule: Rule, fired: Fired, *, is_spared: bool) -> _Finding:
    kind = rule.action
    is_hard = rule.rule_class is RuleClass.HARD and fired.involved != NOT_INVOLVED
    if kind >= DecisionKind.BLOCK and not is_hard:
        kind = DecisionKind.PAUSE
    is_soft = not is_hard and rule.rule_class is not RuleClass.STATUTORY
    if is_soft and kind >= DecisionKind.PAUSE and (is_spared or not rule.has_two_grounds):
        kind = DecisionKind.CONFIRM
    reason = rule.reason.reason(fired.values)
    return _Finding(kind, rule.action, reason, rule.hold_ms, rule.prompt_topic)


def _of_score(
    transfer: Transfer, scored: Scored, policy: Policy, *, is_spared: bool
) -> _Finding | None:
    if scored.score is None:
        return None
    points = scored.score.points
    limits = policy.thresholds[transfer.channel, transfer.payer.segment]
    values = {"score_points": float(points)}
    if points >= limits.pause_points:
        kind = DecisionKind.CONFIRM if is_spared else DecisionKind.PAUSE
        reason = policy.score_pause.reason(values)
        return _Finding(kind, DecisionKind.PAUSE, reason, policy.hold_ms, None)
    if points >= limits.confirm_points:
        reason = policy.score_confirm.reason(values)
        return _Finding(DecisionKind.CONFIRM, DecisionKind.CONFIRM, reason, 0, None)
    return None


def _told(finding: _Finding, kind: DecisionKind) -> Reason:
    """Return a finding's reason; beside a BLOCK, milder ones would promise what does not happen."""
    if kind == DecisionKind.BLOCK and finding.kind < kind:
        return replace(finding.reason, customer_zh="", customer_en="")
    return finding.reason


def _prompt(
    transfer: Transfer, kind: DecisionKind, findings: list[_Finding], prompts: PromptCatalogue
) -> Prompt | None:
    """Return the words for the gravest finding that has a topic.

    What is blocked is spoken of first, then types of fraud, then other situations.
    """
    if kind == DecisionKind.ALLOW:
        return None
    topic, best = PromptTopic.GENERAL, (False, False, DecisionKind.UNSPECIFIED)
    for finding in findings:
        if finding.topic is None:
            continue
        is_fraud = finding.topic.fraud_type != FraudType.UNSPECIFIED
        rank = (finding.kind == DecisionKind.BLOCK, is_fraud, finding.kind)
        if rank > best:
            topic, best = finding.topic, rank
    return prompts.find(topic, transfer.channel)


def _notice(
    decision_id: str, kind: DecisionKind, reasons: list[Reason], policy: Policy
) -> Notice | None:
    if kind < DecisionKind.PAUSE:
        return None
    texts = policy.notice
    public = next((reason for reason in reasons if reason.customer_zh), None)
    return Notice(
        case_id=decision_id,
        cause_zh=texts.general_cause_zh if public is None else public.customer_zh,
        cause_en=texts.general_cause_en if public is None else public.customer_en,
        objection_zh=texts.objection_zh,
        objection_en=texts.objection_en,
        documents_zh=texts.documents_zh,
        documents_en=texts.documents_en,
    )


def _hold_until_ms(now_ms: int, kind: DecisionKind, findings: list[_Finding]) -> int | None:
    if kind != DecisionKind.PAUSE:
        return None
    return now_ms + max(finding.hold_ms for finding in findings if finding.kind == kind)


def _with_policy(degraded: tuple[DegradedPart, ...]) -> tuple[DegradedPart, ...]:
    return tuple(sorted({*degraded, DegradedPart.POLICY}))
