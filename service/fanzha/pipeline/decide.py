"""Decides: the one place where findings become ALLOW, CONFIRM, PAUSE or BLOCK.

Pure, and total over every possible evidence. What is unknown never restricts by itself, so a
transfer of which little is known passes ("fail open") unless the policy says otherwise in its
section `degraded`; hard evidence always counts. An essential payment is one that is known to be:
while lists cannot be read, none is. The guards of the policy's loader hold again (`findings.py`):

- BLOCK only with hard evidence: an involved account (涉案账户) of this transfer;
- a soft PAUSE only on evidence of two families, or on the model's score;
- an essential payment (verified biller) never above CONFIRM on soft rules or the score.

What the model says beside its score, `explain` tells: for answers that are not ALLOW alone.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Decision, FraudTypeGuess, Notice, Prompt, Reason, Versions
from fanzha.domain.evidence import Evidence
from fanzha.domain.light import light_dataclass
from fanzha.domain.model import Head
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DecisionKind, DegradedPart, FraudType
from fanzha.features.manifest import FEATURES
from fanzha.pipeline.explain import NO_EXPLANATION, Explain
from fanzha.pipeline.findings import Finding, of_gaps, of_rule, of_score
from fanzha.policy.control_share import is_in_control_share
from fanzha.policy.fact import UNKNOWN_NUMBER, Sources
from fanzha.policy.list_facts import is_essential
from fanzha.policy.policy import Fired, Policy
from fanzha.policy.prompts import PromptCatalogue, PromptTopic, topic_of

_ALL_UNKNOWN: Final = (UNKNOWN_NUMBER,) * len(FEATURES)
_TYPES_SHOWN: Final = 3
_OF_VICTIMS: Final = (None, Head.VICTIM)


@light_dataclass(frozen=True, slots=True)
class Decided:
    """The decision, and the codes of shadow rules that held beside it."""

    decision: Decision
    shadow_reasons: tuple[str, ...]


def decide(
    transfer: Transfer,
    evidence: Evidence,
    scored: Scored,
    features: npt.NDArray[np.float32],
    policy: Policy,
    prompts: PromptCatalogue,
    explain: Explain,
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
        explain: what the model says beside its score.
        decision_id: name of the decision.
        now_ms: the service's clock, milliseconds since 1970 UTC.
        degraded: parts that were missing so far, in the order of the enum.
        service_version: version of the service.

    """
    vector = features.tolist() if features.shape == (len(FEATURES),) else _ALL_UNKNOWN
    fired = policy.evaluate(Sources(transfer, evidence, scored.score, vector), now_ms)
    is_spared = is_essential(evidence)
    findings = [of_rule(rule, fired, is_spared=is_spared) for rule in fired.live]
    by_score = of_score(transfer, scored, policy, is_spared=is_spared)
    if by_score is not None:
        findings.append(by_score)
    gaps = of_gaps(transfer, degraded, policy, is_spared=is_spared)
    findings += gaps

    said = _NOTHING_TO_SAY
    if findings:
        is_unprompted = not gaps and _is_left_unprompted(
            transfer, evidence, scored, policy, findings, fired, now_ms
        )
        said = _say(
            transfer,
            findings,
            policy,
            prompts,
            explain,
            decision_id=decision_id,
            now_ms=now_ms,
            is_spared=is_spared,
            is_unprompted=is_unprompted,
        )
    decision = Decision(
        decision_id=decision_id,
        request_id=transfer.request_id,
        transfer_id=transfer.transfer_id,
        kind=said.kind,
        score=scored.score,
        reasons=said.reasons,
        prompt=said.prompt,
        notice=said.notice,
        hold_until_ms=said.hold_until_ms,
        versions=Versions(
            model="" if scored.score is None else scored.score.model_version,
            policy=policy.version,
            lists=evidence.lists_version,
            service=service_version,
        ),
        degraded=degraded if fired.is_complete else _with_policy(degraded),
        decide_time_ms=now_ms,
        earlier_decision_id=evidence.earlier_decision_id,
        fraud_types=said.fraud_types,
        in_control_share=said.in_control_share,
    )
    return Decided(decision, tuple([rule.reason.code for rule in fired.shadow]))


class _Said(NamedTuple):
    """What findings come to; most transfers have none."""

    kind: DecisionKind = DecisionKind.ALLOW
    reasons: tuple[Reason, ...] = ()
    prompt: Prompt | None = None
    notice: Notice | None = None
    hold_until_ms: int | None = None
    fraud_types: tuple[FraudTypeGuess, ...] = ()
    in_control_share: bool = False


_NOTHING_TO_SAY: Final = _Said()


def _say(
    transfer: Transfer,
    findings: list[Finding],
    policy: Policy,
    prompts: PromptCatalogue,
    explain: Explain,
    *,
    decision_id: str,
    now_ms: int,
    is_spared: bool,
    is_unprompted: bool,
) -> _Said:
    """Return the gravest of the findings, the words for it, and all reasons."""
    kind = max(finding.kind for finding in findings)
    in_control_share = kind == DecisionKind.CONFIRM and is_unprompted
    if in_control_share:
        kind = DecisionKind.ALLOW
    explained = NO_EXPLANATION if kind == DecisionKind.ALLOW else explain(_head_of(findings))
    suspects_deceit = any(_suspects_deceit(finding) for finding in findings)
    fraud_types = explained.fraud_types if suspects_deceit else ()
    reasons = [_told(finding.reason, finding.kind, kind) for finding in findings]
    if any(finding.kind < finding.wished for finding in findings) and is_spared:
        reasons.append(policy.essential)
    scores = [finding.kind for finding in findings if finding.head is not None]
    reasons += [
        _told(reason, max(scores, default=DecisionKind.UNSPECIFIED), kind)
        for reason in explained.reasons
    ]
    return _Said(
        kind,
        tuple(reasons),
        _prompt(transfer, kind, findings, fraud_types, policy, prompts),
        _notice(decision_id, kind, reasons, policy),
        _hold_until_ms(now_ms, kind, findings),
        fraud_types[:_TYPES_SHOWN],
        in_control_share,
    )


def _is_left_unprompted(
    transfer: Transfer,
    evidence: Evidence,
    scored: Scored,
    policy: Policy,
    findings: list[Finding],
    fired: Fired,
    now_ms: int,
) -> bool:
    if policy.control_share is None or not fired.is_complete:
        return False
    # A mule's score speaks of a risk at the payee, or of the payer's own account.
    if not all(finding.is_soft and finding.head in _OF_VICTIMS for finding in findings):
        return False
    families = frozenset(family for rule in fired.live for family in rule.evidence)
    return is_in_control_share(
        policy.control_share, transfer, evidence, scored.score, families, now_ms
    )


def _head_of(findings: list[Finding]) -> Head:
    """Return the question to explain: of the gravest finding that rests on a score.

    Of equally grave ones the victim's comes first, then the payee's.
    """
    grounds = {finding.head: finding.kind for finding in sorted(findings, key=lambda x: x.kind)}
    return max(Head, key=lambda head: grounds.get(head, DecisionKind.UNSPECIFIED))


def _suspects_deceit(finding: Finding) -> bool:
    """Say whether a finding speaks of a deceived payer, not of one whose account others use."""
    is_mule = finding.head is Head.PAYER_MULE or finding.topic is PromptTopic.ACCOUNT_LENDING
    return finding.is_soft and not is_mule and not finding.is_gap


def _told(reason: Reason, cause: DecisionKind, kind: DecisionKind) -> Reason:
    """Return a reason; kept from the customer where it would tell of what does not happen.

    That is beside a BLOCK the milder ones, for ALLOW all, and what a score rests on where no
    finding rests on a score.
    """
    is_milder = kind == DecisionKind.BLOCK and cause < kind
    if is_milder or kind == DecisionKind.ALLOW or cause == DecisionKind.UNSPECIFIED:
        return replace(reason, customer_zh="", customer_en="")
    return reason


def _prompt(
    transfer: Transfer,
    kind: DecisionKind,
    findings: list[Finding],
    fraud_types: tuple[FraudTypeGuess, ...],
    policy: Policy,
    prompts: PromptCatalogue,
) -> Prompt | None:
    """Return the words for the gravest finding that has a topic.

    What is blocked is spoken of first, then types of fraud, then other situations. The model's word
    on the type counts where no rule names one, and above the rules' where it is sure.
    """
    if kind == DecisionKind.ALLOW:
        return None
    topic, best = PromptTopic.GENERAL, (False, False, DecisionKind.UNSPECIFIED)
    if fraud_types and fraud_types[0].probability >= policy.typology.min_probability:
        is_sure = fraud_types[0].probability >= policy.typology.over_rules
        grave = DecisionKind.BLOCK if is_sure else DecisionKind.UNSPECIFIED
        topic, best = topic_of(fraud_types[0].fraud_type), (False, True, grave)
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


def _hold_until_ms(now_ms: int, kind: DecisionKind, findings: list[Finding]) -> int | None:
    if kind != DecisionKind.PAUSE:
        return None
    return now_ms + max(finding.hold_ms for finding in findings if finding.kind == kind)


def _with_policy(degraded: tuple[DegradedPart, ...]) -> tuple[DegradedPart, ...]:
    return tuple(sorted({*degraded, DegradedPart.POLICY}))
