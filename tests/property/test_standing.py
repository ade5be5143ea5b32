"""What stands of a transfer's outcomes: the firmest, among equals the newest."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanzha.domain.outcomes import (
    MEANINGS,
    Question,
    Stand,
    Standing,
    Statement,
    is_entitled,
    may_withdraw,
    said,
    standing,
    turns,
)
from fanzha.domain.vocabulary import Answer, FraudType, OutcomeSource, OutcomeType, Strength

TIMES = st.integers(1, 6)
TYPES = st.sampled_from(list(OutcomeType))
SOURCES = st.sampled_from(list(OutcomeSource))
STATEMENTS = st.lists(
    st.builds(
        Statement,
        outcome_id=st.text("ab", min_size=1, max_size=4),
        type=TYPES,
        source=SOURCES,
        fraud_type=st.sampled_from(list(FraudType)),
        report_time_ms=TIMES,
        withdrawn_ms=st.none() | TIMES,
    ),
    max_size=8,
    unique_by=lambda statement: statement.outcome_id,
)
FRAUD, LEGITIMATE = OutcomeType.CONFIRMED_FRAUD, OutcomeType.CONFIRMED_LEGITIMATE
POLICE, REVIEW, CUSTOMER = OutcomeSource.POLICE, OutcomeSource.BANK_REVIEW, OutcomeSource.CUSTOMER


def a_statement(kind: OutcomeType, source: OutcomeSource, time_ms: int, **more: int) -> Statement:
    name = f"{kind.name}-{source.name}-{time_ms}"
    return Statement(name, kind, source, FraudType.ROMANCE, time_ms, **more)


def the_slow_way(told: list[Statement], now_ms: int, question: Question) -> tuple[Answer, str]:
    """What stands at one time, by sorting what is known from the weakest to the firmest."""
    known = [one for one in told if one.report_time_ms <= now_ms]
    kept = [one for one in known if one.withdrawn_ms is None or one.withdrawn_ms > now_ms]
    spoken = [
        (strength, one.report_time_ms, answer is Answer.YES, one.outcome_id, answer)
        for one in kept
        for answer, strength in [said(one.type, one.source, question)]
        if answer is not Answer.UNSPECIFIED
    ]
    return (max(spoken)[4], max(spoken)[3]) if spoken else (Answer.UNSPECIFIED, "")


class TestAnyHistory:
    """True of whatever is told."""

    @given(STATEMENTS, st.randoms(use_true_random=False), st.none() | TIMES)
    def test_the_order_of_arrival_plays_no_part(
        self, told: list[Statement], rng: random.Random, as_of_ms: int | None
    ) -> None:
        shuffled = told.copy()
        rng.shuffle(shuffled)

        assert standing(shuffled, as_of_ms) == standing(told, as_of_ms)

    @given(STATEMENTS, TIMES)
    def test_it_is_the_strongest_and_newest_that_stands_at_a_time(
        self, told: list[Statement], as_of_ms: int
    ) -> None:
        stands = standing(told, as_of_ms)

        for question in Question:
            found = stands.of(question)
            assert (found.answer, found.outcome_id) == the_slow_way(told, as_of_ms, question)

    @given(STATEMENTS, TIMES)
    def test_an_answer_stands_since_it_last_became_that(
        self, told: list[Statement], as_of_ms: int
    ) -> None:
        for question in Question:
            found = standing(told, as_of_ms).of(question)
            answers = [the_slow_way(told, now_ms, question)[0] for now_ms in range(as_of_ms + 1)]
            if found.answer is Answer.UNSPECIFIED:
                assert found == Stand()
            else:
                assert set(answers[found.since_ms :]) == {found.answer}
                assert answers[found.since_ms - 1] is not found.answer

    @given(STATEMENTS, TIMES)
    def test_what_comes_later_changes_nothing_of_before(
        self, told: list[Statement], as_of_ms: int
    ) -> None:
        known = [
            replace(one, withdrawn_ms=None)
            if one.withdrawn_ms is not None and one.withdrawn_ms > as_of_ms
            else one
            for one in told
            if one.report_time_ms <= as_of_ms
        ]

        assert standing(told, as_of_ms) == standing(known, as_of_ms)

    @given(STATEMENTS)
    def test_turns_say_when_an_account_is_named(self, told: list[Statement]) -> None:
        found = list(turns(told))

        for question in Question:
            own = {turn.time_ms: turn.names for turn in found if turn.question is question}
            named = False
            for now_ms in range(8):
                named = own.get(now_ms, named)
                assert named == (the_slow_way(told, now_ms, question)[0] is Answer.YES)
            assert [turn.names for turn in found if turn.question is question] == [
                number % 2 == 0 for number in range(len(own))
            ]

    @given(STATEMENTS, STATEMENTS)
    def test_who_is_not_entitled_changes_nothing(
        self, told: list[Statement], others: list[Statement]
    ) -> None:
        foreign = [
            replace(one, outcome_id=f"x{one.outcome_id}")
            for one in others
            if not is_entitled(one.type, one.source)
        ]

        assert standing([*told, *foreign]) == standing(told)

    @given(STATEMENTS)
    def test_below_a_decision_nothing_overrides_one(self, told: list[Statement]) -> None:
        for question in Question:
            decided = [
                one
                for one in told
                if one.withdrawn_ms is None
                and said(one.type, one.source, question)[1] is Strength.DECISION
            ]
            if decided:
                assert standing(told).of(question).strength is Strength.DECISION


STORIES: dict[str, tuple[list[Statement], Callable[[Standing], bool]]] = {
    "fraud and the mule behind it do not contradict each other": (
        [a_statement(FRAUD, POLICE, 1), a_statement(OutcomeType.MULE_CONFIRMED, POLICE, 2)],
        lambda now: now.deceived.answer is now.mule.answer is Answer.YES,
    ),
    "a customer's claim stands until it is decided": (
        [a_statement(FRAUD, CUSTOMER, 1)],
        lambda now: (now.deceived.answer, now.deceived.strength) == (Answer.YES, Strength.CLAIM),
    ),
    "a decision of before outweighs a claim of later": (
        [a_statement(LEGITIMATE, REVIEW, 1), a_statement(FRAUD, CUSTOMER, 2)],
        lambda now: now.deceived.answer is now.mule.answer is Answer.NO,
    ),
    "a victim who calls the report off is not believed": (
        [a_statement(FRAUD, CUSTOMER, 1), a_statement(LEGITIMATE, CUSTOMER, 2)],
        lambda now: now.deceived.answer is Answer.YES,
    ),
    "a teller's doubt outweighs the customer's yes": (
        [
            a_statement(OutcomeType.VICTIM_REFUSED_ADVICE, OutcomeSource.TELLER, 1),
            a_statement(OutcomeType.CUSTOMER_INSISTED, CUSTOMER, 2),
        ],
        lambda now: now.deceived.answer is Answer.UNDECIDED,
    ),
    "of two decisions of one time fraud stands": (
        [a_statement(FRAUD, POLICE, 1), a_statement(LEGITIMATE, REVIEW, 1)],
        lambda now: now.deceived.answer is Answer.YES,
    ),
    "what was taken back before it was reported never stood": (
        [a_statement(FRAUD, POLICE, 3, withdrawn_ms=2)],
        lambda now: now == Standing(),
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_stories(story: str) -> None:
    told, holds = STORIES[story]

    assert holds(standing(told))


def test_every_type_says_what_it_means_and_somebody_may_state_it() -> None:
    assert set(MEANINGS) == set(OutcomeType) - {OutcomeType.UNSPECIFIED}
    for meaning in MEANINGS.values():
        assert meaning.strengths
        assert OutcomeSource.UNSPECIFIED not in meaning.strengths


def test_a_source_takes_back_its_own_and_who_decides_takes_back_all() -> None:
    by = {source for source in OutcomeSource if may_withdraw(OutcomeSource.CUSTOMER, source)}

    assert by == {POLICE, REVIEW, CUSTOMER}
