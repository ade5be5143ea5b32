"""What the numbers of features that are codes stand for."""

from enum import IntEnum
from typing import Final

from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
    WatchlistGrade,
)

CODES: Final[dict[str, type[IntEnum]]] = {
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
