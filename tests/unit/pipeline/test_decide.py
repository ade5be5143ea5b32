"""What follows from what is known: severity, precedence, clamps, and what the customer is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.decision_inputs import (
    DECISION_ID,
    NOW_MS,
    PAYEE_INVOLVED,
    PAYER_INVOLVED,
    POLICY,
    VERIFIED_BILLER,
    a_policy,
    a_transfer,
    a_vector,
    an_entry,
    an_evidence,
    decided,
)

from fanzha.domain.decision import Decision
from fanzha.domain.evidence import Evidence, ListHit, ListSubject
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    DecisionKind,
    DegradedPart,
    FraudType,
    PartyType,
    TransferKind,
    WatchlistGrade,
    WatchlistKind,
)
from fanzha.policy.fact import FactFamily
from fanzha.policy.policy import Policy

HOUR_MS = 3_600_000
SCREEN_SHARED_TO_NEW = a_vector(screen_shared=1, pair_times_paid=0)
LARGE = a_transfer(amount_minor=2_000_000)


def codes(decision: object) -> list[str]:
    return [reason.code for reason in decision.reasons]


class TestSeverity:
    """`ALLOW < CONFIRM < PAUSE < BLOCK`; the most severe that applies wins."""

    def test_what_is_unknown_alone_is_allowed(self) -> None:
        decision = decided().decision

        assert decision.kind is DecisionKind.ALLOW
        assert (decision.reasons, decision.prompt, decision.notice) == ((), None, None)
        assert decision.hold_until_ms is None

    @pytest.mark.parametrize(
        ("points", "kind"),
        [
            (559, DecisionKind.ALLOW),
            (560, DecisionKind.CONFIRM),
            (699, DecisionKind.CONFIRM),
            (700, DecisionKind.PAUSE),
            (1000, DecisionKind.PAUSE),
        ],
    )
    def test_a_score_alone_reaches_pause_at_most(self, points: int, kind: DecisionKind) -> None:
        assert decided(points=points).decision.kind is kind

    def test_thresholds_follow_channel_and_segment(self) -> None:
        counter = a_transfer(channel=Channel.COUNTER)
        retired = a_transfer(segment=CustomerSegment.RETIRED)

        assert decided(counter, points=570).decision.kind is DecisionKind.ALLOW
        assert decided(retired, points=545).decision.kind is DecisionKind.CONFIRM

    @pytest.mark.parametrize("hit", [PAYEE_INVOLVED, PAYER_INVOLVED])
    def test_an_involved_account_blocks(self, hit: ListHit) -> None:
        decision = decided(evidence=an_evidence(hit)).decision

        assert decision.kind is DecisionKind.BLOCK
        assert decision.hold_until_ms is None

    @pytest.mark.parametrize(
        ("subject", "kind", "grade"),
        [
            (ListSubject.PAYEE_ACCOUNT, WatchlistKind.ACCOUNT, WatchlistGrade.SUSPICIOUS),
            (ListSubject.PAYEE_PERSON, WatchlistKind.PERSON, WatchlistGrade.INVOLVED),
            (ListSubject.PAYER_PHONE, WatchlistKind.PHONE, WatchlistGrade.INVOLVED),
            (ListSubject.DEVICE, WatchlistKind.DEVICE, WatchlistGrade.INVOLVED),
            (ListSubject.PAYEE_ACCOUNT, WatchlistKind.VERIFIED_BILLER, WatchlistGrade.INVOLVED),
        ],
    )
    def test_other_list_entries_do_not_block(
        self, subject: ListSubject, kind: WatchlistKind, grade: WatchlistGrade
    ) -> None:
        evidence = an_evidence(ListHit(subject, an_entry(kind, grade)))

        assert decided(LARGE, evidence, SCREEN_SHARED_TO_NEW).decision.kind < DecisionKind.BLOCK

    def test_the_other_accounts_of_an_involved_payer_are_verified_again(self) -> None:
        hit = ListHit(ListSubject.PAYER_PERSON, an_entry(WatchlistKind.PERSON))

        decision = decided(evidence=an_evidence(hit)).decision

        assert decision.kind is DecisionKind.CONFIRM
        assert codes(decision) == ["PAYER_HOLDS_INVOLVED_ACCOUNT"]

    def test_unread_lists_never_block_but_ask_about_large_amounts(self) -> None:
        def blind(yuan: int) -> Decision:
            lists = (DegradedPart.LISTS,)
            nothing = Evidence(None, None, None, "")
            transfer = a_transfer(amount_minor=100 * yuan)
            return decided(transfer, nothing, degraded=lists).decision

        assert blind(49_999).kind is DecisionKind.ALLOW
        large, larger = blind(50_000), blind(300_000)
        assert (large.kind, codes(large)) == (DecisionKind.CONFIRM, ["LISTS_MISSING"])
        assert (larger.kind, codes(larger)) == (DecisionKind.PAUSE, ["LISTS_MISSING"])
        assert larger.hold_until_ms == NOW_MS + 2 * 3_600_000
        assert larger.fraud_types == ()


class TestStatutoryDelay:
    """ATM transfers of persons to others' accounts are executed after 24 hours (261号)."""

    atm = a_transfer(channel=Channel.ATM)

    def vector(self, **features: float) -> np.ndarray:
        said = {
            "kind": TransferKind.TRANSFER,
            "channel": Channel.ATM,
            "payer_type": PartyType.PERSON,
        }
        return a_vector(**(said | features))

    def test_the_money_is_held_for_24_hours(self) -> None:
        decision = decided(self.atm, vector=self.vector()).decision

        assert decision.kind is DecisionKind.PAUSE
        assert decision.hold_until_ms == NOW_MS + 24 * HOUR_MS
        assert codes(decision) == ["ATM_TRANSFER_24H"]
        assert decision.prompt is not None
        assert decision.prompt.prompt_id == "statutory-delay"

    @pytest.mark.parametrize(
        "features",
        [
            {"payee_same_owner": 1, "payee_same_bank": 1},
            {"channel": Channel.SMART_TELLER},
            {"kind": TransferKind.CASH_WITHDRAWAL},
            {"payer_type": PartyType.COMPANY},
        ],
    )
    def test_it_does_not_touch_other_transfers(self, features: dict[str, float]) -> None:
        decision = decided(self.atm, vector=self.vector(**features)).decision

        assert decision.kind is DecisionKind.ALLOW

    def test_own_accounts_must_be_known_to_be_own(self) -> None:
        vector = self.vector(payee_same_owner=1)

        assert decided(self.atm, vector=vector).decision.kind is DecisionKind.PAUSE

    def test_it_holds_for_essential_payments_too(self) -> None:
        evidence = an_evidence(VERIFIED_BILLER)

        assert decided(self.atm, evidence, self.vector()).decision.kind is DecisionKind.PAUSE


class TestEssentialPayments:
    """Never paused on soft evidence; the verified biller registry says what is essential."""

    def test_soft_rules_and_score_only_confirm(self) -> None:
        evidence = an_evidence(VERIFIED_BILLER)

        decision = decided(LARGE, evidence, SCREEN_SHARED_TO_NEW, points=900).decision

        assert decision.kind is DecisionKind.CONFIRM
        assert codes(decision) == [
            "SCREEN_SHARED_NEW_PAYEE",
            "MODEL_SCORE_PAUSE",
            "ESSENTIAL_PAYMENT",
        ]
        assert (decision.hold_until_ms, decision.notice) == (None, None)

    def test_the_word_of_the_caller_makes_nothing_essential(self) -> None:
        vector = a_vector(payee_type=PartyType.BILLER, screen_shared=1, pair_times_paid=0)

        assert decided(LARGE, vector=vector).decision.kind is DecisionKind.PAUSE

    def test_hard_evidence_still_blocks(self) -> None:
        evidence = an_evidence(VERIFIED_BILLER, PAYEE_INVOLVED)

        assert decided(evidence=evidence).decision.kind is DecisionKind.BLOCK


class TestReasons:
    """In order: hard, statutory, soft by severity and order in the policy, the model's score."""

    def test_reasons_stand_in_order_of_precedence(self, tmp_path: Path) -> None:
        policy = a_policy(
            tmp_path,
            rule("late-confirm", "soft", "confirm", "screen_shared"),
            rule("late-pause", "soft", "pause", "screen_shared", "pair_times_paid == 0.0"),
            rule("law", "statutory", "confirm", "screen_shared"),
            rule("early-pause", "soft", "pause", "screen_shared", "pair_times_paid < 1.0"),
            rule("hard", "hard", "block", "payee_involved"),
        )

        decision = decided(
            evidence=an_evidence(PAYEE_INVOLVED),
            vector=SCREEN_SHARED_TO_NEW,
            points=600,
            policy=policy,
        ).decision

        assert codes(decision) == [
            "HARD",
            "LAW",
            "LATE_PAUSE",
            "EARLY_PAUSE",
            "LATE_CONFIRM",
            "MODEL_SCORE_CONFIRM",
        ]

    def test_numbers_are_shown_and_unknown_ones_are_not(self, tmp_path: Path) -> None:
        text = "{payee_account_age_days:.0f}天"
        atoms = "payee_account_age_days <= 30.0 || payee_dual_recording_missing"
        policy = a_policy(tmp_path, rule("age", "soft", "confirm", atoms, zh=text))

        known = decided(vector=a_vector(payee_account_age_days=6), policy=policy)
        unknown = decided(vector=a_vector(payee_dual_recording_done=0), policy=policy)

        assert known.decision.reasons[0].text_zh == "6天"
        assert unknown.decision.reasons[0].text_zh == "（数据暂缺）天"

    def test_rules_in_shadow_are_noted_and_restrict_nothing(self, tmp_path: Path) -> None:
        policy = a_policy(
            tmp_path,
            rule("seen", "soft", "confirm", "screen_shared", mode="shadow"),
            rule("hard-seen", "hard", "block", "payee_involved", mode="shadow"),
            rule("gone", "soft", "confirm", "screen_shared", mode="off"),
        )

        result = decided(
            evidence=an_evidence(PAYEE_INVOLVED), vector=SCREEN_SHARED_TO_NEW, policy=policy
        )

        assert result.decision.kind is DecisionKind.ALLOW
        assert result.shadow_reasons == ("HARD_SEEN", "SEEN")

    def test_rules_count_on_their_days_only(self, tmp_path: Path) -> None:
        days = "valid_from: 2026-11-22, valid_until: 2026-11-23"
        policy = a_policy(tmp_path, rule("two-days", "soft", "confirm", "screen_shared", more=days))
        first_ms = 1_795_276_800_000  # 2026-11-22 00:00 in Beijing.
        after_ms = first_ms + 48 * HOUR_MS

        kinds = [
            decided(vector=SCREEN_SHARED_TO_NEW, policy=policy, now_ms=now_ms).decision.kind
            for now_ms in (first_ms - 1, first_ms, after_ms - 1, after_ms)
        ]

        allow, confirm = DecisionKind.ALLOW, DecisionKind.CONFIRM
        assert kinds == [allow, confirm, confirm, allow]


class TestWhatTheCustomerIsTold:
    """Every restriction carries a notice; prompts speak of the scam that is at work."""

    def test_a_notice_says_why_and_how_to_object(self) -> None:
        decision = decided(evidence=an_evidence(PAYEE_INVOLVED)).decision

        assert decision.notice is not None
        assert decision.notice.case_id == DECISION_ID
        assert decision.notice.cause_zh == decision.reasons[0].customer_zh
        assert decision.notice.objection_zh
        assert decision.notice.documents_zh

    def test_a_notice_stays_general_when_no_reason_may_be_shown(self, tmp_path: Path) -> None:
        policy = a_policy(tmp_path, rule("quiet", "hard", "block", "payee_involved"))

        decision = decided(evidence=an_evidence(PAYEE_INVOLVED), policy=policy).decision

        assert decision.notice is not None
        assert decision.notice.cause_zh == "该笔交易需要核实。"

    @pytest.mark.parametrize(
        ("hit", "prompt_id"),
        [(PAYEE_INVOLVED, "payee-involved"), (PAYER_INVOLVED, "payer-involved")],
    )
    def test_a_block_speaks_of_the_involved_account(self, hit: ListHit, prompt_id: str) -> None:
        decision = decided(LARGE, an_evidence(hit), SCREEN_SHARED_TO_NEW).decision

        assert decision.prompt is not None
        assert decision.prompt.prompt_id == prompt_id

    def test_the_gravest_fraud_type_chooses_the_prompt(self) -> None:
        vector = a_vector(
            screen_shared=1,
            pair_times_paid=0,
            payee_account_age_days=5,
            amount_over_max_30d=9,
            pair_days_since_first=1,
        )

        decision = decided(LARGE, vector=vector, points=900).decision

        assert decision.prompt is not None
        assert decision.prompt.fraud_type is FraudType.FAKE_CUSTOMER_SERVICE

    def test_a_scam_is_spoken_of_before_the_statutory_delay(self) -> None:
        vector = a_vector(
            kind=TransferKind.TRANSFER,
            channel=Channel.ATM,
            payer_type=PartyType.PERSON,
            call_in_progress=1,
            balance_share=0.9,
            pair_times_paid=0,
        )

        decision = decided(LARGE, vector=vector).decision

        assert codes(decision)[0] == "ATM_TRANSFER_24H"
        assert decision.prompt is not None
        assert decision.prompt.fraud_type is FraudType.IMPERSONATED_AUTHORITY

    def test_words_follow_the_channel(self) -> None:
        transfer = a_transfer(amount_minor=2_000_000, channel=Channel.COUNTER)
        vector = a_vector(call_in_progress=1, balance_share=0.9, pair_times_paid=0)

        decision = decided(transfer, vector=vector).decision

        assert decision.prompt is not None
        assert decision.prompt.prompt_id == "impersonated-authority-counter"
        assert [text.language for text in decision.prompt.texts] == ["zh-CN", "en"]


class TestClampsAtRunTime:
    """A policy that breaks the rules is refused at load, and `decide` clamps again."""

    def broken(self, policy_id: str, action: DecisionKind, **changes: object) -> Policy:
        found = next(rule for rule in POLICY.other_rules if rule.id == policy_id)
        return replace(POLICY, other_rules=(replace(found, action=action, **changes),))

    def test_a_soft_rule_that_blocks_pauses(self) -> None:
        policy = self.broken("screen-shared-new-payee", DecisionKind.BLOCK)

        decision = decided(LARGE, vector=SCREEN_SHARED_TO_NEW, policy=policy).decision

        assert decision.kind is DecisionKind.PAUSE

    def test_a_soft_rule_on_one_family_confirms(self) -> None:
        policy = self.broken(
            "screen-shared-new-payee",
            DecisionKind.BLOCK,
            evidence=frozenset({FactFamily.SESSION}),
        )

        decision = decided(LARGE, vector=SCREEN_SHARED_TO_NEW, policy=policy).decision

        assert decision.kind is DecisionKind.CONFIRM

    def test_a_hard_rule_without_hard_evidence_confirms(self) -> None:
        held = POLICY.hard_rules[0]
        everywhere = replace(POLICY.other_rules[0], rule_class=held.rule_class, action=held.action)
        policy = replace(POLICY, other_rules=(replace(everywhere, mask=0),))

        decision = decided(vector=a_vector(pair_times_paid=0), policy=policy).decision

        assert decision.kind is DecisionKind.CONFIRM


class TestDegraded:
    """Total over everything: a program that fails leaves thresholds and hard lists."""

    # Sound at load; with three attempts it divides by zero.
    fragile = "pair_attempts_24h > 0.0 && 10 / (int(pair_attempts_24h) - 3) > 1"

    def test_hard_lists_and_thresholds_outlive_the_program(self, tmp_path: Path) -> None:
        policy = a_policy(
            tmp_path,
            rule("fragile", "soft", "confirm", self.fragile),
            rule("sound", "soft", "confirm", "screen_shared"),
            rule("hard", "hard", "block", "payee_involved"),
        )
        vector = a_vector(pair_attempts_24h=3, screen_shared=1)

        by_score = decided(vector=vector, points=700, policy=policy).decision
        by_list = decided(evidence=an_evidence(PAYEE_INVOLVED), vector=vector, policy=policy)

        assert (by_score.kind, codes(by_score)) == (DecisionKind.PAUSE, ["MODEL_SCORE_PAUSE"])
        assert by_list.decision.kind is DecisionKind.BLOCK
        assert by_list.decision.degraded == (DegradedPart.POLICY,)

    def test_degraded_parts_keep_the_order_of_the_enum(self, tmp_path: Path) -> None:
        policy = a_policy(tmp_path, rule("fragile", "soft", "confirm", self.fragile))
        missing = (DegradedPart.PAYER_HISTORY, DegradedPart.JOURNAL)

        decision = decided(
            vector=a_vector(pair_attempts_24h=3), policy=policy, degraded=missing
        ).decision

        assert decision.degraded == (*missing, DegradedPart.POLICY)

    def test_a_vector_of_another_shape_is_unknown(self) -> None:
        decision = decided(vector=np.ones(3, np.float32)).decision

        assert (decision.kind, decision.degraded) == (DecisionKind.ALLOW, ())

    def test_the_decision_names_what_it_stands_on(self) -> None:
        versions = decided(points=1).decision.versions

        assert (versions.model, versions.lists, versions.service) == (
            "champion/1",
            "lists-1",
            "0.1.0",
        )
        assert versions.policy == POLICY.version


def rule(
    name: str,
    rule_class: str,
    action: str,
    *atoms: str,
    zh: str = "示例",
    mode: str = "live",
    more: str = "legal_basis: 261",
) -> str:
    code = name.upper().replace("-", "_")
    conditions = ", ".join(f'"{atom}"' for atom in atoms)
    law = "" if "legal_basis" in more else "legal_basis: '261', "
    more = more.replace("261", "'261'")
    return (
        f"{{id: {name}, class: {rule_class}, action: {action}, all: [{conditions}], "
        f'reason: {{code: {code}, zh: "{zh}", en: Example}}, '
        f"{law}owner: test, mode: {mode}, {more}}}"
    )
