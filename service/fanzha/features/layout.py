"""How an account's history is laid out: the same bytes in Redis, in the journal and in the kernel.

Every change of an account's state is one record of five little-endian int64 (40 bytes):

| change        | 0        | 1              | 2                  | 3            | 4                |
|---------------|----------|----------------|--------------------|--------------|------------------|
| ATTEMPT       | event id | event time ms  | base amount, minor | counterparty | flags            |
| RECEIVE       | event id | event time ms  | base amount, minor | counterparty | flags            |
| EXECUTION_OUT | event id | event time ms  | status, status was | counterparty | executed at ms   |
| EXECUTION_IN  | event id | event time ms  | status, status was | counterparty | executed at ms   |
| REPORT        | event id | happened at ms | fraud type, role   | counterparty | reported at ms   |

ATTEMPT and RECEIVE records are kept, newest first, in the ring of payments out and the ring of
money in; REPORT records in the ring of reports. EXECUTION_OUT changes the status byte of the event
with its id where the ring of payments out still holds it, and the pair memory; EXECUTION_IN the
status byte in the ring of money in. Where a column holds two values, they are its lowest bytes.
Flags are bytes, from the lowest: channel, kind, decision, execution status, type of the
counterparty.

A pair record is four int64: counterparty, first and last time paid (event time, ms), times paid.
Payments count as paid when they are reported as posted; the memory holds the most recent pairs.
"""

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

EVENT_ID, TIME, AMOUNT, COUNTERPARTY, FLAGS = range(RING_COLUMNS)
REPORT_TIME = 4
"""Column of a REPORT that says when the fraud became known."""
REPORT_KIND = 2
EXECUTION_KIND = 2
PAIR_COUNTERPARTY, PAIR_FIRST, PAIR_LAST, PAIR_TIMES = range(PAIR_COLUMNS)


_RECORD = Struct("<5q")


class Change(IntEnum):
    """Changes of an account's state."""

    UNSPECIFIED = 0
    ATTEMPT = 1
    RECEIVE = 2
    EXECUTION_OUT = 3
    EXECUTION_IN = 4
    REPORT = 5


class ReportRole(IntEnum):
    """What a confirmed fraud report says of the account that it names."""

    UNSPECIFIED = 0
    VICTIM = 1
    MULE = 2


def pack_flags(
    channel: Channel, kind: TransferKind, decision: DecisionKind, counterparty_type: PartyType
) -> int:
    """Return the flags of a new event, whose execution is not yet reported."""
    return channel | kind << 8 | decision << 16 | counterparty_type << 32


def pack_event(event_id: int, time_ms: int, amount_minor: int, other: int, flags: int) -> bytes:
    """Return the 40 bytes of an ATTEMPT or RECEIVE."""
    return _RECORD.pack(event_id, time_ms, amount_minor, other, flags)


def pack_execution(
    event_id: int, event_time_ms: int, status: ExecutionStatus, other: int, execute_time_ms: int
) -> bytes:
    """Return the 40 bytes of an EXECUTION; the store fills in the status before."""
    return _RECORD.pack(event_id, event_time_ms, status, other, execute_time_ms)


def pack_report(
    event_id: int, happened_ms: int, fraud: FraudType, role: ReportRole, other: int, known_ms: int
) -> bytes:
    """Return the 40 bytes of a REPORT."""
    return _RECORD.pack(event_id, happened_ms, fraud | role << 8, other, known_ms)


def unpack_record(record: bytes) -> tuple[int, int, int, int, int]:
    """Return the five columns of a 40-byte record."""
    event_id, time_ms, amount, other, last = _RECORD.unpack(record)
    return event_id, time_ms, amount, other, last
