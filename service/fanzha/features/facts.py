"""The request as the kernel reads it: one int64 for each fact.

UNKNOWN stands for everything that the caller did not say; flags are 0 or 1; enums are their
numbers, with UNSPECIFIED as UNKNOWN. Training fills the same columns from tables, by name.
"""

from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.evidence import ListHit, ListSubject
from fanzha.domain.ids import counterparty_of
from fanzha.domain.transfer import Party, Transfer
from fanzha.domain.vocabulary import WatchlistKind

UNKNOWN: Final = -(2**63)

FACTS: Final = (
    "time_ms",
    "utc_offset_s",
    "amount_minor",
    "kind",
    "channel",
    "speed",
    "balance_before_minor",
    "payee_name_match",
    "payee_same_owner",
    "payee_same_bank",
    "payer_id",
    "payer_type",
    "payer_segment",
    "payer_open_day",
    "payer_open_channel",
    "payer_dual_recording_done",
    "payer_anti_fraud_app",
    "payee_id",
    "payee_type",
    "payee_segment",
    "payee_open_day",
    "payee_open_channel",
    "payee_dual_recording_done",
    "call_in_progress",
    "screen_shared",
    "remote_control",
    "new_device",
    "new_e_channel",
    "limit_just_raised",
    "payer_list_grade",
    "payee_list_grade",
    "contact_list_grade",
)
"""Names in order. `payer_id` and `payee_id` are the accounts' counterparty numbers; `*_list_grade`
is the gravest watchlist grade in effect, 0 for none, UNKNOWN when lists could not be read."""

(
    TIME_MS,
    UTC_OFFSET_S,
    AMOUNT_MINOR,
    KIND,
    CHANNEL,
    SPEED,
    BALANCE_BEFORE_MINOR,
    PAYEE_NAME_MATCH,
    PAYEE_SAME_OWNER,
    PAYEE_SAME_BANK,
    PAYER_ID,
    PAYER_TYPE,
    PAYER_SEGMENT,
    PAYER_OPEN_DAY,
    PAYER_OPEN_CHANNEL,
    PAYER_DUAL_RECORDING_DONE,
    PAYER_ANTI_FRAUD_APP,
    PAYEE_ID,
    PAYEE_TYPE,
    PAYEE_SEGMENT,
    PAYEE_OPEN_DAY,
    PAYEE_OPEN_CHANNEL,
    PAYEE_DUAL_RECORDING_DONE,
    CALL_IN_PROGRESS,
    SCREEN_SHARED,
    REMOTE_CONTROL,
    NEW_DEVICE,
    NEW_E_CHANNEL,
    LIMIT_JUST_RAISED,
    PAYER_LIST_GRADE,
    PAYEE_LIST_GRADE,
    CONTACT_LIST_GRADE,
) = range(len(FACTS))

_PACKED: Final = Struct(f"<{len(FACTS)}q")
_NO_PARTY: Final = Party(account=b"")
_CONTACT_SUBJECTS: Final = frozenset(
    {
        ListSubject.PAYER_PHONE,
        ListSubject.PAYEE_PHONE,
        ListSubject.PAYER_PERSON,
        ListSubject.PAYEE_PERSON,
        ListSubject.DEVICE,
    }
)
_PAYER: Final = frozenset({ListSubject.PAYER_ACCOUNT})
_PAYEE: Final = frozenset({ListSubject.PAYEE_ACCOUNT})


def _gravest(hits: tuple[ListHit, ...], subjects: frozenset[ListSubject], otherwise: int) -> int:
    return max(
        (
            int(hit.entry.grade)
            for hit in hits
            if hit.subject in subjects and hit.entry.kind != WatchlistKind.VERIFIED_BILLER
        ),
        default=otherwise,
    )


def packed_facts(
    transfer: Transfer,
    list_hits: tuple[ListHit, ...] | None,
    utc_offset_s: int,
    *,
    has_all_lists: bool = True,
) -> bytes:
    """Return the facts of a valid transfer as little-endian int64, in the order of FACTS.

    Args:
        transfer: the transfer.
        list_hits: list entries in effect, None when lists could not be read.
        utc_offset_s: the bank's offset from UTC at the transfer's time, in seconds.
        has_all_lists: whether nothing but `list_hits` is in effect; else what they do not name is
            unknown.

    """
    payer, payee, session = transfer.payer, transfer.payee or _NO_PARTY, transfer.session
    none_listed = UNKNOWN if list_hits is None or not has_all_lists else 0
    payer_grade = payee_grade = contact_grade = none_listed
    if list_hits:
        payer_grade = _gravest(list_hits, _PAYER, none_listed)
        payee_grade = _gravest(list_hits, _PAYEE, none_listed)
        contact_grade = _gravest(list_hits, _CONTACT_SUBJECTS, none_listed)
    values = (
        transfer.create_time_ms,
        utc_offset_s,
        transfer.base_amount_minor,
        transfer.kind,
        transfer.channel,
        transfer.speed or UNKNOWN,
        transfer.balance_before_minor,
        transfer.payee_name_match or UNKNOWN,
        transfer.payee_same_owner,
        transfer.payee_same_bank,
        counterparty_of(payer.account),
        payer.type or UNKNOWN,
        payer.segment or UNKNOWN,
        payer.open_day,
        payer.open_channel or UNKNOWN,
        payer.dual_recording_done,
        payer.anti_fraud_app,
        counterparty_of(payee.account) if payee.account else UNKNOWN,
        payee.type or UNKNOWN,
        payee.segment or UNKNOWN,
        payee.open_day,
        payee.open_channel or UNKNOWN,
        payee.dual_recording_done,
        session.call_in_progress,
        session.screen_shared,
        session.remote_control,
        session.new_device,
        session.new_e_channel,
        session.limit_just_raised,
        payer_grade,
        payee_grade,
        contact_grade,
    )
    return _PACKED.pack(*[UNKNOWN if value is None else value for value in values])


def request_facts(
    transfer: Transfer,
    list_hits: tuple[ListHit, ...] | None,
    utc_offset_s: int,
    *,
    has_all_lists: bool = True,
) -> npt.NDArray[np.int64]:
    """Return the facts of a valid transfer, int64 of shape (len(FACTS),); see `packed_facts`."""
    packed = packed_facts(transfer, list_hits, utc_offset_s, has_all_lists=has_all_lists)
    return np.frombuffer(packed, np.int64).copy()
