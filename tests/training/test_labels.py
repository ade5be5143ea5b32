"""Labels follow what stands: of each transfer, and of the accounts that it names."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from fanzha.domain.model import Head
from fanzha.domain.outcomes import Statement, standing
from fanzha.domain.vocabulary import Answer, FraudType, OutcomeSource, OutcomeType
from fanzha_training.dataset import DAY_MS, UNLABELLED
from fanzha_training.labels import (
    MULE_BEFORE_MS,
    Labelled,
    Labels,
    label_transfers,
    labels_known_at,
)
from fanzha_training.outcomes import OUTCOME_COLUMNS, reports_of

DELAY_MS = 7 * DAY_MS
NOW_MS = 1_790_000_000_000
OLD, YOUNG = NOW_MS - 20 * DAY_MS, NOW_MS - 2 * DAY_MS
POLICE, REVIEW, CUSTOMER = OutcomeSource.POLICE, OutcomeSource.BANK_REVIEW, OutcomeSource.CUSTOMER
CHANNEL, TELLER = OutcomeSource.CHANNEL, OutcomeSource.TELLER
FRAUD, LEGITIMATE = OutcomeType.CONFIRMED_FRAUD, OutcomeType.CONFIRMED_LEGITIMATE
MULE, INSISTED = OutcomeType.MULE_CONFIRMED, OutcomeType.CUSTOMER_INSISTED

Told = tuple[int, OutcomeType, OutcomeSource, int, int | None]
"""Row, type, source, days before now when it was reported, and when it was withdrawn."""


def frame_of(told: list[Told]) -> pl.DataFrame:
    def at(days: int | None) -> int | None:
        return None if days is None else NOW_MS - days * DAY_MS

    rows = [
        (row, f"o{number}", int(kind), int(source), int(FraudType.ROMANCE), at(days), at(withdrawn))
        for number, (row, kind, source, days, withdrawn) in enumerate(told)
    ]
    return pl.DataFrame(rows, OUTCOME_COLUMNS, orient="row")


def labelled(
    times: list[int],
    told: list[Told],
    payers: list[int] | None = None,
    payees: list[int] | None = None,
    unresolved: list[bool] | None = None,
    as_of_ms: int = NOW_MS,
) -> Labels:
    count = len(times)
    transfers = Labelled(
        np.array(times, np.int64),
        np.array(payers or range(1, count + 1), np.int64),
        np.array(payees or range(101, count + 101), np.int64),
        np.array(unresolved or [False] * count, np.bool_),
    )
    return label_transfers(transfers, frame_of(told), as_of_ms=as_of_ms, delay_ms=DELAY_MS)


def one(time_ms: int, *told: tuple[Any, ...], **more: Any) -> tuple[int, float, int]:
    """Label, weight and days before now since it is known, of one transfer."""
    labels = labelled([time_ms], [(0, *(*each, None)[:4]) for each in told], **more)
    days = (NOW_MS - int(labels.known_ms[0])) // DAY_MS
    return int(labels.label[0]), round(float(labels.weight[0]), 3), days


class TestTheVictim:
    """Was the payer deceived?"""

    def test_silence_is_legitimate_once_reports_would_have_come(self) -> None:
        assert one(OLD) == (0, 1.0, 13)
        assert one(YOUNG)[0] == UNLABELLED

    def test_silence_proves_nothing_where_the_money_stayed(self) -> None:
        assert one(OLD, unresolved=[True])[0] == UNLABELLED
        assert one(OLD, (FRAUD, POLICE, 3), unresolved=[True]) == (1, 1.0, 3)

    def test_a_claim_counts_half_until_it_is_decided(self) -> None:
        assert one(OLD, (FRAUD, CUSTOMER, 5)) == (1, 0.5, 5)
        assert one(OLD, (FRAUD, CUSTOMER, 5), (FRAUD, POLICE, 3)) == (1, 1.0, 5)

    def test_a_late_decision_of_before_does_not_win(self) -> None:
        assert one(OLD, (LEGITIMATE, REVIEW, 1), (FRAUD, POLICE, 5)) == (0, 1.0, 1)

    def test_the_newest_decision_wins(self) -> None:
        told = (FRAUD, POLICE, 9), (LEGITIMATE, REVIEW, 6), (FRAUD, POLICE, 2)

        assert one(OLD, *told) == (1, 1.0, 2)
        assert one(OLD, *told[:2]) == (0, 1.0, 6)

    def test_what_is_taken_back_leaves_what_stood_before(self) -> None:
        assert one(OLD, (FRAUD, POLICE, 9, 4)) == (0, 1.0, 13)
        assert one(YOUNG, (FRAUD, POLICE, 1, 0))[0] == UNLABELLED
        assert one(OLD, (FRAUD, CUSTOMER, 9), (LEGITIMATE, POLICE, 8, 3)) == (1, 0.5, 3)

    def test_what_is_taken_back_later_still_holds(self) -> None:
        as_of_ms = NOW_MS - 5 * DAY_MS

        assert one(OLD, (FRAUD, POLICE, 9, 4), as_of_ms=as_of_ms) == (1, 1.0, 9)

    def test_a_customers_yes_is_weak_and_never_more(self) -> None:
        assert one(YOUNG, (INSISTED, CHANNEL, 2)) == (0, 0.2, 2)
        assert one(YOUNG, (LEGITIMATE, CUSTOMER, 1)) == (0, 0.2, 1)
        # After the delay silence itself speaks, with full weight.
        assert one(OLD, (INSISTED, CHANNEL, 19)) == (0, 1.0, 13)
        assert one(OLD, (INSISTED, CUSTOMER, 1), (FRAUD, CUSTOMER, 9)) == (1, 0.5, 9)

    @pytest.mark.parametrize(
        ("kind", "source"),
        [
            (OutcomeType.STOPPED_BY_TELLER, TELLER),
            (OutcomeType.CUSTOMER_CANCELLED, CHANNEL),
            (OutcomeType.VICTIM_REFUSED_ADVICE, TELLER),
            (MULE, POLICE),
        ],
    )
    def test_a_doubt_is_no_label_at_any_age(self, kind: OutcomeType, source: OutcomeSource) -> None:
        assert one(OLD, (kind, source, 19))[0] == UNLABELLED
        assert one(OLD, (kind, source, 19), (INSISTED, CUSTOMER, 18))[0] == UNLABELLED

    def test_who_is_not_entitled_and_unknown_say_nothing(self) -> None:
        assert one(OLD, (MULE, CUSTOMER, 9)) == (0, 1.0, 13)
        assert one(OLD, (OutcomeType.UNKNOWN, REVIEW, 9)) == (0, 1.0, 13)

    def test_what_is_the_matter_with_outcomes_is_counted(self) -> None:
        told: list[Told] = [
            (0, FRAUD, CUSTOMER, 9, None),
            (0, LEGITIMATE, POLICE, 5, None),
            (1, FRAUD, POLICE, 9, 3),
            (1, LEGITIMATE, POLICE, 8, None),
            (2, MULE, CUSTOMER, 9, None),
            (3, INSISTED, CHANNEL, 2, None),
            (3, FRAUD, POLICE, 1, None),
        ]

        assert labelled([OLD, OLD, OLD, YOUNG], told).counts == {
            "outcomes_contradicted": 1,
            "outcomes_withdrawn": 1,
            "outcomes_not_entitled": 1,
        }


class TestTheAccounts:
    """Is the payee's account, or the payer's, a mule's?"""

    def test_an_account_is_a_mules_from_a_month_before_it_was_first_paid_as_one(self) -> None:
        named_ms = NOW_MS - 15 * DAY_MS
        times = [named_ms - MULE_BEFORE_MS - 1, named_ms - MULE_BEFORE_MS, named_ms, YOUNG]
        told: list[Told] = [(2, FRAUD, POLICE, 3, None)]

        labels = labelled(times, told, payees=[9, 9, 9, 9])

        assert labels.payee_mule.tolist() == [UNLABELLED, 1, 1, 1]
        known = [NOW_MS - 3 * DAY_MS] * 2 + [YOUNG]
        assert labels.payee_mule_known_ms[1:].tolist() == known

    def test_what_is_known_first_of_what_reaches_a_payment_counts(self) -> None:
        early, late = NOW_MS - 50 * DAY_MS, NOW_MS - 15 * DAY_MS
        # The earlier payment was named last; it alone reaches the first transfer.
        told: list[Told] = [(1, MULE, POLICE, 2, None), (2, MULE, POLICE, 10, None)]

        labels = labelled([early - DAY_MS, early, late], told, payees=[9, 9, 9])

        assert labels.payee_mule.tolist() == [1, 1, 1]
        days = (NOW_MS - labels.payee_mule_known_ms) // DAY_MS
        assert days.tolist() == [2, 2, 10]

    def test_accounts_never_named_are_none_once_mature(self) -> None:
        labels = labelled([OLD, YOUNG, OLD], [], unresolved=[False, False, True])

        assert labels.payee_mule.tolist() == [0, UNLABELLED, UNLABELLED]
        assert labels.payer_mule.tolist() == [0, UNLABELLED, UNLABELLED]
        assert labels.payee_mule_known_ms[0] == OLD + DELAY_MS

    def test_no_payee_has_no_label(self) -> None:
        assert labelled([OLD], [(0, FRAUD, POLICE, 3, None)], payees=[0]).payee_mule.tolist() == [
            UNLABELLED
        ]

    def test_a_claim_makes_no_mule_and_no_innocent_either(self) -> None:
        labels = labelled([OLD, OLD + 1], [(0, FRAUD, CUSTOMER, 3, None)], payees=[9, 9])

        assert labels.payee_mule.tolist() == [UNLABELLED, UNLABELLED]

    @pytest.mark.parametrize("after", [(0, LEGITIMATE, REVIEW, 2, None), None])
    def test_who_no_longer_stands_as_a_mule_is_none(self, after: Told | None) -> None:
        told: list[Told] = [(0, FRAUD, POLICE, 3, None if after else 2)]

        labels = labelled([OLD, OLD + 1], [*told, *([after] if after else [])], payees=[9, 9])

        assert labels.payee_mule.tolist() == [0, 0]

    def test_what_a_mules_account_pays_is_a_mules_payment(self) -> None:
        told: list[Told] = [(0, FRAUD, POLICE, 3, None)]

        labels = labelled([OLD, OLD + 1], told, payers=[1, 9], payees=[9, 8])

        assert labels.payer_mule.tolist() == [0, 1]
        assert labels.payee_mule.tolist() == [1, 0]
        assert labels.label.tolist() == [1, 0]

    def test_a_deceived_payer_is_no_mule_there_though_the_account_was_used_as_one(self) -> None:
        told: list[Told] = [(0, FRAUD, POLICE, 9, None), (1, FRAUD, POLICE, 3, None)]

        labels = labelled([OLD, OLD + 1], told, payers=[1, 9], payees=[9, 8])

        assert labels.payer_mule.tolist() == [0, UNLABELLED]
        assert labels.label.tolist() == [1, 1]


def test_earlier_training_knew_only_what_was_known_then_of_every_head() -> None:
    told: list[Told] = [(0, FRAUD, POLICE, 3, None)]
    labels = labelled([OLD, OLD + 1], told, payers=[1, 9], payees=[9, 8])

    for head in Head:
        name = "" if head is Head.VICTIM else f"{head.value}_"
        label = labels.label if head is Head.VICTIM else getattr(labels, head.value)
        times = np.array([OLD, OLD + 1], np.int64)
        then, now = (
            labels_known_at(
                label,
                getattr(labels, f"{name}known_ms"),
                times,
                when_ms=NOW_MS - days * DAY_MS,
                delay_ms=DELAY_MS,
            )
            for days in (4, 3)
        )
        assert then.tolist() == [0, 0]
        assert now.tolist() == label.tolist()


def test_columns_say_what_the_service_says_of_each_transfer() -> None:
    rng = np.random.default_rng(5)
    told: list[Told] = [
        (
            int(rng.integers(40)),
            OutcomeType(rng.integers(1, 9)),
            OutcomeSource(rng.integers(1, 7)),
            int(rng.integers(0, 10)),
            int(rng.integers(0, 10)) if rng.random() < 0.3 else None,
        )
        for _ in range(120)
    ]

    reports = reports_of(frame_of(told))

    named: dict[tuple[int, int], bool] = {}
    for row, question, names, *_ in reports.rows():
        assert named.get((row, question), False) != names
        named[row, question] = names
    for row in range(40):
        statements = [
            Statement(
                f"o{number}", kind, source, FraudType.ROMANCE, NOW_MS - days * DAY_MS,
                None if withdrawn is None else NOW_MS - withdrawn * DAY_MS,
            )
            for number, (of, kind, source, days, withdrawn) in enumerate(told)
            if of == row
        ]  # fmt: skip
        stands = standing(statements)
        assert named.get((row, 0), False) == (stands.deceived.answer is Answer.YES)
        assert named.get((row, 1), False) == (stands.mule.answer is Answer.YES)
