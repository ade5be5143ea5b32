"""What is answered while parts are missing: the strictest that the policy says, said once."""

from dataclasses import replace

import pytest
from tests.decision_inputs import (
    NOW_MS,
    PAYEE_INVOLVED,
    POLICY,
    VERIFIED_BILLER,
    a_transfer,
    a_vector,
    an_evidence,
    decided,
)

from fanzha.domain.decision import Decision
from fanzha.domain.evidence import Evidence
from fanzha.domain.vocabulary import Channel, DecisionKind, DegradedPart
from fanzha.policy.degraded import ORDINARY_MINOR, GapAnswer
from fanzha.policy.policy import Policy

HOUR_MS = 3_600_000
BLIND = Evidence(None, None, None, "")
LARGE = a_transfer(amount_minor=2_000_000)
ALLOW = GapAnswer(DecisionKind.ALLOW, 0)
CONFIRM = GapAnswer(DecisionKind.CONFIRM, 1_000_000)
PAUSE = GapAnswer(DecisionKind.PAUSE, 2_000_000, 2 * HOUR_MS)
PARTS = tuple(POLICY.gaps)


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def saying(**said: GapAnswer) -> Policy:
    """Return a policy that says this for parts on the phone, and allows everything else."""
    gaps = {}
    for part, rule in POLICY.gaps.items():
        answers = dict.fromkeys(Channel, (ALLOW,))
        if part.name in said:
            answers[Channel.MOBILE] = (said[part.name], ALLOW)
        gaps[part] = replace(rule, answers=answers)
    return replace(POLICY, gaps=gaps)


def on(policy: Policy, *missing: DegradedPart, evidence: Evidence = BLIND) -> Decision:
    return decided(LARGE, evidence, policy=policy, degraded=missing).decision


class TestSeveralParts:
    """The strictest counts, and the decision names what it stands on."""

    def test_the_strictest_counts_and_is_the_cause_that_is_told(self) -> None:
        policy = saying(PAYER_HISTORY=CONFIRM, LISTS=PAUSE, MODEL=CONFIRM)

        decision = on(policy, DegradedPart.PAYER_HISTORY, DegradedPart.LISTS, DegradedPart.MODEL)

        assert (decision.kind, codes(decision)) == (DecisionKind.PAUSE, ["LISTS_MISSING"])
        assert decision.hold_until_ms == NOW_MS + 2 * HOUR_MS
        assert decision.notice is not None
        assert decision.notice.cause_zh == POLICY.gaps[DegradedPart.LISTS].reason.customer_zh

    def test_of_equally_strict_ones_all_are_named_and_the_same_words_are_read_once(self) -> None:
        policy = saying(PAYER_HISTORY=CONFIRM, PAYEE_HISTORY=CONFIRM)

        decision = on(policy, DegradedPart.PAYER_HISTORY, DegradedPart.PAYEE_HISTORY)

        assert codes(decision) == ["PAYER_HISTORY_MISSING", "PAYEE_HISTORY_MISSING"]
        assert [bool(reason.customer_zh) for reason in decision.reasons] == [True, False]

    def test_nothing_missing_asks_nobody(self) -> None:
        policy = saying(**{part.name: PAUSE for part in PARTS})

        assert on(policy, evidence=an_evidence()).kind is DecisionKind.ALLOW

    def test_another_channel_is_another_answer(self) -> None:
        counter = replace(LARGE, channel=Channel.COUNTER)

        decision = decided(
            counter, policy=saying(MODEL=CONFIRM), degraded=(DegradedPart.MODEL,)
        ).decision

        assert decision.kind is DecisionKind.ALLOW

    def test_the_journal_may_be_answered_for_as_well(self) -> None:
        decision = on(saying(JOURNAL=CONFIRM), DegradedPart.JOURNAL, evidence=an_evidence())

        assert (decision.kind, codes(decision)) == (DecisionKind.CONFIRM, ["JOURNAL_MISSING"])


class TestWhatIsKnown:
    """It counts as ever, and comes first."""

    def test_an_involved_account_blocks(self) -> None:
        evidence = an_evidence(PAYEE_INVOLVED)

        decision = on(saying(LISTS=PAUSE), DegradedPart.LISTS, evidence=evidence)

        assert decision.kind is DecisionKind.BLOCK
        assert codes(decision) == ["PAYEE_ACCOUNT_INVOLVED", "LISTS_MISSING"]
        assert [bool(reason.customer_zh) for reason in decision.reasons] == [True, False]

    def test_the_reason_of_a_rule_comes_first(self) -> None:
        vector = a_vector(screen_shared=1, pair_times_paid=0)

        decision = decided(
            LARGE, BLIND, vector, policy=saying(LISTS=CONFIRM), degraded=(DegradedPart.LISTS,)
        ).decision

        assert codes(decision) == ["SCREEN_SHARED_NEW_PAYEE", "LISTS_MISSING"]


class TestGuards:
    """What a file may not say is clamped again when it is decided."""

    def test_a_gap_never_blocks(self) -> None:
        wanted = GapAnswer(DecisionKind.BLOCK, 2_000_000)

        assert on(saying(LISTS=wanted), DegradedPart.LISTS).kind is DecisionKind.PAUSE

    @pytest.mark.parametrize(
        ("from_minor", "kind"),
        [(ORDINARY_MINOR, DecisionKind.CONFIRM), (ORDINARY_MINOR + 1, DecisionKind.PAUSE)],
    )
    def test_a_gap_pauses_only_together_with_an_amount_that_says_something(
        self, from_minor: int, kind: DecisionKind
    ) -> None:
        wanted = GapAnswer(DecisionKind.PAUSE, from_minor, HOUR_MS)

        assert on(saying(LISTS=wanted), DegradedPart.LISTS).kind is kind

    def test_an_essential_payment_that_is_known_is_not_paused(self) -> None:
        evidence = replace(an_evidence(VERIFIED_BILLER), payer=None)

        decision = on(saying(PAYER_HISTORY=PAUSE), DegradedPart.PAYER_HISTORY, evidence=evidence)

        assert decision.kind is DecisionKind.CONFIRM
        assert codes(decision) == ["PAYER_HISTORY_MISSING", "ESSENTIAL_PAYMENT"]
