"""What a story file may say. Every fault is told at once, with file, line and column."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from fanzha.checked_yaml import Document, read_document
from fanzha.domain.transfer import AMOUNT_MINOR_MAX
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    DecisionKind,
    DegradedPart,
    FraudType,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
    WatchlistGrade,
    WatchlistKind,
)
from fanzha.file_shape import Shape, named
from fanzha.policy.degraded import CODE_OF
from fanzha.policy.load import (
    ESSENTIAL_CODE,
    SCORE_CONFIRM_CODE,
    SCORE_PAUSE_CODE,
    load_policy,
)

_POLICY = load_policy()
REASON_CODES = frozenset(
    rule.reason.code for rule in (*_POLICY.hard_rules, *_POLICY.other_rules) if rule.is_live
) | {ESSENTIAL_CODE, SCORE_CONFIRM_CODE, SCORE_PAUSE_CODE, *CODE_OF.values()}
"""Codes that an answer under the default policy can carry."""
_MINUTE_MS = 60_000
_UNIT_MS = {"minute": _MINUTE_MS, "hour": 60 * _MINUTE_MS, "day": 24 * 60 * _MINUTE_MS}


def _read_span(value: object) -> int:
    found = re.fullmatch(r"(\d{1,5}) (minute|hour|day)s?", value) if type(value) is str else None
    if found is None:
        raise ValueError("must be a time such as 40 minutes, 3 hours or 12 days")
    return int(found[1]) * _UNIT_MS[found[2]]


def _read_yuan(value: object) -> int:
    minor = round(value * 100) if type(value) in (int, float) else 0
    if not 0 < minor <= AMOUNT_MINOR_MAX or abs(minor - value * 100) > 1e-6 * minor:
        raise ValueError("must be yuan above 0, with at most two decimals")
    return minor


Span = Annotated[int, BeforeValidator(_read_span)]
"""Milliseconds; written as a number and minutes, hours or days."""
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
"""Somebody or something of the story; runners make an identifier of it."""
Yuan = Annotated[int, BeforeValidator(_read_yuan)]
"""Minor units; written in yuan."""
Signal = Literal[
    "call_in_progress",
    "screen_shared",
    "remote_control",
    "new_device",
    "new_e_channel",
    "limit_just_raised",
]


class PartyPart(Shape):
    """One side of the transfer; what is left out is not known to the bank."""

    account: Name
    person: Name | None = None
    phone: Name | None = None
    type: Annotated[PartyType, named(PartyType)] | None = None
    segment: Annotated[CustomerSegment, named(CustomerSegment)] | None = None
    account_age: Span | None = None


class TransferPart(Shape):
    """The transfer that is judged."""

    kind: Annotated[TransferKind, named(TransferKind)] = TransferKind.TRANSFER
    channel: Annotated[Channel, named(Channel)]
    amount: Yuan
    balance: Yuan | None = None
    at: str = Field(
        default="14:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="local time, as 21:05"
    )
    speed: Annotated[TransferSpeed, named(TransferSpeed)] | None = None
    same_owner: bool | None = None
    same_bank: bool | None = None
    name_match: Annotated[NameMatch, named(NameMatch)] | None = None
    remark: str = ""
    device: Name | None = None
    session: list[Signal] | None = Field(
        default=None, description="signals seen; the others were not. Left out: nothing is known"
    )


class PaymentPart(Shape):
    """An earlier payment that was carried out."""

    payer: Name
    payee: Name | None = None
    amount: Yuan
    before: Span = Field(description="how long before the transfer")
    kind: Annotated[TransferKind, named(TransferKind)] = TransferKind.TRANSFER
    channel: Annotated[Channel, named(Channel)] = Channel.MOBILE
    fraud: Annotated[FraudType, named(FraudType)] | None = Field(
        default=None, description="it was confirmed as fraud of this type at once"
    )


class EntryPart(Shape):
    """A list entry."""

    kind: Annotated[WatchlistKind, named(WatchlistKind)]
    name: Name = Field(description="account, person, phone or device of the story")
    grade: Annotated[WatchlistGrade, named(WatchlistGrade)] | None = None
    expired: Span | None = Field(default=None, description="it ended so long before the transfer")
    begins: Span | None = Field(default=None, description="it begins so long after the transfer")


class GivenPart(Shape):
    """What was so before the bank decides."""

    transfer: TransferPart
    payer: PartyPart
    payee: PartyPart | None = None
    history: list[PaymentPart] = Field(default=[])
    lists: list[EntryPart] = Field(default=[])
    score: int | None = Field(
        default=None, ge=0, le=1000, description="points, in place of the default model's own"
    )


class WhenPart(Shape):
    """What is broken meanwhile."""

    redis: Literal["away"] | None = None
    lacks: list[Literal["payer_history", "payee_history", "lists", "journal"]] = Field(
        default=[], description="parts that cannot be had, while the others can"
    )
    model: Literal["missing"] | None = None
    disk: Literal["full"] | None = None


class ThenPart(Shape):
    """What the bank must answer; what is left out may be anything."""

    decision: Annotated[DecisionKind, named(DecisionKind)] | None = None
    at_least: Annotated[DecisionKind, named(DecisionKind)] | None = None
    at_most: Annotated[DecisionKind, named(DecisionKind)] | None = None
    reasons: list[str] = Field(default=[], description="codes that must be among the reasons")
    not_reasons: list[str] = Field(default=[], description="codes that must not be among them")
    prompt: str | None = Field(default=None, description="id in the prompt catalogue")
    fraud_type: Annotated[FraudType, named(FraudType)] | None = None
    hold_hours: int | None = None
    degraded: list[Annotated[DegradedPart, named(DegradedPart)]] = Field(default=[])
    customer_reads: list[str] = Field(default=[], description="words that the customer must read")
    customer_never_reads: list[str] = Field(default=[])


class Story(Shape):
    """One story."""

    story: Annotated[str, StringConstraints(min_length=20, strip_whitespace=True)] = Field(
        description="what happens, in a sentence or two"
    )
    given: GivenPart
    when: WhenPart = WhenPart()
    then: ThenPart

    @property
    def needs_fakes(self) -> bool:
        """Say whether only fakes can arrange it: a fault, or points of the story's own."""
        return self.when != WhenPart() or self.given.score is not None


def load_story(path: Path) -> Story:
    """Read a story.

    Raises:
        FileRefusedError: the file has faults; names the file and all of them.

    """
    document = read_document(path)
    story = document.parse(Story)
    if story is not None:
        _check_lists(document, story.given)
        _check_then(document, story.then)
    document.refuse_if_faulty()
    assert story is not None
    return story


def _check_lists(document: Document, given: GivenPart) -> None:
    people = _names(given)
    for index, entry in enumerate(given.lists):
        if entry.name not in people:
            text = f"nobody in the story is named {entry.name}; names: {', '.join(people)}"
            document.fault(("given", "lists", index, "name"), text)


def _check_then(document: Document, then: ThenPart) -> None:
    if not (then.decision or then.at_least or then.at_most):
        text = "then names no decision; add decision, at_least or at_most"
        document.fault(("then",), text, on_key=True)
    for key, codes in (("reasons", then.reasons), ("not_reasons", then.not_reasons)):
        for index, code in enumerate(codes):
            if code not in REASON_CODES:
                close = get_close_matches(code, REASON_CODES, 1)
                hint = f"did you mean {close[0]}?" if close else "look into the policy"
                text = f"no live rule of the policy gives the reason {code}; {hint}"
                document.fault(("then", key, index), text)


def _names(given: GivenPart) -> list[str]:
    parties = [party for party in (given.payer, given.payee) if party is not None]
    names = [name for party in parties for name in (party.account, party.person, party.phone)]
    return [name for name in (*names, given.transfer.device) if name]
