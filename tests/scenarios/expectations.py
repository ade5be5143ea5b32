"""Compares an answer with what a story expects, and with what holds in every story."""

from collections.abc import Iterator

from tests.scenarios.story import ThenPart

from fanzha.domain.confidential import confidential_words
from fanzha.domain.decision import ALERT_LEVEL
from fanzha.domain.vocabulary import DecisionKind, DegradedPart, FraudType
from fanzha.v1 import scoring_pb2 as scoring

_HOUR_MS = 3_600_000


def differences(then: ThenPart, answer: scoring.ScoreTransferResponse) -> list[str]:
    """Return everything in which the answer is not what it must be."""
    checks = (_decision, _words, _circumstances)
    found = [difference for check in checks for difference in check(then, answer)]
    return [*found, *_for_all(answer)]


def _decision(then: ThenPart, answer: scoring.ScoreTransferResponse) -> Iterator[str]:
    kind = DecisionKind(answer.decision)
    codes = [reason.code for reason in answer.internal_reasons]
    because = f"{kind.name} for {', '.join(codes) or 'no reason'}, score {answer.score}"
    if then.decision is not None and kind != then.decision:
        yield f"the decision must be {then.decision.name}, not {because}"
    if then.at_least is not None and kind < then.at_least:
        yield f"the decision must be at least {then.at_least.name}, not {because}"
    if then.at_most is not None and kind > then.at_most:
        yield f"the decision must be at most {then.at_most.name}, not {because}"
    for code in then.reasons:
        if code not in codes:
            yield f"{code} must be among the reasons: {because}"
    for code in then.not_reasons:
        if code in codes:
            yield f"{code} must not be among the reasons: {because}"


def _words(then: ThenPart, answer: scoring.ScoreTransferResponse) -> Iterator[str]:
    prompt, fraud = answer.prompt.prompt_id or "none", FraudType(answer.prompt.fraud_type)
    if then.prompt is not None and prompt != then.prompt:
        yield f"the prompt must be {then.prompt}, not {prompt}"
    if then.fraud_type is not None and fraud != then.fraud_type:
        yield f"the prompt must speak of {then.fraud_type.name}, not {fraud.name}"
    read = customer_texts(answer)
    for words in then.customer_reads:
        if words not in read:
            yield f"the customer must read {words!r} in: {read}"
    for words in then.customer_never_reads:
        if words in read:
            yield f"the customer must not read {words!r} in: {read}"


def _circumstances(then: ThenPart, answer: scoring.ScoreTransferResponse) -> Iterator[str]:
    held_ms = answer.hold_until_time.ToMilliseconds() - answer.decide_time.ToMilliseconds()
    if then.hold_hours is not None and held_ms != then.hold_hours * _HOUR_MS:
        yield f"the money must be held for {then.hold_hours} hours, not {held_ms / _HOUR_MS}"
    degraded = [DegradedPart(part) for part in answer.degraded_parts]
    if degraded != sorted(then.degraded):
        yield f"degraded must be {_names(then.degraded)}, not {_names(degraded)}"


def _for_all(answer: scoring.ScoreTransferResponse) -> Iterator[str]:
    kind = DecisionKind(answer.decision)
    if answer.alert_level != ALERT_LEVEL[kind]:
        yield f"{kind.name} must not have alert level {answer.alert_level}"
    if answer.HasField("prompt") != (kind > DecisionKind.ALLOW):
        yield f"{kind.name} goes {'with' if kind > DecisionKind.ALLOW else 'without'} a prompt"
    if answer.HasField("notice") != (kind >= DecisionKind.PAUSE):
        yield f"{kind.name} goes {'with' if kind >= DecisionKind.PAUSE else 'without'} a notice"
    if answer.HasField("hold_until_time") != (kind == DecisionKind.PAUSE):
        yield "a hold goes with PAUSE, and with nothing else"
    if kind > DecisionKind.ALLOW and not answer.internal_reasons:
        yield f"{kind.name} must have a reason"
    # Prompts speak of impersonated police; reasons and notices may not hint at the real one.
    words = confidential_words(customer_texts(answer))
    if words:
        yield f"the customer may not read of {', '.join(words)}"


def customer_texts(answer: scoring.ScoreTransferResponse) -> str:
    """Return the reasons and the notice as the customer may read them."""
    notice = answer.notice
    reasons = [text for x in answer.customer_reasons for text in (x.text_zh, x.text_en)]
    fixed = (notice.cause_zh, notice.cause_en, notice.objection_zh, notice.objection_en)
    return "\n".join([*reasons, *fixed, *notice.documents_zh, *notice.documents_en])


def _names(parts: list[DegradedPart]) -> str:
    return ", ".join(part.name for part in parts) or "nothing"
