"""What becomes of payments, and what no longer is remembered: kernel, oracle and plain numbers."""

import pytest
from tests.oracle.records import Event, Report, Request
from tests.oracle.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.oracle.value import Value
from tests.oracle_world import World

from fanzha.domain.vocabulary import Channel, DecisionKind, ExecutionStatus, TransferKind

NOW_MS = 1_795_000_000_000
PAYER, PAYEE, OTHER = 1, 2, 3
NEW, POSTED, FAILED, REVERSED = ExecutionStatus
MOVED = {(NEW, DecisionKind.ALLOW), (NEW, DecisionKind.CONFIRM)} | {
    (POSTED, decision) for decision in DecisionKind
}
ASKED = Request(
    NOW_MS, 0, 1000, TransferKind.TRANSFER, Channel.ONLINE, payer_id=PAYER, payee_id=PAYEE
)


def judged(world: World, **links: str) -> dict[str, Value]:
    """Return what the oracle says, once the kernel has said the same."""
    said = world.judge(ASKED, links=links)
    assert world.differences() == []
    return said


def event(number: int, ago_ms: int, amount: int = 100, other: int = PAYEE) -> Event:
    return Event(number, NOW_MS - ago_ms, amount, other)


@pytest.mark.parametrize("after", [NEW, POSTED, FAILED, REVERSED])
@pytest.mark.parametrize("before", [NEW, POSTED, FAILED, REVERSED])
@pytest.mark.parametrize("decision", list(DecisionKind)[1:])
def test_which_attempts_moved_money(
    decision: DecisionKind, before: ExecutionStatus, after: ExecutionStatus
) -> None:
    world = World()
    paid = Event(1, NOW_MS - 1, 100, PAYEE, decision)
    world.attempt(PAYER, paid)
    world.receive(PAYEE, paid)
    for status in (before, after):
        if status != NEW:
            world.executed_out(PAYER, paid, status)
            world.executed_in(PAYEE, paid, status)
    last = after if after != NEW else before

    said = judged(world)

    moved = int((last, decision) in MOVED)
    assert said["out_count_10m"] == said["payee_in_count_1h"] == moved
    assert said["out_count_today"] == said["payee_in_count_today"] == moved
    assert said["out_sum_hour"] == said["payee_in_sum_31d"] == 100 * moved
    assert said["pair_times_paid"] == int(last == POSTED)
    assert said["pair_attempts_24h"] == 1
    assert said["out_restrained_24h"] == int(decision >= DecisionKind.CONFIRM)


def test_what_left_the_ring_still_changes_pair_and_totals() -> None:
    world = World()
    first = event(0, 10 * MINUTE_MS)
    world.attempt(PAYER, first, *(event(n, 5 * MINUTE_MS, other=OTHER) for n in range(1, 49)))
    world.receive(PAYER, first, *(event(n, 5 * MINUTE_MS, other=OTHER) for n in range(1, 49)))

    for status, times, counted in ((POSTED, 1, 49), (POSTED, 1, 49), (REVERSED, 0, 48)):
        world.executed_out(PAYER, first, status)
        world.executed_in(PAYER, first, status)
        said = judged(world)

        assert (said["pair_times_paid"], said["out_count_today"]) == (times, counted)
        assert said["in_sum_31d"] == 100 * counted
        assert said["out_count_1h"] == said["payer_in_count_1h"] == 48


def test_pairs_forget_when_all_is_reversed() -> None:
    world = World()
    first, second = event(1, 9 * DAY_MS), event(2, 3 * DAY_MS)
    world.attempt(PAYER, first, second)
    for paid in (second, first):
        world.executed_out(PAYER, paid, POSTED)
    said = judged(world)
    assert (said["pair_days_since_first"], said["pair_days_since_last"]) == (9, 3)

    world.executed_out(PAYER, first, REVERSED)
    said = judged(world)
    assert (said["pair_times_paid"], said["pair_days_since_first"]) == (1, 9)

    world.executed_out(PAYER, second, REVERSED)
    assert judged(world)["pair_days_since_first"] is None
    world.executed_out(PAYER, second, POSTED)
    assert judged(world)["pair_days_since_first"] == 3


@pytest.mark.parametrize("status", [FAILED, REVERSED])
def test_only_what_was_posted_is_taken_from_a_pair(status: ExecutionStatus) -> None:
    world = World()
    world.attempt(PAYER, event(1, HOUR_MS), event(2, HOUR_MS))
    world.executed_out(PAYER, event(1, HOUR_MS), POSTED)
    world.executed_out(PAYER, event(2, HOUR_MS), status)

    assert judged(world)["pair_times_paid"] == 1


def test_pairs_never_lie_in_the_future() -> None:
    world = World()
    later = event(1, -DAY_MS)
    world.attempt(PAYER, later)
    world.executed_out(PAYER, later, POSTED)

    said = judged(world)

    assert said["pair_days_since_first"] == said["pair_days_since_last"] == 0


@pytest.mark.parametrize(("others", "times"), [(255, 1), (256, 0)])
def test_256_pairs_are_kept(others: int, times: int) -> None:
    world = World()
    for number in range(1 + others):
        paid = event(number, HOUR_MS, other=PAYEE if number == 0 else 100 + number)
        world.attempt(PAYER, paid)
        world.executed_out(PAYER, paid, POSTED)

    assert judged(world)["pair_times_paid"] == times


def test_a_reversal_makes_a_pair_the_newest() -> None:
    world = World()
    twice = [event(number, HOUR_MS) for number in (1, 2)]
    others = [event(number, HOUR_MS, other=100 + number) for number in range(3, 260)]
    world.attempt(PAYER, *twice, *others)
    for paid in (*twice, *others[:255]):
        world.executed_out(PAYER, paid, POSTED)
    world.executed_out(PAYER, twice[0], REVERSED)
    for paid in others[255:]:
        world.executed_out(PAYER, paid, POSTED)

    assert judged(world)["pair_times_paid"] == 1


@pytest.mark.parametrize(("count", "within"), [(47, 0), (48, 1), (49, 1)])
def test_48_events_are_kept(count: int, within: int) -> None:
    world = World()
    for number in range(count):
        world.attempt(PAYER, event(number, HOUR_MS))
        world.receive(PAYER, event(number, HOUR_MS, other=OTHER))

    said = judged(world)

    assert said["out_count_1h"] == said["payer_in_count_1h"] == min(count, 48)
    assert said["out_saturated_7d"] == said["payer_in_saturated_24h"] == within
    assert said["out_count_today"] == count


@pytest.mark.parametrize(("younger_ms", "saturated"), [(-1, 0), (0, 0), (1, 1)])
def test_a_ring_is_too_short_when_all_of_it_is_young(younger_ms: int, saturated: int) -> None:
    world = World()
    blocked = Event(0, NOW_MS - 7 * DAY_MS + younger_ms, 1, OTHER, DecisionKind.BLOCK)
    world.attempt(PAYER, *(event(number, HOUR_MS) for number in range(1, 25)), blocked)
    world.attempt(PAYER, *(event(number, -HOUR_MS) for number in range(25, 48)))
    world.receive(PAYEE, *(event(number, HOUR_MS, other=OTHER) for number in range(1, 48)))
    world.receive(PAYEE, event(48, DAY_MS - younger_ms, other=OTHER))

    said = judged(world)

    assert said["out_saturated_7d"] == said["payee_in_saturated_24h"] == saturated


@pytest.mark.parametrize(("later", "reports"), [(15, 1), (16, 0)])
def test_16_reports_are_kept(later: int, reports: int) -> None:
    world = World()
    world.report(PAYEE, Report(1, 0, NOW_MS - 1, names_mule=True))
    for number in range(later):
        world.report(PAYEE, Report(number, 0, NOW_MS - 2, names_mule=False))

    said = judged(world)

    assert (said["payee_mule_reports"], said["payee_victim_reports"]) == (reports, later)


def test_a_full_link_keeps_the_32_accounts_that_it_knows() -> None:
    world = World()
    world.sighting("p", OTHER, NOW_MS - DAY_MS, NOW_MS - 30 * DAY_MS)
    for account in range(100, 131):
        world.sighting("p", account, NOW_MS - 9 * DAY_MS)
    world.sighting("p", 131, NOW_MS - HOUR_MS)

    said = judged(world, payee_person="p")

    assert (said["payee_person_accounts"], said["payee_person_taint"]) == (32, 0.5)
    assert said["payee_person_accounts_7d"] == 1


@pytest.mark.parametrize("told", ["sighting", "taint"])
def test_a_mule_comes_into_a_full_link_in_place_of_the_last_other_account(told: str) -> None:
    world = World()
    for account in range(100, 131):
        world.sighting("p", account, NOW_MS - 9 * DAY_MS)
    world.sighting("p", OTHER, NOW_MS - HOUR_MS)
    if told == "sighting":
        world.sighting("p", 131, NOW_MS - DAY_MS, NOW_MS - 30 * DAY_MS)
    else:
        world.taint("p", 131, NOW_MS - 30 * DAY_MS)

    said = judged(world, payee_person="p")

    assert (said["payee_person_accounts"], said["payee_person_taint"]) == (32, 0.5)
    # The one of an hour ago made room; nobody makes room once all are mules.
    assert said["payee_person_accounts_7d"] == (1 if told == "sighting" else 0)
    for account in range(200, 240):
        world.sighting("p", account, NOW_MS - 1, NOW_MS - 1)
    assert judged(world, payee_person="p")["payee_person_accounts_7d"] == 31 + (told == "sighting")


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_taint_dates_from_the_report_that_was_known_first(order: tuple[int, int]) -> None:
    world = World()
    world.sighting("p", OTHER, NOW_MS - DAY_MS)
    for halves in order:
        world.taint("p", OTHER, NOW_MS - halves * 30 * DAY_MS)
        world.sighting("p", OTHER, NOW_MS - 1)

    said = judged(world, payer_phone="p")

    assert (said["payer_phone_taint"], said["payer_phone_accounts"]) == (0.25, 1)


def test_own_accounts_and_machines_of_the_bank_taint_nothing() -> None:
    world = World()
    world.sighting("p", PAYER, NOW_MS - 2, NOW_MS - 1)
    world.sighting("p", PAYEE, NOW_MS - 2, NOW_MS - 1)
    places = ("device", "payer_phone", "payer_person", "payee_phone", "payee_person")
    said = judged(world, **dict.fromkeys(places, "p"))
    assert [said[f"{place}_accounts"] for place in places] == [1] * 5

    for channel in Channel:
        machine = Request(NOW_MS, 0, 1, TransferKind.TRANSFER, channel, payer_id=PAYER)
        said = world.judge(machine, links={"device": "p"})
        own = channel in {Channel.MOBILE, Channel.ONLINE}
        assert said["device_accounts"] == (1 if own else None)
    assert world.differences() == []


class TestTotals:
    @pytest.mark.parametrize(("newer", "counted"), [(23, 1), (24, 0)])
    def test_24_hours_are_kept(self, newer: int, counted: int) -> None:
        world = World()
        world.attempt(PAYER, event(0, 0))
        world.attempt(PAYER, *(event(number, -number * HOUR_MS) for number in range(1, newer + 1)))
        world.executed_out(PAYER, event(0, 0), POSTED)
        assert judged(world)["out_sum_hour"] == 100 * counted
        world.attempt(PAYER, event(99, 0))

        assert judged(world)["out_sum_hour"] == 200 * counted

    @pytest.mark.parametrize(("newer", "counted"), [(30, 1), (31, 0)])
    def test_31_days_are_kept(self, newer: int, counted: int) -> None:
        world = World()
        world.receive(PAYER, event(0, 0))
        world.receive(PAYER, *(event(number, -number * DAY_MS) for number in range(1, newer + 1)))
        assert judged(world)["in_sum_31d"] == 100 * counted
        world.receive(PAYER, event(99, 0))

        assert judged(world)["in_sum_31d"] == 200 * counted

    @pytest.mark.parametrize(("newer", "counted"), [(23, 1), (24, 0)])
    def test_the_oldest_hour_may_arrive_last(self, newer: int, counted: int) -> None:
        world = World()
        world.attempt(PAYER, *(event(number, -number * HOUR_MS) for number in range(1, newer + 1)))
        world.attempt(PAYER, event(0, 0))

        assert judged(world)["out_sum_hour"] == 100 * counted

    @pytest.mark.parametrize(("newer", "counted"), [(30, 1), (31, 0)])
    def test_the_oldest_day_may_arrive_last(self, newer: int, counted: int) -> None:
        world = World()
        world.receive(PAYER, *(event(number, -number * DAY_MS) for number in range(1, newer + 1)))
        world.receive(PAYER, event(0, 0))

        assert judged(world)["in_sum_31d"] == 100 * counted

    @pytest.mark.parametrize(("days", "within"), [(30, 1), (31, 0)])
    def test_today_and_30_days_before(self, days: int, within: int) -> None:
        world = World()
        world.attempt(PAYEE, event(1, days * DAY_MS, 50))
        world.receive(PAYEE, event(1, days * DAY_MS, 200), event(2, -5, 1))
        world.attempt(PAYER, event(1, days * DAY_MS))

        said = judged(world)

        assert said["out_count_31d"] == said["out_days_31d"] == within
        assert said["payee_in_days_31d"] == within
        assert said["payee_in_sum_31d"] == 1 + 200 * within
