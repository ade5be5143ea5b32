"""What the model's other answers do: mules' scores, types of fraud, reasons, the control share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.decision_inputs import (
    NOW_MS,
    PAYEE_INVOLVED,
    POLICY,
    PROMPTS,
    a_policy,
    a_score,
    a_transfer,
    a_vector,
    an_entry,
    an_evidence,
    decided,
)

from fanzha.domain.decision import Decision, FraudTypeGuess, HeadScore, Reason, Score
from fanzha.domain.evidence import AccountState, Evidence, ListHit, ListSubject
from fanzha.domain.model import Head
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Party, Session
from fanzha.domain.vocabulary import (
    Channel,
    DecisionKind,
    FraudType,
    PartyType,
    TransferKind,
    WatchlistGrade,
)
from fanzha.pipeline.decide import decide
from fanzha.pipeline.explain import Explanation, explainer
from fanzha.policy.control_share import ControlShare
from fanzha.policy.policy import Policy

REASON = Reason("PAYEE_ACCOUNT_NEW", "收款账户开立6天", "6 days old", "该账户较新", "A new account")
LIKELY_REBATE = (
    FraudTypeGuess(FraudType.TASK_REBATE, 0.8),
    FraudTypeGuess(FraudType.ROMANCE, 0.1),
    FraudTypeGuess(FraudType.GAME_TRADE, 0.06),
    FraudTypeGuess(FraudType.FAKE_LOAN, 0.04),
)

AT_AN_ATM = a_vector(kind=TransferKind.TRANSFER, channel=Channel.ATM, payer_type=PartyType.PERSON)


def scored(victim: int = 0, *, payee: int | None = None, payer: int | None = None) -> Score:
    def head(points: int | None) -> HeadScore | None:
        return None if points is None else HeadScore(0.0, 0.5, points)

    return replace(a_score(victim), payee_mule=head(payee), payer_mule=head(payer))


def explained_heads(score: Score) -> tuple[Decision, list[Head]]:
    """Return the decision, and the questions whose answers were asked to be explained."""
    asked: list[Head] = []

    def explain(head: Head) -> Explanation:
        asked.append(head)
        return Explanation((REASON,), LIKELY_REBATE)

    features = a_vector()
    found = decide(
        a_transfer(),
        an_evidence(),
        Scored(b"", features.tobytes(), score),
        features,
        POLICY,
        PROMPTS,
        explain,
        decision_id="01K5HZ0000000000000000000A",
        now_ms=NOW_MS,
        degraded=(),
        service_version="test",
    )
    return found.decision, asked


class TestMules:
    """A mule's score has remedies of its own, by rules of the policy."""

    @pytest.mark.parametrize(
        ("score", "kind"),
        [
            (scored(payee=759), DecisionKind.ALLOW),
            (scored(payee=760), DecisionKind.CONFIRM),
            (scored(payee=1000), DecisionKind.PAUSE),
            (scored(payer=759), DecisionKind.ALLOW),
            (scored(payer=760), DecisionKind.CONFIRM),
            (scored(payer=1000), DecisionKind.PAUSE),
        ],
    )
    def test_a_mules_score_reaches_pause_at_most(self, score: Score, kind: DecisionKind) -> None:
        assert decided(score=score).decision.kind is kind

    def test_a_payer_who_may_be_a_mule_is_asked_about_the_account(self) -> None:
        decision = decided(
            score=scored(payer=800), explained=Explanation((), LIKELY_REBATE)
        ).decision

        assert decision.prompt is not None
        assert decision.prompt.prompt_id == "account-lending"
        assert decision.fraud_types == ()

    def test_a_victim_of_a_mule_is_told_of_the_scam(self) -> None:
        decision = decided(
            score=scored(payee=800), explained=Explanation((), LIKELY_REBATE)
        ).decision

        assert decision.prompt is not None
        assert decision.prompt.fraud_type is FraudType.TASK_REBATE


class TestTypology:
    """The likeliest type picks the words, when the model is sure enough."""

    def test_the_likeliest_three_are_answered(self) -> None:
        decision = decided(points=600, explained=Explanation((), LIKELY_REBATE)).decision

        assert decision.fraud_types == LIKELY_REBATE[:3]

    @pytest.mark.parametrize(("probability", "spoken"), [(0.5, True), (0.49, False)])
    def test_an_unsure_model_leaves_the_general_words(
        self, probability: float, *, spoken: bool
    ) -> None:
        guess = FraudTypeGuess(FraudType.SEXTORTION, probability)

        prompt = decided(points=600, explained=Explanation((), (guess,))).decision.prompt

        assert prompt is not None
        assert (prompt.fraud_type is FraudType.SEXTORTION) is spoken

    @pytest.mark.parametrize(
        ("probability", "spoken"),
        [(0.75, FraudType.SEXTORTION), (0.74, FraudType.FAKE_CUSTOMER_SERVICE)],
    )
    def test_a_rule_s_word_counts_unless_the_model_is_sure(
        self, probability: float, spoken: FraudType
    ) -> None:
        guess = FraudTypeGuess(FraudType.SEXTORTION, probability)
        vector = a_vector(screen_shared=1, pair_times_paid=0)

        prompt = decided(
            a_transfer(amount_minor=2_000_000), vector=vector, points=600,
            explained=Explanation((), (guess,)),
        ).decision.prompt  # fmt: skip

        assert prompt is not None
        assert prompt.fraud_type is spoken

    def test_what_is_blocked_is_spoken_of_first(self) -> None:
        prompt = decided(
            evidence=an_evidence(PAYEE_INVOLVED),
            points=900,
            explained=Explanation((), LIKELY_REBATE),
        ).decision.prompt

        assert prompt is not None
        assert prompt.prompt_id == "payee-involved"

    def test_a_statutory_delay_is_no_suspicion(self) -> None:
        decision = decided(
            vector=AT_AN_ATM, points=100, explained=Explanation((), LIKELY_REBATE)
        ).decision

        assert decision.kind is DecisionKind.PAUSE
        assert decision.fraud_types == ()
        assert decision.prompt is not None
        assert decision.prompt.fraud_type is FraudType.UNSPECIFIED


class TestReasons:
    """What the score rests on follows after everything else, for answers that are not ALLOW."""

    def test_allow_is_never_explained(self) -> None:
        decision, asked = explained_heads(scored(100, payee=100, payer=100))

        assert decision.kind is DecisionKind.ALLOW
        assert asked == []
        assert decision.reasons == ()

    @pytest.mark.parametrize(
        ("score", "head"),
        [
            (scored(600, payee=800), Head.VICTIM),
            (scored(600, payee=1000), Head.PAYEE_MULE),
            (scored(100, payer=780), Head.PAYER_MULE),
            (scored(100, payee=780, payer=780), Head.PAYEE_MULE),
        ],
    )
    def test_the_gravest_score_is_explained_once(self, score: Score, head: Head) -> None:
        decision, asked = explained_heads(score)

        assert asked == [head]
        assert decision.reasons[-1] == REASON

    def test_reasons_of_a_score_that_did_nothing_are_for_staff_alone(self) -> None:
        decision = decided(
            vector=AT_AN_ATM, points=100, explained=Explanation((REASON,), ())
        ).decision

        assert decision.reasons[-1] == replace(REASON, customer_zh="", customer_en="")

    def test_a_model_that_cannot_explain_leaves_the_decision(self) -> None:
        class Mute:
            def reasons(self, vector: object, head: object) -> tuple[Reason, ...]:
                raise ValueError("broken")

        explain = explainer(Mute(), np.zeros(1, np.float32))  # type: ignore[arg-type]

        assert explain(Head.VICTIM) == Explanation()


CONTROL = ControlShare(
    share=1.0,
    amount_max_minor=100_000,
    points_max=620,
    valid_until_ms=NOW_MS + 1,
    proposed_by="anna",
    approved_by="bo",
)
KNOWN = Evidence(AccountState(), AccountState(), (), "lists-1")


def controlled(control: ControlShare = CONTROL) -> Policy:
    return replace(POLICY, control_share=control)


class TestControlShare:
    """A few low risks are left unprompted, to see what prompts are worth; off by default."""

    def test_it_is_off_by_default(self) -> None:
        decision = decided(points=600).decision

        assert POLICY.control_share is None
        assert (decision.kind, decision.in_control_share) == (DecisionKind.CONFIRM, False)

    def test_who_is_in_it_is_allowed_and_the_record_says_why(self) -> None:
        decision = decided(points=600, policy=controlled()).decision

        assert (decision.kind, decision.in_control_share) == (DecisionKind.ALLOW, True)
        assert decision.prompt is None
        assert [reason.code for reason in decision.reasons] == ["MODEL_SCORE_CONFIRM"]
        assert not any(reason.customer_zh for reason in decision.reasons)

    @pytest.mark.parametrize(
        "change",
        [
            {"amount_max_minor": 9_999},
            {"points_max": 599},
            {"valid_until_ms": NOW_MS},
            {"share": 0.0},
        ],
    )
    def test_its_limits_hold(self, change: dict[str, float]) -> None:
        policy = controlled(replace(CONTROL, **change))  # type: ignore[arg-type]

        assert decided(points=600, policy=policy).decision.kind is DecisionKind.CONFIRM

    @pytest.mark.parametrize(
        "flag",
        ["call_in_progress", "screen_shared", "remote_control", "new_device", "limit_just_raised"],
    )
    def test_a_risk_in_the_session_is_never_left_unprompted(self, flag: str) -> None:
        transfer = replace(a_transfer(), session=Session(**{flag: True}))

        decision = decided(transfer, points=600, policy=controlled()).decision

        assert decision.kind is DecisionKind.CONFIRM

    @pytest.mark.parametrize(
        "evidence",
        [
            an_evidence(ListHit(ListSubject.PAYEE_ACCOUNT, an_entry(grade=WatchlistGrade.WATCH))),
            replace(KNOWN, payee=AccountState(reports=bytes(40))),
            replace(KNOWN, payer=AccountState(reports=bytes(40))),
            replace(KNOWN, payee=None),
            replace(KNOWN, payer=None),
            replace(KNOWN, list_hits=None),
        ],
    )
    def test_a_risk_at_the_payee_or_an_unread_part_is_never_left_unprompted(
        self, evidence: Evidence
    ) -> None:
        decision = decided(evidence=evidence, points=600, policy=controlled()).decision

        assert decision.kind is not DecisionKind.ALLOW

    def test_a_payee_that_may_be_a_mule_is_never_left_unprompted(self) -> None:
        decision = decided(score=scored(600, payee=640), policy=controlled()).decision

        assert decision.kind is DecisionKind.CONFIRM

    def test_a_rule_on_the_payee_is_never_left_unprompted(self, tmp_path: Path) -> None:
        rule = (
            "{id: a, class: soft, action: confirm, all: ['payee_account_age_days <= 30.0',"
            " 'payee_in_payers_24h >= 5.0'], reason: {code: PAYEE_NEW, zh: 新, en: New},"
            " owner: me, mode: live}"
        )
        policy = replace(a_policy(tmp_path, rule), control_share=CONTROL)
        vector = a_vector(payee_account_age_days=3, payee_in_payers_24h=9)

        assert decided(vector=vector, points=300, policy=policy).decision.kind is (
            DecisionKind.CONFIRM
        )

    def test_statutory_reminders_and_pauses_stay(self) -> None:
        assert decided(vector=AT_AN_ATM, policy=controlled()).decision.kind is DecisionKind.PAUSE
        assert decided(points=900, policy=controlled()).decision.kind is DecisionKind.PAUSE

    def test_trying_again_changes_nothing_and_the_share_is_kept(self) -> None:
        policy = controlled(replace(CONTROL, share=0.05))
        kinds = []
        for number in range(2000):
            payer = Party(number.to_bytes(16, "big"), type=PartyType.PERSON)
            transfer = replace(a_transfer(), payer=payer)
            again = replace(transfer, request_id="another", transfer_id="another")
            kind = decided(transfer, points=600, policy=policy).decision.kind
            assert kind is decided(again, points=600, policy=policy).decision.kind
            kinds.append(kind)

        assert 60 <= kinds.count(DecisionKind.ALLOW) <= 140
