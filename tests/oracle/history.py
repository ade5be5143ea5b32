"""What is remembered of an account and of a link, change by change as they arrive."""

from dataclasses import dataclass, replace

from tests.oracle.records import Event, Report, moved_money
from tests.oracle.time import local_day, local_hour
from tests.oracle.totals import Totals

from fanzha.domain.vocabulary import ExecutionStatus

RING_EVENTS = 48
RING_REPORTS = 16
PAIRS = 256
HOURS = 24
DAYS = 31
LINK_ACCOUNTS = 32


@dataclass(frozen=True)
class Pair:
    """Payments to one payee that are known as posted."""

    first_ms: int
    last_ms: int
    times: int


class Account:
    """Rings, pair memory and exact totals."""

    def __init__(self) -> None:
        self.attempts: list[Event] = []
        """The last to arrive first, as in the other rings."""
        self.incoming: list[Event] = []
        self.reports: list[Report] = []
        self.pairs: dict[int, Pair] = {}
        """By payee; the one that changed last comes last."""
        self.hours = Totals(HOURS)
        self.days = Totals(DAYS)

    def payments(self) -> list[Event]:
        """Return what the ring holds of attempts that moved money."""
        return [event for event in self.attempts if event.moved_money]

    def receipts(self) -> list[Event]:
        """Return what the ring of money in holds that did come in."""
        return [event for event in self.incoming if event.moved_money]

    def attempt(self, event: Event) -> None:
        self.attempts = [event, *self.attempts][:RING_EVENTS]
        if event.moved_money:
            self.hours.count_paid(_hour(event), event.amount_minor)
            self.days.count_paid(_day(event), event.amount_minor)

    def receive(self, event: Event) -> None:
        self.incoming = [event, *self.incoming][:RING_EVENTS]
        if event.moved_money:
            self.hours.count_received(_hour(event), event.amount_minor)
            self.days.count_received(_day(event), event.amount_minor)

    def executed_out(self, event: Event, before: ExecutionStatus, after: ExecutionStatus) -> None:
        """Take in what became of an attempt, whether or not the ring still holds it."""
        self.attempts = [_executed(kept, event.event_id, after) for kept in self.attempts]
        posted = ExecutionStatus.POSTED
        if before != posted and after == posted:
            self._posted(event.other, event.time_ms)
        if before == posted and after != posted:
            self._no_longer_posted(event.other)
        counted, counts = moved_money(event.decision, before), moved_money(event.decision, after)
        if counts and not counted:
            self.hours.count_paid(_hour(event), event.amount_minor)
            self.days.count_paid(_day(event), event.amount_minor)
        if counted and not counts:
            self.hours.take_back_paid(_hour(event), event.amount_minor)
            self.days.take_back_paid(_day(event), event.amount_minor)

    def executed_in(self, event: Event, before: ExecutionStatus, after: ExecutionStatus) -> None:
        """Take in what became of money in, whether or not the ring still holds it."""
        self.incoming = [_executed(kept, event.event_id, after) for kept in self.incoming]
        counted, counts = moved_money(event.decision, before), moved_money(event.decision, after)
        if counts and not counted:
            self.hours.count_received(_hour(event), event.amount_minor)
            self.days.count_received(_day(event), event.amount_minor)
        if counted and not counts:
            self.hours.take_back_received(_hour(event), event.amount_minor)
            self.days.take_back_received(_day(event), event.amount_minor)

    def report(self, report: Report) -> None:
        """Remember a report, one for each event and role."""
        self.retract(report)
        self.reports = [report, *self.reports][:RING_REPORTS]

    def retract(self, report: Report) -> None:
        """Forget the report of an event and role: it no longer stands."""
        self.reports = [
            kept
            for kept in self.reports
            if kept.event_id != report.event_id or kept.names_mule != report.names_mule
        ]

    def _posted(self, payee: int, time_ms: int) -> None:
        if payee == 0:
            return
        known = self.pairs.pop(payee, Pair(time_ms, time_ms, 0))
        self.pairs[payee] = Pair(
            min(known.first_ms, time_ms), max(known.last_ms, time_ms), known.times + 1
        )
        if len(self.pairs) > PAIRS:
            del self.pairs[next(iter(self.pairs))]

    def _no_longer_posted(self, payee: int) -> None:
        known = self.pairs.pop(payee, None)
        if known is not None and known.times > 1:
            self.pairs[payee] = replace(known, times=known.times - 1)


def _executed(event: Event, event_id: int, status: ExecutionStatus) -> Event:
    return replace(event, status=status) if event.event_id == event_id else event


def _hour(event: Event) -> int:
    return local_hour(event.time_ms, event.utc_offset_s)


def _day(event: Event) -> int:
    return local_day(event.time_ms, event.utc_offset_s)


@dataclass(frozen=True)
class Seen:
    """An account that was seen with a link."""

    first_ms: int
    mule_since_ms: int | None


class Link:
    """The accounts that are known to have been seen with a device, phone or person."""

    def __init__(self) -> None:
        self.accounts: dict[int, Seen] = {}
        """In the order in which they came."""

    def sighting(self, account: int, time_ms: int, mule_since_ms: int | None) -> None:
        """Take an account in where there is room, or where it is a mule's among others."""
        if account not in self.accounts:
            if len(self.accounts) >= LINK_ACCOUNTS:
                others = [who for who, seen in self.accounts.items() if seen.mule_since_ms is None]
                if mule_since_ms is None or not others:
                    return
                del self.accounts[others[-1]]
            self.accounts[account] = Seen(time_ms, None)
        if mule_since_ms is not None:
            self._taint(account, mule_since_ms)

    def taint(self, account: int, time_ms: int, mule_since_ms: int) -> None:
        """Learn that an account is a mule's; one that was not known comes in with the time told."""
        self.sighting(account, time_ms, mule_since_ms)

    def clear(self, account: int, mule_since_ms: int | None) -> None:
        """Learn that an account is no mule's, or one only since later; an unknown one stays so."""
        if account in self.accounts:
            self.accounts[account] = replace(self.accounts[account], mule_since_ms=mule_since_ms)

    def _taint(self, account: int, mule_since_ms: int) -> None:
        """Remember since when an account is known as a mule's: the earliest."""
        if account in self.accounts:
            seen = self.accounts[account]
            since = [known for known in (seen.mule_since_ms, mule_since_ms) if known is not None]
            self.accounts[account] = replace(seen, mule_since_ms=min(since))
