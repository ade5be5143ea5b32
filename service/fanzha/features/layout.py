"""How history is laid out: the same bytes in Redis, in the journal and in the kernel.

Every change of a subject's state is one record of five little-endian int64 (40 bytes). A subject is
an account, or a link: a device, phone or person that accounts share.

| change        | 0        | 1              | 2                  | 3            | 4                |
|---------------|----------|----------------|--------------------|--------------|------------------|
| ATTEMPT       | event id | event time ms  | base amount, minor | counterparty | flags            |
| RECEIVE       | event id | event time ms  | base amount, minor | counterparty | flags            |
| EXECUTION_OUT | event id | event time ms  | execution          | counterparty | base amount      |
| EXECUTION_IN  | event id | event time ms  | execution          | counterparty | base amount      |
| REPORT        | event id | happened at ms | fraud type, role   | counterparty | reported at ms   |
| RETRACT       | event id | happened at ms | fraud type, role   | counterparty | taken back at ms |
| SIGHTING      | event id | event time ms  | mule since ms      | account      | account's seq    |
| TAINT         | event id | happened at ms | mule since ms      | account      | account's seq    |
| CLEAR         | event id | happened at ms | mule since ms      | account      | account's seq    |

ATTEMPT and RECEIVE records are kept, the last to arrive first, in the ring of payments out and the
ring of money in; REPORT records in the ring of reports, one for each event and role; RETRACT takes
that one out again, when it no longer stands. EXECUTION_OUT changes the status byte of the event
with its id where the ring of payments out still holds it, and the pair memory; EXECUTION_IN the
status byte in the ring of money in.

Several values in a column are its bytes, from the lowest. Flags: channel, kind, decision, execution
status, type of the counterparty, zone, owner. Execution: status, status before, decision, zone.
The zone is the bank's offset from UTC at the event in quarters of an hour, plus 64; the owner is a
number of `Owner`. They make a record say by itself what it counts for.

**Pair memory**: four int64 a pair: counterparty, first and last time paid (event time, ms), times
paid. Payments count as paid when they are reported as posted; it holds the most recent pairs.

**Totals**: five int64 a period: number of the local hour (or day) since 1970-01-01, and count and
sum of payments out, count and sum of money in, all as far as they are paid. ATTEMPT and RECEIVE
add, EXECUTION adds or takes away what its status changes. They hold the newest 24 hours and the
newest 31 days in which there was something, the newest first; sums stay within 0 and 2**63 - 1.

**Link memory**: three int64 an account: account, first seen with it (event time, ms), mule since
(0: not known as one). Those that came last come first. SIGHTING and TAINT bring an account in, or
set since when it is known as a mule's: the earliest that was said. A full memory takes in accounts
known as mules' alone, each in place of the one that came last of those that are not. CLEAR sets
since when an account that it holds is known as a mule's to exactly what it says: later, or 0, after
a report no longer stands. Changes of links name the sequence of the account's state that they were
made from, so that the store can tell which of two that overtook each other is the newer one.
"""

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct

from fanzha.domain.vocabulary import (
    Channel,
    DecisionKind,
    ExecutionStatus,
    FraudType,
    PartyType,
    TransferKind,
)

RING_EVENTS = 48
RING_COLUMNS = 5
REPORT_EVENTS = 16
PAIRS = 256
PAIR_COLUMNS = 4
HOURS = 24
DAYS = 31
LINK_ACCOUNTS = 32
LINK_COLUMNS = 3
LINKS_OF_ACCOUNT = 8
"""So many links an account tells of what becomes known of it: those that learned of it last."""

EVENT_ID, TIME, AMOUNT, COUNTERPARTY, FLAGS = range(RING_COLUMNS)
REPORT_TIME = 4
"""Column of a REPORT that says when the fraud became known."""
REPORT_KIND = 2
EXECUTION_KIND = 2
EXECUTION_AMOUNT = 4
PAIR_COUNTERPARTY, PAIR_FIRST, PAIR_LAST, PAIR_TIMES = range(PAIR_COLUMNS)
PERIOD, OUT_COUNT, OUT_SUM, IN_COUNT, IN_SUM = range(RING_COLUMNS)
MULE_SINCE = 2
"""Column of a SIGHTING, TAINT or CLEAR."""
LINK_ACCOUNT, LINK_FIRST, LINK_MULE_SINCE = range(LINK_COLUMNS)

_ZONE_QUARTER_S = 900
_ZONE_BIAS = 64

_RECORD = Struct("<5q")


class Change(IntEnum):
    """Changes of a subject's state."""

    UNSPECIFIED = 0
    ATTEMPT = 1
    RECEIVE = 2
    EXECUTION_OUT = 3
    EXECUTION_IN = 4
    REPORT = 5
    SIGHTING = 6
    TAINT = 7
    RETRACT = 8
    CLEAR = 9


class Owner(IntEnum):
    """Whether both accounts of a transfer belong to one owner."""

    UNSPECIFIED = 0
    DIFFERENT = 1
    SAME = 2


class ReportRole(IntEnum):
    """What a confirmed fraud report says of the account that it names."""

    UNSPECIFIED = 0
    VICTIM = 1
    MULE = 2


def zone_byte(utc_offset_s: int) -> int:
    """Return how records write an offset from UTC (seconds, a multiple of a quarter of an hour)."""
    return utc_offset_s // _ZONE_QUARTER_S + _ZONE_BIAS


def pack_flags(
    channel: Channel,
    kind: TransferKind,
    decision: DecisionKind,
    counterparty_type: PartyType,
    utc_offset_s: int,
    *,
    same_owner: bool | None,
) -> int:
    """Return the flags of a new event, whose execution is not yet reported."""
    owner = Owner.SAME if same_owner else Owner.DIFFERENT
    if same_owner is None:
        owner = Owner.UNSPECIFIED
    return (
        channel
        | kind << 8
        | decision << 16
        | counterparty_type << 32
        | zone_byte(utc_offset_s) << 40
        | owner << 48
    )


def pack_event(event_id: int, time_ms: int, amount_minor: int, other: int, flags: int) -> bytes:
    """Return the 40 bytes of an ATTEMPT or RECEIVE."""
    return _RECORD.pack(event_id, time_ms, amount_minor, other, flags)


def pack_execution(change: bytes, status: ExecutionStatus) -> bytes:
    """Return the 40 bytes of an EXECUTION_OUT; the store fills in the status before.

    Args:
        change: the ATTEMPT that was executed.
        status: what the bank did with the money.

    """
    event_id, time_ms, amount_minor, other, flags = unpack_record(change)
    decision, zone = flags >> 16 & 0xFF, flags >> 40 & 0xFF
    return _RECORD.pack(
        event_id, time_ms, status | decision << 16 | zone << 24, other, amount_minor
    )


def pack_report(
    event_id: int, happened_ms: int, fraud: FraudType, role: ReportRole, other: int, known_ms: int
) -> bytes:
    """Return the 40 bytes of a REPORT, or of a RETRACT known at that time."""
    return _RECORD.pack(event_id, happened_ms, fraud | role << 8, other, known_ms)


def pack_link(
    event_id: int, time_ms: int, mule_since_ms: int, account: int, account_seq: int = 0
) -> bytes:
    """Return the 40 bytes of a SIGHTING, TAINT or CLEAR."""
    return _RECORD.pack(event_id, time_ms, mule_since_ms, account, account_seq)


_LINK_ROW = Struct("<3q")


def link_row(seen: bytes, account: int) -> tuple[int, int, int] | None:
    """Return what a link's memory holds of an account, None when it does not know it."""
    number = account.to_bytes(8, "little", signed=True)
    at = seen.find(number)
    while at % _LINK_ROW.size:
        # The same bytes across two columns, or nothing more.
        if at < 0:
            return None
        at = seen.find(number, at + 1)
    row: tuple[int, int, int] = _LINK_ROW.unpack_from(seen, at)
    return row


def has_news(seen: bytes, account: int, mule_since_ms: int) -> bool:
    """Say whether a sighting would change a link's memory."""
    row = link_row(seen, account)
    if row is None:
        return mule_since_ms > 0 or len(seen) < LINK_ACCOUNTS * _LINK_ROW.size
    return mule_since_ms > 0 and (row[2] == 0 or mule_since_ms < row[2])


def known_as_mule(reports: bytes) -> int:
    """Return since when (ms) a ring of reports names its account as a mule's, 0 for never."""
    if not reports:
        return 0
    since = [
        record[REPORT_TIME]
        for record in _RECORD.iter_unpack(reports)
        if record[REPORT_KIND] >> 8 & 0xFF == ReportRole.MULE
    ]
    return min(since, default=0)


def pack_record(columns: Sequence[int]) -> bytes:
    """Return the 40 bytes of five columns."""
    return _RECORD.pack(*columns)


def unpack_record(record: bytes) -> tuple[int, int, int, int, int]:
    """Return the five columns of a 40-byte record."""
    event_id, time_ms, amount, other, last = _RECORD.unpack(record)
    return event_id, time_ms, amount, other, last
