"""An answer's message is the one that is built of its parts, field for field."""

from hypothesis import given
from hypothesis import strategies as st

from fanzha.domain.decision import (
    Decision,
    FraudTypeGuess,
    HeadScore,
    Notice,
    Prompt,
    PromptText,
    Reason,
    Score,
    Versions,
)
from fanzha.domain.vocabulary import DecisionKind, DegradedPart, FraudType
from fanzha.transport.convert import fill_response, to_response
from fanzha.v1 import scoring_pb2 as scoring

TEXTS = st.text(max_size=5)
KINDS = st.sampled_from([kind for kind in DecisionKind if kind])
TIMES = st.integers(0, 4_102_444_800_000)
HEADS = st.none() | st.builds(
    HeadScore, st.floats(-9, 9), st.floats(0, 1), points=st.integers(0, 1000)
)
SCORES = st.none() | st.builds(
    Score, st.floats(-9, 9), st.floats(0, 1), st.integers(0, 1000), TEXTS, HEADS, HEADS
)
MANY = st.lists(TEXTS, max_size=3).map(tuple)
PROMPT_TEXTS = st.lists(st.builds(PromptText, TEXTS, TEXTS, TEXTS, TEXTS, MANY), max_size=2)
PROMPTS = st.none() | st.builds(
    Prompt, TEXTS, TEXTS, st.sampled_from(FraudType), PROMPT_TEXTS.map(tuple)
)
NOTICES = st.none() | st.builds(Notice, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, MANY, MANY)
GUESSES = st.lists(
    st.builds(FraudTypeGuess, st.sampled_from(FraudType), st.floats(0, 1)), max_size=3
)
DECISIONS = st.builds(
    Decision,
    decision_id=TEXTS,
    request_id=TEXTS,
    transfer_id=TEXTS,
    kind=KINDS,
    score=SCORES,
    reasons=st.lists(st.builds(Reason, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS), max_size=3).map(tuple),
    prompt=PROMPTS,
    notice=NOTICES,
    hold_until_ms=st.none() | TIMES,
    versions=st.builds(Versions, TEXTS, TEXTS, TEXTS, TEXTS),
    degraded=st.lists(st.sampled_from(DegradedPart), max_size=3, unique=True).map(tuple),
    decide_time_ms=TIMES,
    earlier_decision_id=TEXTS,
    fraud_types=GUESSES.map(tuple),
    in_control_share=st.booleans(),
)


def built(decision: Decision) -> scoring.ScoreTransferResponse:
    """Return the answer, each part of it built first."""
    score, versions, prompt = decision.score, decision.versions, decision.prompt
    heads = (None, None) if score is None else (score.payee_mule, score.payer_mule)
    points = [None if head is None else head.points for head in heads]
    response = scoring.ScoreTransferResponse(
        decision_id=decision.decision_id,
        request_id=decision.request_id,
        transfer_id=decision.transfer_id,
        decision=int(decision.kind),  # type: ignore[arg-type]
        alert_level=int(decision.alert_level),  # type: ignore[arg-type]
        score=None if score is None else score.points,
        payee_mule_score=points[0],
        payer_mule_score=points[1],
        versions=scoring.Versions(
            model_version=versions.model,
            policy_version=versions.policy,
            lists_version=versions.lists,
            service_version=versions.service,
        ),
        earlier_decision_id=decision.earlier_decision_id,
        in_control_share=decision.in_control_share,
        degraded_parts=[int(part) for part in decision.degraded],  # type: ignore[misc]
        internal_reasons=[
            scoring.Reason(code=x.code, text_zh=x.text_zh, text_en=x.text_en)
            for x in decision.reasons
        ],
        customer_reasons=[
            scoring.Reason(code=x.code, text_zh=x.customer_zh, text_en=x.customer_en)
            for x in decision.reasons
            if x.customer_zh
        ],
        fraud_types=[
            scoring.FraudTypeGuess(fraud_type=int(x.fraud_type), probability=x.probability)  # type: ignore[arg-type]
            for x in decision.fraud_types
        ],
    )
    response.decide_time.FromMilliseconds(decision.decide_time_ms)
    response.decide_time.SetInParent()
    if prompt is not None:
        response.prompt.SetInParent()
        response.prompt.prompt_id = prompt.prompt_id
        response.prompt.version = prompt.version
        response.prompt.fraud_type = int(prompt.fraud_type)  # type: ignore[assignment]
        for text in prompt.texts:
            response.prompt.texts.add(
                language_code=text.language,
                headline=text.headline,
                body=text.body,
                voice=text.voice,
                questions=text.questions,
            )
    if (notice := decision.notice) is not None:
        fields = {name: getattr(notice, name) for name in Notice.__match_args__}
        response.notice.CopyFrom(scoring.Notice(**fields))
    if decision.hold_until_ms is not None:
        response.hold_until_time.FromMilliseconds(decision.hold_until_ms)
        response.hold_until_time.SetInParent()
    return response


@given(DECISIONS)
def test_a_message_is_what_its_parts_make(decision: Decision) -> None:
    expected = built(decision)
    batch = scoring.ScoreBatchResponse()

    fill_response(batch.results.add().response, decision)

    for answer in (to_response(decision), batch.results[0].response):
        assert answer == expected
        assert answer.SerializeToString(deterministic=True) == expected.SerializeToString(
            deterministic=True
        )
