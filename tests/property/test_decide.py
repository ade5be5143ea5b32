"""`decide` is total over every possible evidence, and keeps the promises of the design."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decision_inputs import (
    NOW_MS,
    PAYEE_INVOLVED,
    PAYER_INVOLVED,
    VERIFIED_BILLER,
    a_transfer,
    decided,
)

from fanzha.domain.confidential import confidential_words
from fanzha.domain.evidence import (
    AccountState,
    Evidence,
    ListHit,
    ListSubject,
    WatchlistEntry,
)
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    DecisionKind,
    DegradedPart,
    TransferKind,
    WatchlistGrade,
    WatchlistKind,
)
from fanzha.features.manifest import FEATURE_INDEX, FEATURES
from fanzha.policy.list_facts import is_essential, is_payee_involved, is_payer_involved

VALUES = (np.nan, np.inf, -np.inf, -1, 0, 0.5, 0.9, 1, 2, 3, 5, 9, 60, 400, 1e9)
EXAMPLES = settings(max_examples=150, deadline=None)

entries = st.builds(
    WatchlistEntry,
    kind=st.sampled_from(WatchlistKind),
    grade=st.sampled_from(WatchlistGrade),
    source=st.just("公安机关"),
    case_number=st.just("A1"),
    legal_basis=st.just("261"),
    valid_from_ms=st.just(0),
    valid_until_ms=st.just(2**60),
    proposed_by=st.just("one"),
    approved_by=st.just("two"),
)
hits = st.lists(st.builds(ListHit, st.sampled_from(ListSubject), entries), max_size=5).map(tuple)
states = st.none() | st.just(AccountState())
evidences = st.builds(
    Evidence,
    payer=states,
    payee=states,
    list_hits=st.none() | hits,
    lists_version=st.sampled_from(("", "lists-1")),
)
transfers = st.builds(
    a_transfer,
    amount_minor=st.integers(1, 10**15),
    kind=st.sampled_from(TransferKind),
    channel=st.sampled_from(Channel),
    segment=st.sampled_from(CustomerSegment),
    has_payee=st.booleans(),
)
scores = st.none() | st.integers(0, 1000)
parts = st.sets(st.sampled_from(list(DegradedPart)[1:])).map(lambda found: tuple(sorted(found)))


@st.composite
def vectors(draw: st.DrawFn) -> npt.NDArray[np.float32]:
    """Draw features that lie where rules look, with every kind of float among them."""
    vector = np.full(len(FEATURES), draw(st.sampled_from(VALUES)), np.float32)
    changes = st.dictionaries(
        st.integers(0, len(FEATURES) - 1), st.sampled_from(VALUES), max_size=12
    )
    for place, value in draw(changes).items():
        vector[place] = value
    for name in draw(st.sets(st.sampled_from(("screen_shared", "call_in_progress", "new_device")))):
        vector[FEATURE_INDEX[name]] = 1
    if draw(st.booleans()):
        vector[FEATURE_INDEX["pair_times_paid"]] = 0
    return vector


@EXAMPLES
@given(transfers, evidences, vectors(), scores, parts)
def test_every_evidence_gets_a_well_formed_decision(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    points: int | None,
    degraded: tuple[DegradedPart, ...],
) -> None:
    first = decided(transfer, evidence, vector, points=points, degraded=degraded)
    again = decided(transfer, evidence, vector, points=points, degraded=degraded)

    decision = first.decision
    is_restricted = decision.kind >= DecisionKind.PAUSE
    assert first == again
    assert decision.kind is not DecisionKind.UNSPECIFIED
    assert (decision.prompt is not None) == (decision.kind > DecisionKind.ALLOW)
    assert (decision.reasons != ()) == (decision.kind > DecisionKind.ALLOW)
    assert (decision.notice is not None) == is_restricted
    assert (decision.hold_until_ms is not None) == (decision.kind is DecisionKind.PAUSE)
    assert decision.hold_until_ms is None or decision.hold_until_ms > NOW_MS
    assert decision.degraded == degraded


@EXAMPLES
@given(transfers, evidences, vectors(), scores)
def test_only_an_involved_account_blocks(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    points: int | None,
) -> None:
    kind = decided(transfer, evidence, vector, points=points).decision.kind

    is_involved = is_payer_involved(evidence) or is_payee_involved(evidence)
    assert (kind is DecisionKind.BLOCK) == is_involved
    assert evidence.list_hits is not None or kind is not DecisionKind.BLOCK


@EXAMPLES
@given(transfers, evidences, vectors(), scores)
def test_essential_payments_are_confirmed_at_most_on_soft_evidence(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    points: int | None,
) -> None:
    others = tuple(
        hit for hit in evidence.list_hits or () if hit.entry.grade != WatchlistGrade.INVOLVED
    )
    essential = replace(evidence, list_hits=(*others, VERIFIED_BILLER))

    decision = decided(transfer, essential, vector, points=points).decision

    assert is_essential(essential)
    is_statutory = "ATM_TRANSFER_24H" in [reason.code for reason in decision.reasons]
    assert decision.kind <= DecisionKind.CONFIRM or is_statutory


@EXAMPLES
@given(transfers, evidences, vectors(), scores)
def test_the_customer_reads_nothing_confidential(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    points: int | None,
) -> None:
    decision = decided(transfer, evidence, vector, points=points).decision

    texts = [
        text for reason in decision.reasons for text in (reason.customer_zh, reason.customer_en)
    ]
    if decision.notice is not None:
        notice = decision.notice
        texts += [notice.cause_zh, notice.cause_en, notice.objection_zh, notice.objection_en]
        texts += [*notice.documents_zh, *notice.documents_en]
    assert [text for text in texts if confidential_words(text)] == []
    assert not any("nan" in text or "inf" in text for text in texts)


@EXAMPLES
@given(
    transfers,
    evidences,
    vectors(),
    scores,
    st.sampled_from((PAYEE_INVOLVED, PAYER_INVOLVED)),
)
def test_hard_evidence_never_lowers_the_decision(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    points: int | None,
    hit: ListHit,
) -> None:
    more = replace(evidence, list_hits=(*(evidence.list_hits or ()), hit))

    before = decided(transfer, evidence, vector, points=points).decision.kind
    after = decided(transfer, more, vector, points=points).decision.kind

    assert after >= before


@EXAMPLES
@given(transfers, evidences, vectors(), st.integers(0, 1000), st.integers(0, 1000))
def test_a_higher_score_never_lowers_the_decision(
    transfer: Transfer,
    evidence: Evidence,
    vector: npt.NDArray[np.float32],
    one: int,
    other: int,
) -> None:
    low = decided(transfer, evidence, vector, points=min(one, other)).decision.kind
    high = decided(transfer, evidence, vector, points=max(one, other)).decision.kind

    assert high >= low


@EXAMPLES
@given(transfers, evidences, st.integers(0, 200), scores)
def test_vectors_of_any_length_are_decided(
    transfer: Transfer, evidence: Evidence, length: int, points: int | None
) -> None:
    decision = decided(transfer, evidence, np.ones(length, np.float32), points=points).decision

    assert decision.kind is not DecisionKind.UNSPECIFIED
