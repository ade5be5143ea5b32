"""Random lives of a few accounts and links, told to a world as the service would tell them."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.oracle.history import Account
from tests.oracle.records import Event, Report, Request
from tests.oracle.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.oracle_world import World

from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    DecisionKind,
    ExecutionStatus,
    FraudType,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
    WatchlistGrade,
)

ACCOUNTS = (1, -1, 2**63 - 1, -(2**63) + 1, 0x0102_0304_0506_0708)
LINK_NAMES = ("telephone", "number", "person")
PLACES = ("device", "payer_phone", "payer_person", "payee_phone", "payee_person")
EDGES_MS = (
    10 * MINUTE_MS, HOUR_MS, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 31 * DAY_MS,
)  # fmt: skip
AMOUNTS = (
    1, 2, 3, 99, 100, 10_000, 1_234_500, 2**24 - 1, 2**24 + 1, 2**24 + 3, 2**25 + 2, 2**25 + 6,
    10**15, 2**53 + 1, 2**54 + 2**30, 2**54 + 2**30 + 1, 2**60 + 2**36, 2**60 + 2**36 + 1,
    2**62, 2**63 - 2**38, 2**63 - 2, 2**63 - 1,
)  # fmt: skip
"""Some lie half way between two float32, or so near that float64 would take them for it."""
ZONES = (
    "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati",
    "Etc/GMT+12", "Asia/Kathmandu", "America/St_Johns", "UTC",
)  # fmt: skip
INSTANTS = (
    "2026-11-20T06:30:00", "2024-02-29T12:00:00", "2028-02-29T23:59:59.999", "2000-02-29T00:00:00",
    "2024-03-01T00:00:00", "2027-01-01T00:00:00", "2026-12-31T15:59:59.999", "2026-12-31T16:00:00",
    # New York: clocks forward and back; Lord Howe: back and forward by half an hour.
    "2026-03-08T07:00:00", "2026-11-01T05:30:00", "2026-11-01T06:00:00", "2026-04-04T15:00:00",
    "2026-10-03T15:30:00", "2026-10-03T15:29:59.999",
)  # fmt: skip
STATUSES = (ExecutionStatus.POSTED, ExecutionStatus.FAILED, ExecutionStatus.REVERSED)


class Lives:
    """Draws what happens next; all chance comes from one source, so that it can be replayed."""

    def __init__(self, rng: random.Random) -> None:
        self.world = World()
        self._rng = rng
        instant = datetime.fromisoformat(rng.choice(INSTANTS)).replace(tzinfo=UTC)
        self._now_ms = round(instant.timestamp() * 1000)
        self._zone = ZoneInfo(rng.choice(ZONES))
        self._accounts = ACCOUNTS[: rng.randint(2, len(ACCOUNTS))]
        self._events = 0
        self._payments: list[tuple[int, Event]] = []
        self._under_way: list[tuple[int, Callable[[], None]]] = []

    def happen(self) -> None:
        """Let one thing happen."""
        steps = (
            self._pay, self._pay, self._pay, self._arrive, self._arrive, self._arrive,
            self._execute, self._execute, self._report, self._report, self._retract, self._sight,
            self._judge, self._judge,
        )  # fmt: skip
        self._rng.choice(steps)()

    def judge(self) -> None:
        """Judge one transfer."""
        self._judge()

    def judge_all(self) -> None:
        """Judge a transfer from each account to the next."""
        self._arrive()
        for payer in self._accounts:
            self._judge(payer)

    def fill(self) -> None:
        """Let much of one sort happen, more than is remembered."""
        number, other = self._rng.sample(self._accounts, 2)
        fillings = (
            self._fill_out, self._fill_in, self._fill_reports, self._fill_pairs,
            self._fill_periods, self._fill_link,
        )  # fmt: skip
        self._rng.choice(fillings)(number, other)

    def _moment(self) -> int:
        """Draw a time: of this very millisecond, at a window's edge, or anywhere, also later."""
        rng = self._rng
        base_ms = self._now_ms + rng.choice((0, 0, 0, 1, -1, 5 * MINUTE_MS))
        sort = rng.randrange(8)
        if sort < 2:
            return base_ms
        if sort < 4:
            return base_ms - rng.choice(EDGES_MS)
        if sort == 4:
            day_ms = base_ms - rng.randint(0, 32) * DAY_MS
            return day_ms // DAY_MS * DAY_MS - self._offset_s(day_ms) * 1000 - rng.randint(0, 1)
        span_ms = rng.choice((20 * MINUTE_MS, 26 * HOUR_MS, 40 * DAY_MS))
        return base_ms - rng.randint(-span_ms // 8, span_ms)

    def _offset_s(self, time_ms: int) -> int:
        local = datetime.fromtimestamp(time_ms / 1000, self._zone)
        return round(local.utcoffset().total_seconds())  # type: ignore[union-attr]

    def _amount(self) -> int:
        rng = self._rng
        if rng.randrange(3):
            return rng.choice(AMOUNTS)
        return rng.randint(1, 1000) * rng.choice((1, 100, 2**20, 2**50))

    def _event(self, other: int) -> Event:
        rng, time_ms = self._rng, self._moment()
        self._events += 1
        return Event(
            # Scattered, and no two the same: the service takes an event once.
            event_id=self._events * 0x9E37_79B9_7F4A_7C15 % 2**64 - 2**63,
            time_ms=time_ms,
            amount_minor=self._amount(),
            other=other,
            decision=rng.choice((DecisionKind.ALLOW, DecisionKind.ALLOW, *list(DecisionKind)[1:])),
            kind=rng.choice(list(TransferKind)[1:]),
            utc_offset_s=self._offset_s(time_ms),
            same_owner=rng.choice((None, False, True)),
            channel=rng.choice(list(Channel)[1:]),
            other_type=rng.choice(list(PartyType)),
        )

    def _pay(self) -> None:
        rng = self._rng
        payer, payee = rng.sample(self._accounts, 2)
        payee = payee if rng.randrange(6) else 0
        event = self._event(payee)
        if rng.randrange(4) == 0 and self._payments:
            # A tie with an earlier one.
            event = replace(event, time_ms=rng.choice(self._payments)[1].time_ms)
        self.world.attempt(payer, event)
        self._payments.append((payer, event))
        for link in LINK_NAMES[: rng.randint(0, len(LINK_NAMES))]:
            since_ms = _known_as_mule(self.world.account(payer))
            self.world.sighting(link, payer, event.time_ms, since_ms)
        if payee:
            received = replace(event, other=payer)
            self._later(event, lambda: self.world.receive(payee, received))

    def _execute(self) -> None:
        if not self._payments:
            return
        payer, event = self._rng.choice(self._payments)
        status = self._rng.choice((ExecutionStatus.POSTED, *STATUSES))
        self.world.executed_out(payer, event, status)
        if event.other:
            received = replace(event, other=payer)
            self._later(event, lambda: self.world.executed_in(event.other, received, status))

    def _later(self, event: Event, arrive: Callable[[], None]) -> None:
        """Keep what the payee's account is told of an event for later, in its order."""
        self._under_way.append((event.event_id, arrive))

    def _arrive(self) -> None:
        if not self._under_way:
            return
        event_id, _ = self._rng.choice(self._under_way)
        place = [number for number, _ in self._under_way].index(event_id)
        self._under_way.pop(place)[1]()

    def _report(self) -> None:
        rng = self._rng
        account, known_ms = rng.choice(self._accounts), self._moment()
        mule = rng.randrange(3) > 0
        happened_ms = known_ms - rng.choice(EDGES_MS)
        fraud = rng.choice(list(FraudType)[1:])
        self.world.report(
            account, Report(rng.getrandbits(40), happened_ms, known_ms, mule, 0, fraud)
        )
        if mule:
            for link in LINK_NAMES[: rng.randint(0, len(LINK_NAMES))]:
                self.world.taint(link, account, known_ms)

    def _retract(self) -> None:
        """Take back one of the reports that are remembered, or one that never was."""
        rng = self._rng
        account = rng.choice(self._accounts)
        known = [*self.world.account(account).reports, Report(1, 0, 0, bool(rng.randrange(2)))]
        report = rng.choice(known)
        self.world.retract(account, report, self._moment())
        if report.names_mule:
            since_ms = _known_as_mule(self.world.account(account))
            for link in LINK_NAMES[: rng.randint(0, len(LINK_NAMES))]:
                self.world.clear(link, account, since_ms)

    def _sight(self) -> None:
        rng = self._rng
        account = rng.choice((*self._accounts, rng.randint(100, 140)))
        since_ms = rng.choice((None, self._moment()))
        self.world.sighting(rng.choice(LINK_NAMES), account, self._moment(), since_ms)

    def _judge(self, payer: int | None = None) -> None:
        rng = self._rng
        payer = rng.choice(self._accounts) if payer is None else payer
        others = [number for number in self._accounts if number != payer]
        payee = rng.choice((*others, None)) if rng.randrange(4) == 0 else rng.choice(others)
        places = PLACES if payee is not None else PLACES[:3]
        links = {place: rng.choice(LINK_NAMES) for place in places if rng.randrange(6)}
        self.world.judge(
            self._request(payer, payee),
            read_payer=bool(rng.randrange(12)),
            read_payee=bool(rng.randrange(12)),
            links=links,
        )

    def _request(self, payer: int, payee: int | None) -> Request:
        rng = self._rng
        time_ms = self._now_ms + rng.choice((0, 0, 1, -1, 5 * MINUTE_MS, -rng.randint(0, DAY_MS)))
        today = time_ms // DAY_MS

        def maybe(*choices: int) -> int | None:
            return rng.choice((None, *choices))

        def party(side: str) -> dict[str, int | None]:
            return {
                f"{side}_type": maybe(*list(PartyType)[1:]),
                f"{side}_segment": maybe(*list(CustomerSegment)[1:]),
                f"{side}_open_day": maybe(0, today, today - 1, today - rng.randint(0, 40_000)),
                f"{side}_open_channel": maybe(*list(Channel)[1:]),
                f"{side}_dual_recording_done": maybe(0, 1),
                f"{side}_list_grade": maybe(*WatchlistGrade),
            }

        return Request(
            time_ms=time_ms,
            utc_offset_s=self._offset_s(time_ms),
            amount_minor=self._amount(),
            kind=rng.choice(list(TransferKind)[1:]),
            channel=rng.choice(list(Channel)[1:]),
            speed=maybe(*list(TransferSpeed)[1:]),
            balance_before_minor=maybe(0, 1, self._amount(), self._amount(), 2**63 - 1),
            payee_name_match=maybe(*list(NameMatch)[1:]),
            payee_same_owner=maybe(0, 1),
            payee_same_bank=maybe(0, 1),
            payer_id=payer,
            payee_id=payee,
            **party("payer"),
            **(party("payee") if payee is not None else {}),
            payer_anti_fraud_app=maybe(0, 1),
            call_in_progress=maybe(0, 1),
            screen_shared=maybe(0, 1),
            remote_control=maybe(0, 1),
            new_device=maybe(0, 1),
            new_e_channel=maybe(0, 1),
            limit_just_raised=maybe(0, 1),
            contact_list_grade=maybe(*WatchlistGrade),
        )

    def _fill_out(self, payer: int, payee: int) -> None:
        for _ in range(self._rng.randint(46, 60)):
            event = self._event(self._rng.choice((payee, 0, *range(20, 30))))
            self.world.attempt(payer, event)
            self._payments.append((payer, event))

    def _fill_in(self, payee: int, payer: int) -> None:
        for _ in range(self._rng.randint(46, 60)):
            event = self._event(self._rng.choice((payer, *range(20, 30))))
            self.world.receive(payee, event)
            if self._rng.randrange(3) == 0:
                self.world.executed_in(payee, event, self._rng.choice(STATUSES))

    def _fill_reports(self, account: int, other: int) -> None:
        for event_id in range(self._rng.randint(14, 20)):
            known_ms, mule = self._moment(), bool(self._rng.randrange(2))
            self.world.report(account, Report(event_id, known_ms - DAY_MS, known_ms, mule, other))

    def _fill_pairs(self, payer: int, payee: int) -> None:
        for other in (payee, *range(1000, 1000 + self._rng.randint(250, 262))):
            event = self._event(other)
            self.world.attempt(payer, event)
            self.world.executed_out(payer, event, ExecutionStatus.POSTED)
            self._payments.append((payer, event))

    def _fill_periods(self, payer: int, payee: int) -> None:
        """Pay and receive in more hours, or days, than are kept; some of them later than now."""
        rng = self._rng
        span_ms, most = rng.choice(((HOUR_MS, 24), (DAY_MS, 31)))
        latest = rng.randint(0, most)
        numbers = [latest - ago for ago in range(most + rng.randint(0, 3))]
        if rng.randrange(2):
            rng.shuffle(numbers)
        for number in numbers:
            event = self._event(payee)
            time_ms = self._now_ms + number * span_ms
            event = replace(event, time_ms=time_ms, utc_offset_s=self._offset_s(time_ms))
            self.world.attempt(payer, event)
            self.world.receive(payee, replace(event, other=payer))
            self._payments.append((payer, event))

    def _fill_link(self, *accounts: int) -> None:
        link = self._rng.choice(LINK_NAMES)
        for account in (*accounts, *range(100, 100 + self._rng.randint(29, 34))):
            since_ms = self._rng.choice((None, None, self._moment()))
            self.world.sighting(link, account, self._moment(), since_ms)


def _known_as_mule(account: Account) -> int | None:
    """Return since when the service knows an account as a mule's."""
    return min((report.known_ms for report in account.reports if report.names_mule), default=None)
