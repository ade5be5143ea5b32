"""The worked example of docs/reference/features.md: one transfer, its history, and its vector."""

import math
from datetime import UTC, date, datetime

from tests.slow_history import SlowAccount, SlowLink

from fanzha.domain.evidence import ListHit, ListSubject, WatchlistEntry
from fanzha.domain.ids import counterparty_of
from fanzha.domain.transfer import Party, Session, Transfer
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
    WatchlistKind,
)
from fanzha.features.facts import request_facts
from fanzha.features.kernel import feature_vector
from fanzha.features.layout import (
    Change,
    ReportRole,
    pack_event,
    pack_execution,
    pack_flags,
    pack_link,
    pack_report,
)
from fanzha.features.manifest import FEATURE_NAMES

_LARGE = 1000.0
"""From here on a value is printed with one decimal, not with four figures."""
MINUTE_MS, DAY_MS = 60_000, 86_400_000
UTC_OFFSET_S = 8 * 3600
NOW_MS = int(datetime(2026, 11, 20, 6, 30, tzinfo=UTC).timestamp()) * 1000
"""14:30 in Shanghai, a Friday."""
PAYER, PAYEE, LENDER, LANDLORD, FRIEND, OTHER_MULE, *VICTIMS = (
    bytes([number]) * 16 for number in range(1, 13)
)


def example() -> dict[str, str]:
    """Return the example's values by feature, as the reference prints them."""
    payer, payee, device, phone = SlowAccount(), SlowAccount(), SlowLink(), SlowLink()
    # The payer: rent every month, a friend paid yesterday, a loan an hour ago.
    _pay(payer, 1, 40 * DAY_MS, 250_000, LANDLORD)
    _pay(payer, 2, 10 * DAY_MS, 250_000, LANDLORD)
    _pay(payer, 3, 20 * 60 * MINUTE_MS, 20_000, FRIEND)
    _pay(payer, 4, 12 * MINUTE_MS, 50_000, PAYEE)
    _receive(payer, 5, 60 * MINUTE_MS, 2_000_000, LENDER, TransferKind.LOAN_PAYOUT)
    # The payee: quiet for a month, then a test, money from five persons it never had to do with.
    _receive(payee, 11, 35 * DAY_MS, 8_000, FRIEND)
    _receive(payee, 12, 3 * 60 * MINUTE_MS, 100, OTHER_MULE)
    for number, victim in enumerate((*VICTIMS[:4], PAYER)):
        _receive(payee, 13 + number, (60 - 12 * number) * MINUTE_MS, 50_000, victim)
    _pay(payee, 19, 10 * MINUTE_MS, 180_000, OTHER_MULE)
    known_ms = NOW_MS - 3 * DAY_MS
    happened = (20, NOW_MS - 5 * DAY_MS)
    role = ReportRole.MULE
    report = pack_report(*happened, FraudType.TASK_REBATE, role, counterparty_of(FRIEND), known_ms)
    payee.apply(Change.REPORT, report)
    # The payer's own telephone; the payee's number also stands with two other accounts.
    device.apply(Change.SIGHTING, pack_link(1, NOW_MS - 40 * DAY_MS, 0, counterparty_of(PAYER)))
    for account, days, since_ms in ((FRIEND, 60, 0), (OTHER_MULE, 2, NOW_MS - 30 * DAY_MS)):
        seen = pack_link(2, NOW_MS - days * DAY_MS, since_ms, counterparty_of(account))
        phone.apply(Change.SIGHTING, seen)

    facts = request_facts(_transfer(), _hits(), UTC_OFFSET_S)
    links = (device.state(), None, None, phone.state(), None)
    vector = feature_vector(facts, payer.state(counterparty_of(PAYEE)), payee.state(0), links)
    return {name: _text(value) for name, value in zip(FEATURE_NAMES, vector.tolist(), strict=True)}


def _transfer() -> Transfer:
    return Transfer(
        caller="example",
        request_id="r1",
        request_digest=b"",
        transfer_id="t1",
        kind=TransferKind.TRANSFER,
        channel=Channel.MOBILE,
        create_time_ms=NOW_MS,
        currency="CNY",
        amount_minor=1_980_000,
        base_amount_minor=1_980_000,
        payer=Party(
            account=PAYER,
            type=PartyType.PERSON,
            segment=CustomerSegment.STUDENT,
            open_day=(date(2024, 9, 1) - date(1970, 1, 1)).days,
            anti_fraud_app=True,
        ),
        payee=Party(
            account=PAYEE,
            type=PartyType.PERSON,
            phone=b"p" * 16,
            open_day=(date(2026, 9, 20) - date(1970, 1, 1)).days,
            open_channel=Channel.MOBILE,
            dual_recording_done=False,
        ),
        speed=TransferSpeed.REAL_TIME,
        payee_same_owner=False,
        payee_same_bank=True,
        payee_name_match=NameMatch.MATCH,
        balance_before_minor=2_014_000,
        session=Session(device=b"d" * 16, call_in_progress=True, new_device=False),
    )


def _hits() -> tuple[ListHit, ...]:
    entry = WatchlistEntry(
        WatchlistKind.ACCOUNT, WatchlistGrade.WATCH, "branch", "", "", 0, NOW_MS + 1, "a", "b"
    )
    return (ListHit(ListSubject.PAYEE_ACCOUNT, entry),)


def _event(number: int, ago_ms: int, amount: int, other: bytes, kind: TransferKind) -> bytes:
    flags = pack_flags(
        Channel.MOBILE, kind, DecisionKind.ALLOW, PartyType.PERSON, UTC_OFFSET_S, same_owner=False
    )
    return pack_event(number, NOW_MS - ago_ms, amount, counterparty_of(other), flags)


def _pay(account: SlowAccount, number: int, ago_ms: int, amount: int, payee: bytes) -> None:
    event = _event(number, ago_ms, amount, payee, TransferKind.TRANSFER)
    account.apply(Change.ATTEMPT, event)
    account.apply(Change.EXECUTION_OUT, pack_execution(event, ExecutionStatus.POSTED))


def _receive(
    account: SlowAccount,
    number: int,
    ago_ms: int,
    amount: int,
    payer: bytes,
    kind: TransferKind = TransferKind.TRANSFER,
) -> None:
    event = _event(number, ago_ms, amount, payer, kind)
    account.apply(Change.RECEIVE, event)
    account.apply(Change.EXECUTION_IN, pack_execution(event, ExecutionStatus.POSTED))


def _text(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= _LARGE else f"{value:.4g}"
