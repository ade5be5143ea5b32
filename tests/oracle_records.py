"""The oracle's records and memories in the kernel's layout."""

from dataclasses import replace
from struct import pack
from typing import Any

from tests.oracle.history import Account, Link
from tests.oracle.records import Event, Report, Request
from tests.oracle.totals import Totals

from fanzha.domain.evidence import AccountState, LinkState
from fanzha.domain.vocabulary import ExecutionStatus
from fanzha.features.facts import FACTS, UNKNOWN
from fanzha.features.layout import (
    ReportRole,
    pack_event,
    pack_execution,
    pack_flags,
    pack_link,
    pack_report,
)


def facts_of(request: Request) -> list[int]:
    """Return a request as the kernel reads it."""
    stated: list[Any] = [getattr(request, name) for name in FACTS]
    return [UNKNOWN if value is None else int(value) for value in stated]


def event_bytes(event: Event) -> bytes:
    """Return the record of an ATTEMPT or RECEIVE, with what is known of its execution."""
    flags = pack_flags(
        event.channel,
        event.kind,
        event.decision,
        event.other_type,
        event.utc_offset_s,
        same_owner=event.same_owner,
    )
    return pack_event(
        event.event_id, event.time_ms, event.amount_minor, event.other, flags | event.status << 24
    )


def execution_bytes(event: Event, before: ExecutionStatus, after: ExecutionStatus) -> bytes:
    """Return the record of an EXECUTION, the status before filled in as the store does."""
    new = replace(event, status=ExecutionStatus.UNSPECIFIED)
    record = bytearray(pack_execution(event_bytes(new), after))
    record[17] = before
    return bytes(record)


def report_bytes(report: Report) -> bytes:
    """Return the record of a REPORT."""
    role = ReportRole.MULE if report.names_mule else ReportRole.VICTIM
    return pack_report(
        report.event_id, report.happened_ms, report.fraud, role, report.other, report.known_ms
    )


def link_bytes(time_ms: int, mule_since_ms: int | None, account: int) -> bytes:
    """Return the record of a SIGHTING or TAINT."""
    return pack_link(0, time_ms, mule_since_ms or 0, account)


def account_state(account: Account, payee: int | None) -> AccountState:
    """Return an account's memory as the store gives it for a payment to a payee."""
    pair = None if payee is None else account.pairs.get(payee)
    return AccountState(
        out_ring=b"".join(map(event_bytes, account.attempts)),
        in_ring=b"".join(map(event_bytes, account.incoming)),
        pair=b"" if pair is None else pack("<4q", payee, pair.first_ms, pair.last_ms, pair.times),
        reports=b"".join(map(report_bytes, account.reports)),
        hours=_totals_bytes(account.hours),
        days=_totals_bytes(account.days),
    )


def link_state(link: Link) -> LinkState:
    """Return a link's memory as the store gives it."""
    rows = reversed(link.accounts.items())
    return LinkState(
        seen=b"".join(
            pack("<3q", account, seen.first_ms, seen.mule_since_ms or 0) for account, seen in rows
        )
    )


def _totals_bytes(totals: Totals) -> bytes:
    return b"".join(
        pack(
            "<5q",
            number,
            period.paid.count,
            period.paid.amount,
            period.received.count,
            period.received.amount,
        )
        for number, period in totals.newest_first()
    )
