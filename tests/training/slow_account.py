"""One account's state kept in plain Python lists: slow, and independent of the fold under test."""

from fanzha.domain.evidence import AccountState
from fanzha.domain.vocabulary import ExecutionStatus
from fanzha.features.layout import (
    PAIRS,
    REPORT_EVENTS,
    RING_EVENTS,
    Change,
    pack_event,
    unpack_record,
)

Record = tuple[int, int, int, int, int]


class SlowAccount:
    def __init__(self) -> None:
        self.seq = 0
        self.out: list[Record] = []
        self.into: list[Record] = []
        self.reports: list[Record] = []
        self.pairs: list[Record] = []

    def apply(self, change: Change, packed: bytes) -> bytes:
        """Take one change; return its record with the execution status before filled in."""
        self.seq += 1
        record = unpack_record(packed)
        if change == Change.ATTEMPT:
            self.out = [record, *self.out][:RING_EVENTS]
        elif change == Change.RECEIVE:
            self.into = [record, *self.into][:RING_EVENTS]
        elif change == Change.REPORT:
            self.reports = [record, *self.reports][:REPORT_EVENTS]
        elif change == Change.EXECUTION_OUT:
            before = self._status_before(record[0])
            record = (record[0], record[1], record[2] & 0xFF | before << 8, record[3], record[4])
            self.out = [_with_status(event, record) for event in self.out]
            self._remember(record)
        else:
            self.into = [_with_status(event, record) for event in self.into]
        return pack_event(*record)

    def state(self, counterparty: int) -> AccountState:
        pair = next((pair for pair in self.pairs if pair[0] == counterparty), None)
        return AccountState(
            seq=self.seq,
            out_ring=b"".join(pack_event(*record) for record in self.out),
            in_ring=b"".join(pack_event(*record) for record in self.into),
            pair=b"" if pair is None else pack_event(*pair)[:32],
            reports=b"".join(pack_event(*record) for record in self.reports),
        )

    def _status_before(self, event_id: int) -> int:
        return next((event[4] >> 24 & 0xFF for event in self.out if event[0] == event_id), 0)

    def _remember(self, record: Record) -> None:
        status, before = record[2] & 0xFF, record[2] >> 8 & 0xFF
        posted = ExecutionStatus.POSTED
        if record[3] == 0 or (status == posted) == (before == posted):
            return
        old = next((pair for pair in self.pairs if pair[0] == record[3]), None)
        rest = [pair for pair in self.pairs if pair is not old]
        _, first, last, times, _ = old or (0, record[1], record[1], 0, 0)
        times += 1 if status == posted else -1
        if times > 0:
            new = (record[3], min(first, record[1]), max(last, record[1]), times, 0)
            rest = [new, *rest][:PAIRS]
        self.pairs = rest


def _with_status(event: Record, execution: Record) -> Record:
    if event[0] != execution[0]:
        return event
    flags = event[4] & ~(0xFF << 24) | (execution[2] & 0xFF) << 24
    return (event[0], event[1], event[2], event[3], flags)
