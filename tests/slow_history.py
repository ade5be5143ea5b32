"""States of accounts and links in plain Python: slow, and independent of the fold under test."""

from fanzha.domain.evidence import AccountState, LinkState
from fanzha.domain.vocabulary import ExecutionStatus
from fanzha.features.layout import (
    DAYS,
    HOURS,
    LINK_ACCOUNTS,
    PAIRS,
    REPORT_EVENTS,
    RING_EVENTS,
    Change,
    pack_event,
    unpack_record,
)

Record = tuple[int, int, int, int, int]
Totals = dict[int, list[int]]
"""Count and sum out, count and sum in, by the number of the period."""

OUT, IN = 0, 2


class SlowAccount:
    def __init__(self) -> None:
        self.seq = 0
        self.out: list[Record] = []
        self.into: list[Record] = []
        self.reports: list[Record] = []
        self.pairs: list[Record] = []
        self.hours: Totals = {}
        self.days: Totals = {}

    def apply(self, change: Change, packed: bytes) -> bytes:
        """Take one change; return its record with the execution status before filled in."""
        self.seq += 1
        record = unpack_record(packed)
        if change == Change.ATTEMPT:
            self.out = [record, *self.out][:RING_EVENTS]
            self._count(record, record[4] >> 40, record[2], OUT, _moved(record[4] >> 16))
        elif change == Change.RECEIVE:
            self.into = [record, *self.into][:RING_EVENTS]
            self._count(record, record[4] >> 40, record[2], IN, _moved(record[4] >> 16))
        elif change == Change.REPORT:
            self.reports = [record, *self._other_reports(record)][:REPORT_EVENTS]
        elif change == Change.RETRACT:
            self.reports = self._other_reports(record)
        elif change == Change.EXECUTION_OUT:
            before = self._status_before(record[0])
            execution = record[2] & ~0xFF00 | before << 8
            record = (record[0], record[1], execution, record[3], record[4])
            self.out = [_with_status(event, record) for event in self.out]
            self._remember(record)
            self._count(record, execution >> 24, record[4], OUT, _change_of(execution))
        else:
            self.into = [_with_status(event, record) for event in self.into]
            self._count(record, record[2] >> 24, record[4], IN, _change_of(record[2]))
        return pack_event(*record)

    def state(self, counterparty: int) -> AccountState:
        pair = next((pair for pair in self.pairs if pair[0] == counterparty), None)
        return AccountState(
            seq=self.seq,
            out_ring=b"".join(pack_event(*record) for record in self.out),
            in_ring=b"".join(pack_event(*record) for record in self.into),
            pair=b"" if pair is None else pack_event(*pair)[:32],
            reports=b"".join(pack_event(*record) for record in self.reports),
            hours=_packed(self.hours),
            days=_packed(self.days),
        )

    def _other_reports(self, record: Record) -> list[Record]:
        """Reports of other events, or of the other role."""
        key = (record[0], record[2] >> 8)
        return [held for held in self.reports if (held[0], held[2] >> 8) != key]

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

    def _count(self, record: Record, zone: int, amount: int, side: int, payments: int) -> None:
        local_ms = record[1] + ((zone & 0xFF) - 64) * 15 * 60_000
        for totals, span_ms, most in (
            (self.hours, 3_600_000, HOURS),
            (self.days, 86_400_000, DAYS),
        ):
            period = local_ms // span_ms
            if payments > 0 and period not in totals:
                totals[period] = [0, 0, 0, 0]
                if len(totals) > most:
                    del totals[min(totals)]
            if payments and period in totals:
                held = totals[period]
                held[side] = max(0, held[side] + payments)
                held[side + 1] = min(max(0, held[side + 1] + payments * amount), 2**63 - 1)


class SlowLink:
    def __init__(self) -> None:
        self.seq = 0
        self.seen: list[list[int]] = []

    def apply(self, change: Change, packed: bytes) -> bool:
        """Take a sighting, taint or clearing; return whether it said something new."""
        _, time_ms, since, account, _ = unpack_record(packed)
        old = next((row for row in self.seen if row[0] == account), None)
        if change == Change.CLEAR:
            if old is None or old[2] == since:
                return False
            old[2] = since
        elif old is not None:
            if not since or (old[2] and old[2] <= since):
                return False
            old[2] = since
        elif len(self.seen) < LINK_ACCOUNTS:
            self.seen = [[account, time_ms, since], *self.seen]
        else:
            others = [row for row in self.seen if not row[2]]
            if not since or not others:
                return False
            self.seen.remove(others[0])
            self.seen = [[account, time_ms, since], *self.seen]
        self.seq += 1
        return True

    def state(self) -> LinkState:
        return LinkState(self.seq, b"".join(pack_event(*row, 0, 0)[:24] for row in self.seen))


def _moved(status_and_decision: int) -> int:
    decision, status = status_and_decision & 0xFF, status_and_decision >> 8 & 0xFF
    return int(status == 1 or (status == 0 and decision <= 2))


def _change_of(execution: int) -> int:
    status, before, decision = (execution >> shift & 0xFF for shift in (0, 8, 16))
    return _moved(decision | status << 8) - _moved(decision | before << 8)


def _packed(totals: Totals) -> bytes:
    return b"".join(pack_event(period, *totals[period]) for period in sorted(totals, reverse=True))


def _with_status(event: Record, execution: Record) -> Record:
    if event[0] != execution[0]:
        return event
    flags = event[4] & ~(0xFF << 24) | (execution[2] & 0xFF) << 24
    return (event[0], event[1], event[2], event[3], flags)
