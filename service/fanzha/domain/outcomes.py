"""What outcomes mean: who may state which, what each says to two questions, and what stands.

This is the one place that knows it. The service, the archive's readers and training ask here, and
`docs/reference/outcomes.md` is made from it.

The questions are whether the payer was deceived, and whether the payee's account is a mule's. Each
has its own standing, so that a fraud and the mule behind it do not contradict each other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from fanzha.domain.record import OutcomeRecord, WithdrawalRecord
from fanzha.domain.vocabulary import Answer, FraudType, OutcomeSource, OutcomeType, Strength


class Question(IntEnum):
    """What is asked of a transfer's outcomes."""

    PAYER_DECEIVED = 0
    PAYEE_MULE = 1


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an outcome of one type says, and how firm it is from whom."""

    deceived: Answer
    mule: Answer
    strengths: dict[OutcomeSource, Strength]
    """Of those who may state it; from others it has no effect."""


def _by(strength: Strength, *sources: OutcomeSource) -> dict[OutcomeSource, Strength]:
    return dict.fromkeys(sources, strength)


_DECIDES = (OutcomeSource.POLICE, OutcomeSource.BANK_REVIEW)

MEANINGS: Final[dict[OutcomeType, Meaning]] = {
    OutcomeType.CONFIRMED_FRAUD: Meaning(
        Answer.YES,
        Answer.YES,
        # A customer's report protects others at once; whoever decides later has the last word.
        _by(Strength.DECISION, *_DECIDES)
        | _by(
            Strength.CLAIM, OutcomeSource.TELLER, OutcomeSource.CUSTOMER, OutcomeSource.OTHER_BANK
        ),
    ),
    OutcomeType.CONFIRMED_LEGITIMATE: Meaning(
        Answer.NO,
        Answer.NO,
        _by(Strength.DECISION, *_DECIDES)
        # Victims vouch for what they were talked into.
        | _by(Strength.HINT, OutcomeSource.TELLER, OutcomeSource.CUSTOMER),
    ),
    OutcomeType.STOPPED_BY_TELLER: Meaning(
        Answer.UNDECIDED,
        Answer.UNSPECIFIED,
        _by(Strength.DOUBT, OutcomeSource.TELLER, *_DECIDES),
    ),
    OutcomeType.CUSTOMER_CANCELLED: Meaning(
        Answer.UNDECIDED,
        Answer.UNSPECIFIED,
        _by(
            Strength.DOUBT,
            OutcomeSource.CHANNEL,
            OutcomeSource.CUSTOMER,
            OutcomeSource.TELLER,
            OutcomeSource.BANK_REVIEW,
        ),
    ),
    OutcomeType.CUSTOMER_INSISTED: Meaning(
        Answer.NO,
        Answer.UNSPECIFIED,
        _by(
            Strength.HINT,
            OutcomeSource.CHANNEL,
            OutcomeSource.CUSTOMER,
            OutcomeSource.TELLER,
            OutcomeSource.BANK_REVIEW,
        ),
    ),
    OutcomeType.VICTIM_REFUSED_ADVICE: Meaning(
        Answer.UNDECIDED,
        Answer.UNSPECIFIED,
        _by(Strength.DOUBT, OutcomeSource.TELLER, *_DECIDES),
    ),
    OutcomeType.MULE_CONFIRMED: Meaning(
        # Whoever pays a mule may be a victim, or another mule.
        Answer.UNDECIDED,
        Answer.YES,
        _by(Strength.DECISION, *_DECIDES, OutcomeSource.OTHER_BANK),
    ),
    OutcomeType.UNKNOWN: Meaning(
        Answer.UNSPECIFIED,
        Answer.UNSPECIFIED,
        _by(Strength.UNSPECIFIED, OutcomeSource.TELLER, *_DECIDES),
    ),
}

WEIGHTS: Final = {Strength.HINT: 0.2, Strength.CLAIM: 0.5, Strength.DECISION: 1.0}
"""How much an answer of that strength counts when models learn."""


def is_entitled(kind: OutcomeType, source: OutcomeSource) -> bool:
    """Say whether a source may state outcomes of a type."""
    return kind in MEANINGS and source in MEANINGS[kind].strengths


def may_withdraw(stated_by: OutcomeSource, source: OutcomeSource) -> bool:
    """Say whether a source may take back what a source stated: its own, or as one that decides."""
    return source == stated_by or source in _DECIDES


def said(kind: OutcomeType, source: OutcomeSource, question: Question) -> tuple[Answer, Strength]:
    """Return what an outcome says to a question, and how firmly; UNSPECIFIED for nothing.

    A doubt is never firmer than DOUBT, whoever has it; of the payee's account nothing is said below
    CLAIM: a customer who vouches for a payment knows nothing of the account behind it.
    """
    meaning = MEANINGS.get(kind)
    strength = None if meaning is None else meaning.strengths.get(source)
    if meaning is None or not strength:
        return Answer.UNSPECIFIED, Strength.UNSPECIFIED
    answer = meaning.deceived if question is Question.PAYER_DECEIVED else meaning.mule
    if answer is Answer.UNDECIDED:
        return answer, Strength.DOUBT
    weak = question is Question.PAYEE_MULE and strength < Strength.CLAIM
    if answer is Answer.UNSPECIFIED or weak:
        return Answer.UNSPECIFIED, Strength.UNSPECIFIED
    return answer, strength


@dataclass(frozen=True, slots=True)
class Statement:
    """One outcome of a transfer, as far as it decides what stands. Times are ms since 1970 UTC."""

    outcome_id: str
    type: OutcomeType
    source: OutcomeSource
    fraud_type: FraudType
    report_time_ms: int
    withdrawn_ms: int | None = None
    """When it was taken back; None: it was not."""

    def holds_at(self, time_ms: int) -> bool:
        """Say whether it was known, and not taken back, at a time."""
        taken_back = self.withdrawn_ms is not None and self.withdrawn_ms <= time_ms
        return self.report_time_ms <= time_ms and not taken_back


@dataclass(frozen=True, slots=True)
class Stand:
    """What stands on one question."""

    answer: Answer = Answer.UNSPECIFIED
    strength: Strength = Strength.UNSPECIFIED
    since_ms: int = 0
    """Since when this answer stands without a break; 0 when nothing was said."""
    outcome_id: str = ""
    """The outcome that says so."""
    fraud_type: FraudType = FraudType.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of one transfer."""

    deceived: Stand = Stand()
    mule: Stand = Stand()

    def of(self, question: Question) -> Stand:
        """Return what stands on a question."""
        return self.deceived if question is Question.PAYER_DECEIVED else self.mule


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment at which an account came to be named, as victim's or mule's, or no longer was."""

    time_ms: int
    question: Question
    names: bool
    fraud_type: FraudType


@dataclass(frozen=True, slots=True)
class OutcomeHistory:
    """All outcomes of one decision and their withdrawals, in the order of their recording."""

    outcomes: tuple[OutcomeRecord, ...] = ()
    withdrawals: tuple[WithdrawalRecord, ...] = ()

    @property
    def records(self) -> tuple[OutcomeRecord | WithdrawalRecord, ...]:
        """Return all outcomes, then all withdrawals."""
        return (*self.outcomes, *self.withdrawals)

    def plus(self, record: OutcomeRecord | WithdrawalRecord) -> "OutcomeHistory":
        """Return the history with one more record."""
        if isinstance(record, OutcomeRecord):
            return OutcomeHistory((*self.outcomes, record), self.withdrawals)
        return OutcomeHistory(self.outcomes, (*self.withdrawals, record))

    def outcome(self, outcome_id: str) -> OutcomeRecord | None:
        """Return an outcome by its id."""
        return next((one for one in self.outcomes if one.outcome_id == outcome_id), None)

    def withdrawal(self, outcome_id: str) -> WithdrawalRecord | None:
        """Return how an outcome was taken back."""
        return next((one for one in self.withdrawals if one.outcome_id == outcome_id), None)

    def statements(self) -> tuple[Statement, ...]:
        """Return the outcomes as statements."""
        withdrawn = {one.outcome_id: one.report_time_ms for one in reversed(self.withdrawals)}
        return tuple(
            Statement(
                one.outcome_id,
                one.type,
                one.source,
                one.fraud_type,
                one.report_time_ms,
                withdrawn.get(one.outcome_id),
            )
            for one in self.outcomes
        )


def standing(statements: Iterable[Statement], as_of_ms: int | None = None) -> Standing:
    """Return what stands of a transfer as of a time; None: by all that is known.

    The firmest statement stands, among equals the newest; of two of one time a yes, then the one
    whose id comes last. The order of arrival plays no part.
    """
    told = tuple(statements)
    times = [time for time in _moments(told) if as_of_ms is None or time <= as_of_ms]
    if not times:
        return Standing()
    return Standing(*(_stand(told, times, question) for question in Question))


def turns(statements: Iterable[Statement]) -> Iterator[Turn]:
    """Yield in order of time when a transfer's accounts came to be named, and when no longer."""
    told = tuple(statements)
    named = dict.fromkeys(Question, False)
    for time_ms in _moments(told):
        for question in Question:
            stand = _at(told, time_ms, question)
            names = stand.answer is Answer.YES
            if names != named[question]:
                named[question] = names
                yield Turn(time_ms, question, names, stand.fraud_type)


def _moments(statements: tuple[Statement, ...]) -> list[int]:
    """Return the times at which what stands may have changed, in order."""
    times = {one.report_time_ms for one in statements}
    times |= {one.withdrawn_ms for one in statements if one.withdrawn_ms is not None}
    return sorted(times)


def _stand(statements: tuple[Statement, ...], times: list[int], question: Question) -> Stand:
    now = _at(statements, times[-1], question)
    if now.answer is Answer.UNSPECIFIED:
        return now
    since_ms = times[-1]
    for time_ms in reversed(times):
        if _at(statements, time_ms, question).answer is not now.answer:
            break
        since_ms = time_ms
    return Stand(now.answer, now.strength, since_ms, now.outcome_id, now.fraud_type)


def _at(statements: tuple[Statement, ...], time_ms: int, question: Question) -> Stand:
    """Return what stood at one time, with that time as `since_ms`."""
    found = Stand()
    rank: tuple[int, int, bool, str] | None = None
    for one in statements:
        answer, strength = said(one.type, one.source, question)
        if answer is Answer.UNSPECIFIED or not one.holds_at(time_ms):
            continue
        own = (strength, one.report_time_ms, answer is Answer.YES, one.outcome_id)
        if rank is None or own > rank:
            rank, found = own, Stand(answer, strength, time_ms, one.outcome_id, one.fraud_type)
    return found
