"""The promises of `decide` hold for mules' scores, explanations and the control share too."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from tests.decision_inputs import NOW_MS, POLICY, VERIFIED_BILLER, decided
from tests.property.test_decide import EXAMPLES, evidences, transfers, vectors

from fanzha.domain.confidential import confidential_words
from fanzha.domain.decision import FraudTypeGuess, HeadScore, Reason, Score
from fanzha.domain.evidence import Evidence
from fanzha.domain.transfer import SESSION_FLAGS, Session, Transfer
from fanzha.domain.vocabulary import DecisionKind, FraudType, WatchlistGrade, WatchlistKind
from fanzha.pipeline.explain import Explanation
from fanzha.policy.control_share import ControlShare
from fanzha.policy.list_facts import is_payee_involved, is_payer_involved

points = st.integers(0, 1000)
heads = st.none() | st.builds(HeadScore, st.just(0.0), st.just(0.5), points)
scores = st.none() | st.builds(
    Score, st.just(0.0), st.just(0.5), points, st.just("m/1"), payee_mule=heads, payer_mule=heads
)
sessions = st.builds(
    Session, **{flag: st.sampled_from((None, False, True)) for flag in SESSION_FLAGS}
)
explanations = st.builds(
    Explanation,
    st.lists(
        st.builds(
            Reason, st.just("MODEL_X"), st.just("中"), st.just("en"), st.just("客户"), st.just("c")
        ),
        max_size=5,
    ).map(tuple),
    st.lists(
        st.builds(FraudTypeGuess, st.sampled_from(list(FraudType)[1:]), st.floats(0, 1)),
        max_size=4,
    ).map(lambda found: tuple(sorted(found, key=lambda guess: -guess.probability))),
)
EVERYONE = ControlShare(1.0, 10**15, 1000, NOW_MS + 1, "one", "two")


@EXAMPLES
@given(transfers, evidences, vectors(), scores, explanations)
def test_no_score_of_any_head_blocks_and_allow_is_not_explained(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    score: Score | None,
    explained: Explanation,
) -> None:
    decision = decided(transfer, evidence, vector, score=score, explained=explained).decision

    is_involved = is_payer_involved(evidence) or is_payee_involved(evidence)
    told = [reason for reason in decision.reasons if reason.code == "MODEL_X"]
    assert (decision.kind is DecisionKind.BLOCK) == is_involved
    assert len(told) == (len(explained.reasons) if decision.kind > DecisionKind.ALLOW else 0)
    assert len(decision.fraud_types) <= 3
    if decision.kind is DecisionKind.ALLOW:
        assert decision.reasons == decision.fraud_types == ()
    for reason in decision.reasons:
        assert confidential_words(reason.customer_zh + reason.customer_en) == ()


@EXAMPLES
@given(transfers, evidences, vectors(), scores)
def test_essential_payments_are_confirmed_at_most_whatever_the_heads_say(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    score: Score | None,
) -> None:
    others = tuple(
        hit for hit in evidence.list_hits or () if hit.entry.grade != WatchlistGrade.INVOLVED
    )
    essential = replace(evidence, list_hits=(*others, VERIFIED_BILLER))

    decision = decided(transfer, essential, vector, score=score).decision

    is_statutory = "ATM_TRANSFER_24H" in [reason.code for reason in decision.reasons]
    assert decision.kind <= DecisionKind.CONFIRM or is_statutory


@EXAMPLES
@given(transfers, evidences, vectors(), scores, sessions)
def test_the_widest_control_share_spares_no_risk_of_payee_or_session(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    score: Score | None,
    session: Session,
) -> None:
    transfer = replace(transfer, session=session)
    policy = replace(POLICY, control_share=EVERYONE)

    usual = decided(transfer, evidence, vector, score=score).decision
    found = decided(transfer, evidence, vector, score=score, policy=policy).decision

    if not found.in_control_share:
        assert replace(found, in_control_share=False) == usual
        return
    assert (usual.kind, found.kind) == (DecisionKind.CONFIRM, DecisionKind.ALLOW)
    assert not any(getattr(session, flag) for flag in SESSION_FLAGS)
    assert evidence.payer is not None
    assert evidence.payee is not None
    assert evidence.list_hits is not None
    kinds = {hit.entry.kind for hit in evidence.list_hits}
    assert kinds <= {WatchlistKind.VERIFIED_BILLER}
    assert not any("MULE_SCORE" in reason.code for reason in found.reasons)
    assert found.prompt is found.notice is None
    assert not any(reason.customer_zh for reason in found.reasons)
