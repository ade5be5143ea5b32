"""One attempt to move money, as it flows behind the door: tokens instead of identifiers."""

from dataclasses import field, fields
from typing import Final

from fanzha.domain.errors import FieldFault
from fanzha.domain.light import light_dataclass
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
)

AMOUNT_MINOR_MAX = 10**15
"""Largest amount in minor units: 10 trillion yuan. Keeps every sum over a ring below 2**63."""


@light_dataclass(frozen=True, slots=True)
class Party:
    """One side of a transfer. Tokens are 16 bytes; None and UNSPECIFIED mean unknown."""

    account: bytes
    account_ref: str = ""
    account_masked: str = ""
    person: bytes | None = None
    phone: bytes | None = None
    type: PartyType = PartyType.UNSPECIFIED
    segment: CustomerSegment = CustomerSegment.UNSPECIFIED
    open_day: int | None = None
    """Day on which the account was opened, in days since 1970-01-01."""
    open_channel: Channel = Channel.UNSPECIFIED
    dual_recording_done: bool | None = None
    anti_fraud_app: bool | None = None


@light_dataclass(frozen=True, slots=True)
class Session:
    """What the channel knows about device and session. None means unknown."""

    device: bytes | None = None
    call_in_progress: bool | None = None
    screen_shared: bool | None = None
    remote_control: bool | None = None
    new_device: bool | None = None
    new_e_channel: bool | None = None
    limit_just_raised: bool | None = None


NO_SESSION: Final = Session()
"""Nothing is known of any."""
SESSION_FLAGS: Final = tuple(field.name for field in fields(Session) if field.name != "device")
"""What the channel knows as yes or no."""


@light_dataclass(frozen=True, slots=True)
class Transfer:
    """One attempt. Only `pipeline.validate` hands it on as valid.

    Amounts are integer minor units, 1 to `AMOUNT_MINOR_MAX`; times are milliseconds since 1970 UTC.
    """

    caller: str
    """Name of the calling client; with the payer it scopes `request_id`."""
    request_id: str
    request_digest: bytes
    """Keyed 16-byte hash of the request's body."""
    transfer_id: str
    kind: TransferKind
    channel: Channel
    create_time_ms: int
    currency: str
    amount_minor: int
    base_amount_minor: int
    """The amount in the deployment's base currency; every feature and rule uses this one."""
    payer: Party
    payee: Party | None = None
    speed: TransferSpeed = TransferSpeed.UNSPECIFIED
    payee_same_owner: bool | None = None
    payee_same_bank: bool | None = None
    payee_name_match: NameMatch = NameMatch.UNSPECIFIED
    remark: str = ""
    """Free text with identifiers redacted."""
    balance_before_minor: int | None = None
    session: Session = field(default_factory=Session)
    branch_id: str = ""
    terminal_id: str = ""


BRINGS_OWN_DEVICE = frozenset({Channel.MOBILE, Channel.ONLINE})
"""Channels in which the device is the customer's own; a teller terminal is everybody's."""


LINK_COUNT = 5
LINKS_OF_PAYER = 3
"""So many of a transfer's links belong to the payer's account, the others to the payee's."""


def link_tokens(transfer: Transfer) -> tuple[bytes | None, ...]:
    """Return the tokens by which accounts hang together, in the order of the features' links.

    Device, payer's phone and person, payee's phone and person; None where one is not given.
    """
    payer, payee = transfer.payer, transfer.payee
    device = transfer.session.device if transfer.channel in BRINGS_OWN_DEVICE else None
    if payee is None or not payee.account:
        return device, payer.phone, payer.person, None, None
    return device, payer.phone, payer.person, payee.phone, payee.person


@light_dataclass(frozen=True, slots=True)
class TransferDraft:
    """A transfer as it came through the door, not yet judged valid.

    It keeps what only the door can see: faults of raw identifiers, which are tokens behind it, and
    the currencies of amounts of which the transfer keeps the number alone.
    """

    transfer: Transfer
    base_amount_currency: str = ""
    """Currency of the base amount as given, empty when none was given."""
    balance_currency: str = ""
    faults: tuple[FieldFault, ...] = ()
