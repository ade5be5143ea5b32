"""A report that no longer stands leaves the account and its links, in whatever order it is told."""

from itertools import permutations

import pytest
from tests.contract.test_state_changes import (
    ACCOUNT,
    START_MS,
    AccountInRedis,
    LinkInRedis,
    an_event,
)

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.ids import counterparty_of
from fanzha.domain.vocabulary import FraudType
from fanzha.features.layout import Change, ReportRole, link_row, pack_link, pack_report

pytestmark = pytest.mark.usefixtures("first_epoch")

NUMBER = counterparty_of(ACCOUNT)


def a_report(event_id: int, known_ms: int, role: ReportRole = ReportRole.MULE) -> bytes:
    return pack_report(event_id, START_MS, FraudType.ROMANCE, role, 5, START_MS + known_ms)


def sent(link: RedisLink) -> list[tuple[Change, bytes]]:
    """Return what the account has sent to its links, in order."""
    rows = link.run([("XRANGE", keys.outbox(ACCOUNT[-1]), "-", "+")])[0]
    messages = [dict(zip(flat[::2], flat[1::2], strict=True)) for _, flat in rows]
    return [(Change(int(message[b"o"])), message[b"c"]) for message in messages]


def test_the_same_report_told_again_is_held_once(link: RedisLink) -> None:
    account = AccountInRedis(link)
    for known_ms in (1, 2):
        account.report(a_report(7, known_ms, ReportRole.VICTIM))
    account.report(a_report(7, 3, ReportRole.MULE))

    assert account.state(5).reports == a_report(7, 3) + a_report(7, 2, ReportRole.VICTIM)


def test_a_retraction_takes_out_its_own_report_alone(link: RedisLink) -> None:
    account = AccountInRedis(link)
    for event_id in (1, 2, 3):
        account.apply(a_report(event_id, event_id), Change.REPORT)
    account.report(a_report(2, 9, ReportRole.VICTIM))

    assert account.apply(a_report(2, 50), Change.RETRACT) == 1

    expected = (a_report(2, 9, ReportRole.VICTIM), a_report(3, 3), a_report(1, 1))
    assert account.state(5).reports == b"".join(expected)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_report_retraction_and_new_report_of_an_event_wait_for_each_other(
    link: RedisLink, order: tuple[int, ...]
) -> None:
    account = AccountInRedis(link)
    told = [
        (a_report(7, 1), Change.REPORT),
        (a_report(7, 2), Change.RETRACT),
        (a_report(7, 3), Change.REPORT),
    ]
    waiting = [told[place] for place in order]

    # Carried by several workers, tried again until taken, as the sweep does; what is said of one
    # event alternates, so that it cannot be told which of two reports came first.
    for _ in range(3):
        waiting = [each for each in waiting if account.apply(*each) == -1]

    assert waiting == []
    assert account.state(5).reports in (a_report(7, 3), a_report(7, 1))


def test_a_link_forgets_the_mule_when_no_report_of_it_is_left(link: RedisLink) -> None:
    account, device = AccountInRedis(link), LinkInRedis(link)
    account.attempt(an_event(1, START_MS, 100, 5), links=device.token)
    device.apply(pack_link(1, START_MS, 0, NUMBER), Change.SIGHTING)
    since = []
    for change, kind in (
        (a_report(1, 10), Change.REPORT),
        (a_report(2, 20), Change.REPORT),
        (a_report(1, 30), Change.RETRACT),
        (a_report(2, 40), Change.RETRACT),
    ):
        account.apply(change, kind)
        for sent_kind, news in sent(link)[-1:]:
            device.apply(news, sent_kind)
        row = link_row(device.state().seen, NUMBER)
        since.append(row and row[2])

    assert since == [START_MS + 10, START_MS + 10, START_MS + 20, 0]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_link_ends_with_the_newest_state_in_whatever_order_it_is_told(
    link: RedisLink, order: tuple[int, ...]
) -> None:
    account, device = AccountInRedis(link), LinkInRedis(link)
    account.attempt(an_event(1, START_MS, 100, 5), links=device.token)
    device.apply(pack_link(1, START_MS, 0, NUMBER), Change.SIGHTING)
    account.apply(a_report(1, 10), Change.REPORT)
    account.apply(a_report(1, 20), Change.RETRACT)
    account.apply(a_report(2, 30), Change.REPORT)
    news = sent(link)

    for place in order:
        kind, change = news[place]
        device.apply(change, kind)

    assert [kind for kind, _ in news] == [Change.TAINT, Change.CLEAR, Change.TAINT]
    row = link_row(device.state().seen, NUMBER)
    assert row is not None
    assert row[2] == START_MS + 30


def test_a_sighting_of_an_older_state_does_not_taint_again(link: RedisLink) -> None:
    account, device = AccountInRedis(link), LinkInRedis(link)
    account.attempt(an_event(1, START_MS, 100, 5), links=device.token)
    account.apply(a_report(1, 10), Change.REPORT)
    read_seq = account.state(5).seq
    account.apply(a_report(1, 20), Change.RETRACT)
    device.apply(sent(link)[-1][1], Change.CLEAR)

    sighting = pack_link(1, START_MS, START_MS + 10, NUMBER, read_seq)
    applied = device.apply(sighting, Change.SIGHTING)

    assert applied == 1
    assert link_row(device.state().seen, NUMBER) == (NUMBER, START_MS, 0)
    assert device.journaled()[-1][2] == pack_link(1, START_MS, 0, NUMBER, read_seq)
