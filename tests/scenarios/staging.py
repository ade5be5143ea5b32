"""Makes requests and list entries of a story, at a time and with names of its own."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from tests.scenarios.story import EntryPart, PartyPart, PaymentPart, Signal, Story

from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire
from fanzha.v1 import watchlists_pb2 as watchlists

ZONE = ZoneInfo("Asia/Shanghai")
_FIRST = datetime(2026, 11, 18, tzinfo=ZONE)
_APART = timedelta(weeks=14)
"""Longer than any history, and each story falls on a Wednesday."""
_LISTED_BEFORE_MS = 30 * 86_400_000
_AHEAD_MS = 365 * 86_400_000


@dataclass(frozen=True)
class Staging:
    """One performance of a story; `number` keeps those on one service apart."""

    story: Story
    number: int

    @property
    def now_ms(self) -> int:
        """When the transfer is asked for, milliseconds since 1970 UTC."""
        hour, minute = map(int, self.story.given.transfer.at.split(":"))
        day = _FIRST + self.number * _APART
        return round((day + timedelta(hours=hour, minutes=minute)).timestamp() * 1000)

    def name(self, name: str) -> str:
        """Return the identifier of somebody or something."""
        return f"{name}.{self.number}"

    def phone(self, name: str) -> str:
        """Return a phone number."""
        return f"138{zlib.crc32(self.name(name).encode()) % 10**8:08d}"

    def request(self) -> scoring.ScoreTransferRequest:
        """Return the request for the transfer that is judged."""
        given, part = self.story.given, self.story.given.transfer
        request = self._request("main", self.now_ms, part.amount)
        transfer = request.transfer
        transfer.kind, transfer.channel = int(part.kind), int(part.channel)
        transfer.payer.CopyFrom(self._party(given.payer))
        if given.payee is not None:
            transfer.payee.CopyFrom(self._party(given.payee))
        transfer.speed, transfer.payee_name_match = part.speed or 0, part.name_match or 0
        transfer.remark = part.remark
        if part.same_owner is not None:
            transfer.payee_same_owner = part.same_owner
        if part.same_bank is not None:
            transfer.payee_same_bank = part.same_bank
        if part.balance is not None:
            transfer.balance_before.CopyFrom(_money(part.balance))
        if part.device is not None:
            transfer.session.device_id = self.name(part.device)
        if part.session is not None:
            for signal in get_args(Signal):
                setattr(transfer.session, signal, signal in part.session)
        return request

    def history(self) -> Iterator[tuple[PaymentPart, scoring.ScoreTransferRequest]]:
        """Yield the earlier payments with their requests, in order of time."""
        ordered = sorted(self.story.given.history, key=lambda payment: -payment.before)
        for index, payment in enumerate(ordered):
            request = self._request(f"h{index}", self.now_ms - payment.before, payment.amount)
            transfer = request.transfer
            transfer.kind, transfer.channel = int(payment.kind), int(payment.channel)
            transfer.payer.account = self.name(payment.payer)
            if payment.payee is not None:
                transfer.payee.account = self.name(payment.payee)
            yield payment, request

    def entries(self) -> Iterator[watchlists.WatchlistEntry]:
        """Yield the list entries."""
        for part in self.story.given.lists:
            since, until = self._validity(part)
            is_phone = part.kind == WatchlistKind.PHONE
            is_involved = part.grade == WatchlistGrade.INVOLVED
            yield watchlists.WatchlistEntry(
                kind=int(part.kind),
                identifier=self.phone(part.name) if is_phone else self.name(part.name),
                grade=part.grade or 0,
                source="risk-operations",
                legal_basis="反电信网络诈骗法第二十条" if is_involved else "",
                valid_from_time=stamp(since),
                valid_until_time=stamp(until),
            )

    def _validity(self, part: EntryPart) -> tuple[int, int]:
        if part.expired is not None:
            until = self.now_ms - part.expired
            return until - _LISTED_BEFORE_MS, until
        since = (
            self.now_ms - _LISTED_BEFORE_MS if part.begins is None else self.now_ms + part.begins
        )
        return since, self.now_ms + _AHEAD_MS

    def _request(self, label: str, time_ms: int, amount: int) -> scoring.ScoreTransferRequest:
        transfer = wire.Transfer(
            transfer_id=f"t-{label}.{self.number}",
            create_time=stamp(time_ms),
            amount=_money(amount),
        )
        return scoring.ScoreTransferRequest(
            request_id=f"r-{label}.{self.number}", transfer=transfer
        )

    def _party(self, part: PartyPart) -> wire.Party:
        party = wire.Party(
            account=self.name(part.account),
            person="" if part.person is None else self.name(part.person),
            phone="" if part.phone is None else self.phone(part.phone),
            type=part.type or 0,
            segment=part.segment or 0,
        )
        if part.account_age is not None:
            opened = datetime.fromtimestamp((self.now_ms - part.account_age) / 1000, ZONE)
            date = wire.Date(year=opened.year, month=opened.month, day=opened.day)
            party.opening.open_date.CopyFrom(date)
        return party


def stamp(time_ms: int) -> Timestamp:
    """Return milliseconds since 1970 UTC as a Timestamp."""
    moment = Timestamp()
    moment.FromDatetime(datetime.fromtimestamp(time_ms / 1000, UTC))
    return moment


def _money(minor: int) -> wire.Money:
    return wire.Money(currency_code="CNY", minor_units=minor)
