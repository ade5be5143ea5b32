"""What is known about a transfer when it is judged. Missing parts are values, not exceptions."""

from enum import IntEnum
from typing import Final

from fanzha.domain.decision import Decision
from fanzha.domain.light import light_dataclass
from fanzha.domain.transfer import LINK_COUNT
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind


@light_dataclass(frozen=True, slots=True)
class AccountState:
    """History of one account, as packed by `fanzha.features.layout`.

    Every change of an account's state raises `seq` by one, so that a state is named by it.
    """

    seq: int = 0
    out_ring: bytes = b""
    """Payments out, newest first."""
    in_ring: bytes = b""
    """Money in, newest first."""
    pair: bytes = b""
    """Memory of paying this counterparty; empty when never paid."""
    reports: bytes = b""
    """Confirmed fraud reports that name the account, newest first."""
    hours: bytes = b""
    days: bytes = b""
    """Exact totals by local hour and day, newest first."""


@light_dataclass(frozen=True, slots=True)
class LinkState:
    """Accounts seen with one device, phone or person, as packed by `fanzha.features.layout`."""

    seq: int = 0
    seen: bytes = b""


NO_LINKS: Final[tuple[LinkState | None, ...]] = (None,) * LINK_COUNT
"""Nothing is known of any link."""


class ListSubject(IntEnum):
    """Which part of the transfer a list entry names."""

    UNSPECIFIED = 0
    PAYER_ACCOUNT = 1
    PAYEE_ACCOUNT = 2
    PAYER_PHONE = 3
    PAYEE_PHONE = 4
    PAYER_PERSON = 5
    PAYEE_PERSON = 6
    DEVICE = 7


@light_dataclass(frozen=True, slots=True)
class WatchlistEntry:
    """One entry of a watchlist or of the verified biller registry, in effect within its validity.

    `proposed_by` and `approved_by` are two different people. Times are milliseconds since 1970 UTC;
    `valid_until_ms` is exclusive.
    """

    kind: WatchlistKind
    grade: WatchlistGrade
    source: str
    case_number: str
    legal_basis: str
    valid_from_ms: int
    valid_until_ms: int
    proposed_by: str
    approved_by: str


@light_dataclass(frozen=True, slots=True)
class ListHit:
    """A list entry in effect that names a part of the transfer."""

    subject: ListSubject
    entry: WatchlistEntry


@light_dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that `gather` could find."""

    payer: AccountState | None
    """None: could not be read."""
    payee: AccountState | None
    """None: could not be read, or the transfer has no payee."""
    list_hits: tuple[ListHit, ...] | None
    """None: lists could not be read."""
    lists_version: str
    links: tuple[LinkState | None, ...] = NO_LINKS
    """One for each link of the transfer, in the order of `link_tokens`; None: not given, or could
    not be read."""
    has_all_lists: bool = True
    """Whether the lists could be read for all parts of the transfer; hits that are known count."""
    stored: Decision | None = None
    """The answer given to the same request id and body within the idempotency window."""
    earlier_decision_id: str = ""
    """The decision given to the same request id before the window."""
