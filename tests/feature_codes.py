"""What the numbers of features that are codes stand for, as docs/reference/features.md says it."""

from enum import IntEnum

from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
    WatchlistGrade,
)

CODES: dict[str, type[IntEnum]] = {
    "kind": TransferKind,
    "channel": Channel,
    "speed": TransferSpeed,
    "payer_type": PartyType,
    "payer_segment": CustomerSegment,
    "payee_type": PartyType,
    "payee_open_channel": Channel,
    "payee_name_match": NameMatch,
    "payer_list_grade": WatchlistGrade,
    "payee_list_grade": WatchlistGrade,
    "contact_list_grade": WatchlistGrade,
}


def codes_of(name: str) -> str:
    """Return the numbers that a feature of codes takes; empty for all others."""
    if name not in CODES:
        return ""
    # Number 0 is what was not said, and that is NaN; only no entry at all is a grade.
    none = ["none 0"] if CODES[name] is WatchlistGrade else []
    return ", ".join(none + [f"{member.name} {member.value}" for member in CODES[name] if member])
