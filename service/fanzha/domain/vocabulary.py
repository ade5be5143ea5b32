"""The closed vocabularies; numbers equal those in proto/fanzha/v1 (a contract test compares)."""

from enum import IntEnum
from typing import TypeVar

V = TypeVar("V", bound=IntEnum)


def word_of(member: IntEnum) -> str:
    """Return how files write a member of a vocabulary: `Channel.SMART_TELLER` is smart_teller."""
    return member.name.lower()


def words_of(vocabulary: type[V]) -> dict[str, V]:
    """Return a vocabulary by its words, in the order of its numbers, without UNSPECIFIED."""
    return {word_of(member): member for member in vocabulary if member != 0}


class TransferKind(IntEnum):
    """What the customer wants to do."""

    UNSPECIFIED = 0
    TRANSFER = 1
    CASH_WITHDRAWAL = 2
    GOLD_PURCHASE = 3
    OVERSEAS_USE = 4
    LOAN_PAYOUT = 5
    DEPOSIT_BREAK = 6


KINDS_WITH_PAYEE = frozenset(
    {TransferKind.TRANSFER, TransferKind.LOAN_PAYOUT, TransferKind.DEPOSIT_BREAK}
)
"""Kinds that move money into an account, which must be named."""


class Channel(IntEnum):
    """Where the customer meets the bank."""

    UNSPECIFIED = 0
    COUNTER = 1
    ATM = 2
    SMART_TELLER = 3
    MOBILE = 4
    ONLINE = 5


class TransferSpeed(IntEnum):
    """How fast the money is to arrive (银发〔2016〕261号)."""

    UNSPECIFIED = 0
    REAL_TIME = 1
    NORMAL = 2
    NEXT_DAY = 3


class PartyType(IntEnum):
    """What kind of party stands behind an account."""

    UNSPECIFIED = 0
    PERSON = 1
    COMPANY = 2
    PAYMENT_INSTITUTION = 3
    VIRTUAL_ASSET_MERCHANT = 4
    BILLER = 5


class CustomerSegment(IntEnum):
    """Customer groups; they choose wording and thresholds, never a restriction alone."""

    UNSPECIFIED = 0
    STUDENT = 1
    WORKER = 2
    CORPORATE_FINANCE = 3
    RETIRED = 4
    SHOP_KEEPER = 5
    UNEMPLOYED = 6
    OTHER = 7


class NameMatch(IntEnum):
    """Result of comparing the payee's name with the account's holder."""

    UNSPECIFIED = 0
    MATCH = 1
    CLOSE = 2
    NO_MATCH = 3
    UNAVAILABLE = 4


class FraudType(IntEnum):
    """Types of telecom and online fraud."""

    UNSPECIFIED = 0
    TASK_REBATE = 1
    FAKE_INVESTMENT = 2
    FAKE_SHOPPING = 3
    FAKE_CUSTOMER_SERVICE = 4
    FAKE_LOAN = 5
    FAKE_CREDIT_REPAIR = 6
    IMPERSONATED_ACQUAINTANCE = 7
    IMPERSONATED_AUTHORITY = 8
    ROMANCE = 9
    GAME_TRADE = 10
    TICKET_REFUND = 11
    SEXTORTION = 12
    CASH_OR_GOLD_HANDOVER = 13


class DecisionKind(IntEnum):
    """What the channel has to do, ordered by severity (反电信网络诈骗法 art. 18)."""

    UNSPECIFIED = 0
    ALLOW = 1
    CONFIRM = 2
    PAUSE = 3
    BLOCK = 4


class AlertLevel(IntEnum):
    """Alert level; each belongs to one decision."""

    UNSPECIFIED = 0
    NONE = 1
    BLUE = 2
    YELLOW = 3
    RED = 4


class DegradedPart(IntEnum):
    """A part of the evidence or of the record that was missing."""

    UNSPECIFIED = 0
    PAYER_HISTORY = 1
    PAYEE_HISTORY = 2
    LISTS = 3
    MODEL = 4
    JOURNAL = 5
    POLICY = 6


class DecisionSource(IntEnum):
    """Where a decision was found."""

    UNSPECIFIED = 0
    STORE = 1
    ARCHIVE = 2


class ExecutionStatus(IntEnum):
    """What the bank did with the money. UNSPECIFIED: not reported."""

    UNSPECIFIED = 0
    POSTED = 1
    FAILED = 2
    REVERSED = 3


class OutcomeType(IntEnum):
    """What a transfer turned out to be."""

    UNSPECIFIED = 0
    CONFIRMED_FRAUD = 1
    CONFIRMED_LEGITIMATE = 2
    STOPPED_BY_TELLER = 3
    CUSTOMER_CANCELLED = 4
    CUSTOMER_INSISTED = 5
    VICTIM_REFUSED_ADVICE = 6
    MULE_CONFIRMED = 7
    UNKNOWN = 8


class OutcomeSource(IntEnum):
    """Who states an outcome."""

    UNSPECIFIED = 0
    POLICE = 1
    BANK_REVIEW = 2
    TELLER = 3
    CUSTOMER = 4
    CHANNEL = 5
    OTHER_BANK = 6


class Answer(IntEnum):
    """What outcomes say to a question. UNDECIDED: silence proves nothing any more."""

    UNSPECIFIED = 0
    YES = 1
    NO = 2
    UNDECIDED = 3


class Strength(IntEnum):
    """How firm a statement is. The firmest stands; among equals the newest."""

    UNSPECIFIED = 0
    HINT = 1
    DOUBT = 2
    CLAIM = 3
    DECISION = 4


class WatchlistKind(IntEnum):
    """What is listed."""

    UNSPECIFIED = 0
    ACCOUNT = 1
    PHONE = 2
    DEVICE = 3
    PERSON = 4
    VERIFIED_BILLER = 5


class WatchlistGrade(IntEnum):
    """How grave an entry is. Only INVOLVED (涉案) is hard evidence."""

    UNSPECIFIED = 0
    WATCH = 1
    SUSPICIOUS = 2
    INVOLVED = 3


class ListProposalState(IntEnum):
    """What became of a proposed change of the lists."""

    UNSPECIFIED = 0
    PENDING = 1
    APPLYING = 2
    """Approved, and not yet whole in effect."""
    APPROVED = 3
    REJECTED = 4
    EXPIRED = 5
