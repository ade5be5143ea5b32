"""What a fact declares about itself: what rules may name, and what "unknown" means for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from fanzha.domain.decision import Score
from fanzha.domain.evidence import Evidence
from fanzha.domain.transfer import Transfer

FactValue = bool | float | str

UNKNOWN_NUMBER: Final = float("nan")
"""What a rule sees for an unknown number: every comparison with it is false."""


class FactType(Enum):
    """Type of a fact in CEL. All numbers are doubles, so that unknown ones can be NaN."""

    BOOL = "BOOL"
    DOUBLE = "DOUBLE"
    STRING = "STRING"


class FactFamily(Enum):
    """Where facts come from. One atom of a rule speaks of one family only."""

    HARD = "hard"
    AMOUNT = "amount"
    SESSION = "session"
    CUSTOMER = "customer"
    PAYER_HISTORY = "payer_history"
    PAIR = "pair"
    PAYER_MULE = "payer_mule"
    PAYEE_MULE = "payee_mule"
    KNOWN_FRAUD = "known_fraud"
    LINKS = "links"
    LISTS = "lists"
    SCORE = "score"
    CHANNEL = "channel"
    PARTY = "party"
    CALENDAR = "calendar"
    OUTAGE = "outage"


CONTEXT_FAMILIES: Final = frozenset(
    {FactFamily.CHANNEL, FactFamily.PARTY, FactFamily.CALENDAR, FactFamily.OUTAGE}
)
"""Families that say where, who, when and how well we see, but nothing about fraud. They narrow a
rule; they do not count among the two families that a PAUSE needs."""


class Sources(NamedTuple):
    """Everything that facts are read from. `vector`: features in the order of the manifest."""

    transfer: Transfer
    evidence: Evidence
    score: Score | None
    vector: Sequence[float]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that rules may name."""

    name: str
    family: FactFamily
    type: FactType
    meaning: str
    unknown: str
    """When the fact is unknown."""
    unknown_value: FactValue
    """What a rule sees then; no atom that holds for it counts as evidence."""
    ordinary: FactValue
    """Value of an ordinary, harmless transfer; no atom that holds for it counts as evidence."""
    read: Callable[[Sources], FactValue]
    feature: str = ""
    """Feature that the value comes from; empty when it comes from elsewhere."""
    codes: Mapping[float, FactValue] | None = field(default=None, hash=False)
    """What the feature's numbers say; any other one is unknown. None: a number, as it is."""


def flag_fact(
    name: str,
    family: FactFamily,
    read: Callable[[Sources], bool],
    *,
    meaning: str,
    unknown: str,
) -> Fact:
    """Return a fact that is true only when it is known to be."""
    return Fact(
        name,
        family,
        FactType.BOOL,
        meaning,
        unknown,
        unknown_value=False,
        ordinary=False,
        read=read,
    )


def number_fact(
    name: str,
    family: FactFamily,
    read: Callable[[Sources], float],
    *,
    meaning: str,
    unknown: str,
    ordinary: float,
    feature: str = "",
) -> Fact:
    """Return a fact that is NaN when it is unknown."""
    return Fact(
        name, family, FactType.DOUBLE, meaning, unknown, UNKNOWN_NUMBER, ordinary, read, feature
    )


def coded_fact(
    name: str,
    family: FactFamily,
    codes: Mapping[float, FactValue],
    place: int,
    *,
    meaning: str,
    unknown: str,
    ordinary: bool | str,
    feature: str,
) -> Fact:
    """Return a flag, or the name of an enum's member, that a feature says as a number.

    Args:
        name: the fact's name.
        family: where it comes from.
        codes: what each number says.
        place: the feature's place in the vector.
        meaning: what it says.
        unknown: when it is unknown; a flag is false then, a name empty.
        ordinary: value of an ordinary, harmless transfer.
        feature: the feature's name.

    """
    kind = FactType.STRING if isinstance(ordinary, str) else FactType.BOOL
    nothing: FactValue = "" if kind is FactType.STRING else False
    return Fact(
        name,
        family,
        kind,
        meaning,
        unknown,
        nothing,
        ordinary,
        lambda sources: codes.get(sources.vector[place], nothing),
        feature,
        codes,
    )
