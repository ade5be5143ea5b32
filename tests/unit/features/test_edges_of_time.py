"""Windows to the millisecond, ties, late events, local clocks: kernel, oracle, plain numbers."""

from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from tests.oracle.records import Event, Report, Request
from tests.oracle.time import DAY_MS, HOUR_MS, MINUTE_MS
from tests.oracle.value import Value
from tests.oracle_world import World

from fanzha.domain.vocabulary import Channel, DecisionKind, TransferKind

NOW_MS = int(datetime(2026, 11, 20, 6, 30, tzinfo=UTC).timestamp()) * 1000
PAYER, PAYEE, OTHER = 1, 2, 3
EDGES = {"10m": 10 * MINUTE_MS, "1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
ON_AND_AROUND = [(-1, 0), (0, 1), (1, 1)]
"""Milliseconds after the start of a window, and whether that is within it."""


def asked(time_ms: int = NOW_MS, amount: int = 1000, utc_offset_s: int = 0) -> Request:
    kind, channel = TransferKind.TRANSFER, Channel.MOBILE
    return Request(
        time_ms, utc_offset_s, amount, kind, channel, payer_id=PAYER, payee_id=PAYEE,
        balance_before_minor=5000,
    )  # fmt: skip


def event(number: int, time_ms: int, amount: int = 100, other: int = OTHER) -> Event:
    return Event(number, time_ms, amount, other)


def judged(world: World, request: Request, **links: str) -> dict[str, Value]:
    """Return what the oracle says, once the kernel has said the same."""
    said = world.judge(request, links=links)
    assert world.differences() == []
    return said


class TestWindows:
    @pytest.mark.parametrize(("after_ms", "within"), ON_AND_AROUND)
    @pytest.mark.parametrize("window", EDGES)
    def test_of_payments_out(self, window: str, after_ms: int, within: int) -> None:
        world = World()
        confirmed = Event(
            1, NOW_MS - EDGES[window] + after_ms, 100, PAYEE, DecisionKind.CONFIRM
        )  # fmt: skip
        world.attempt(PAYER, confirmed)

        said = judged(world, asked())

        assert said[f"out_count_{window}"] == within
        if window == "24h":
            assert said["out_restrained_24h"] == said["pair_attempts_24h"] == within
            assert said["out_rising_24h"] == said["out_new_payees_24h"] == within
            assert said["payer_quiet_days"] == (None if within else Fraction(DAY_MS + 1, DAY_MS))

    @pytest.mark.parametrize(("after_ms", "within"), ON_AND_AROUND)
    @pytest.mark.parametrize("window", ["1h", "24h", "7d"])
    def test_of_money_in(self, window: str, after_ms: int, within: int) -> None:
        world = World()
        for account in (PAYER, PAYEE):
            world.receive(account, event(1, NOW_MS - EDGES[window] + after_ms))

        said = judged(world, asked())

        assert said[f"payer_in_count_{window}"] == within
        assert said[f"payee_in_count_{window}"] == within
        if window == "24h":
            assert said["payee_in_new_payers_24h"] == within
            assert said["inflow_over_amount_24h"] == Fraction(within, 10)

    @pytest.mark.parametrize(("after_ms", "within"), ON_AND_AROUND)
    def test_of_payments_back(self, after_ms: int, within: int) -> None:
        world = World()
        world.receive(PAYER, event(1, NOW_MS - 30 * DAY_MS + after_ms, other=PAYEE))

        assert judged(world, asked())["pair_back_count_30d"] == within

    @pytest.mark.parametrize(("after_ms", "within"), ON_AND_AROUND)
    def test_of_an_older_payment_to_the_same(self, after_ms: int, within: int) -> None:
        world = World()
        for number, time_ms in enumerate((NOW_MS - DAY_MS + after_ms, NOW_MS - 5)):
            world.attempt(PAYER, event(number, time_ms))
            world.receive(PAYER, event(number, time_ms))

        said = judged(world, asked())

        assert said["out_new_payees_24h"] == said["payer_in_new_payers_24h"] == within

    @pytest.mark.parametrize(("after_ms", "within"), ON_AND_AROUND)
    def test_of_reports_and_sightings(self, after_ms: int, within: int) -> None:
        world = World()
        known_ms = NOW_MS - 30 * DAY_MS + after_ms
        world.report(PAYER, Report(1, known_ms - 5, known_ms, names_mule=True))
        world.sighting("p", OTHER, NOW_MS - 7 * DAY_MS + after_ms)

        said = judged(world, asked(), device="p")

        assert said["payer_mule_reports"] == said["device_accounts"] == 1
        assert said["payer_mule_reports_30d"] == said["device_accounts_7d"] == within


class TestBeforeTheTransfer:
    @pytest.mark.parametrize(("after_ms", "before"), [(-1, 1), (0, 0), (1, 0)])
    def test_only_what_is_before_it_counts(self, after_ms: int, before: int) -> None:
        world, time_ms = World(), NOW_MS + after_ms
        world.attempt(PAYER, event(1, time_ms))
        world.receive(PAYEE, event(1, time_ms))
        world.report(PAYEE, Report(1, time_ms - 5, time_ms, names_mule=True))
        world.sighting("p", OTHER, time_ms)
        world.sighting("q", OTHER, NOW_MS - DAY_MS, time_ms)

        said = judged(world, asked(), device="p", payee_phone="q")

        assert said["out_count_10m"] == said["payee_in_count_1h"] == before
        assert said["payee_mule_reports"] == said["device_accounts"] == before
        assert said["payee_phone_accounts"] == 1
        assert (said["payee_phone_taint"] != 0) == bool(before)
        assert (said["minutes_since_out"] is None) == (not before)
        # Totals are of whole days and hours, also what is later.
        assert said["out_count_today"] == said["payee_in_count_today"] == 1

    def test_what_arrives_late_has_its_own_time(self) -> None:
        world = World()
        world.attempt(PAYER, event(1, NOW_MS - MINUTE_MS, 300), event(2, NOW_MS - HOUR_MS, 200))
        world.attempt(PAYER, event(3, NOW_MS - 2 * HOUR_MS, 100), event(4, NOW_MS + 1, 1))

        said = judged(world, asked())

        assert said["minutes_since_out"] == 1
        assert said["out_rising_24h"] == 3

    def test_a_reversal_or_report_is_not_known_to_earlier_transfers(self) -> None:
        world = World()
        world.attempt(PAYER, event(1, NOW_MS - HOUR_MS))

        before = judged(world, asked())
        world.report(PAYER, Report(1, NOW_MS - DAY_MS, NOW_MS - 1, names_mule=False))
        after = judged(world, asked())

        assert (before["payer_victim_reports"], after["payer_victim_reports"]) == (0, 1)
        assert after["payer_days_since_report"] == Fraction(1, DAY_MS)


class TestTies:
    @pytest.mark.parametrize(("amounts", "rising"), [((100, 200), 2), ((200, 100), 1)])
    def test_the_last_to_arrive_is_the_later_one(
        self, amounts: tuple[int, int], rising: int
    ) -> None:
        world = World()
        for number, amount in enumerate(amounts):
            world.attempt(PAYER, event(number, NOW_MS - 5, amount))

        assert judged(world, asked())["out_rising_24h"] == rising

    def test_equal_amounts_do_not_rise(self) -> None:
        world = World()
        world.attempt(PAYER, event(1, NOW_MS - 5, 1000))

        assert judged(world, asked(amount=1000))["out_rising_24h"] == 0
        assert judged(world, asked(amount=1001))["out_rising_24h"] == 1

    @pytest.mark.parametrize(("later_ms", "ratio"), [(0, None), (1, 9)])
    def test_large_has_to_be_later_than_small(self, later_ms: int, ratio: int | None) -> None:
        world = World()
        time_ms = NOW_MS - HOUR_MS
        world.receive(PAYEE, event(1, time_ms, 100), event(2, time_ms + later_ms, 900))

        assert judged(world, asked())["payee_small_then_large_24h"] == ratio

    def test_the_earliest_of_equally_small_ones_is_meant(self) -> None:
        world = World()
        for number, (minutes, amount) in enumerate(((5, 100), (10, 900), (15, 100))):
            world.receive(PAYEE, event(number, NOW_MS - minutes * MINUTE_MS, amount))

        assert judged(world, asked())["payee_small_then_large_24h"] == 9

    @pytest.mark.parametrize(("later_ms", "minutes"), [(-1, None), (0, 0), (30_000, 0.5)])
    def test_money_may_go_on_in_the_same_millisecond(
        self, later_ms: int, minutes: float | None
    ) -> None:
        world = World()
        world.receive(PAYEE, event(1, NOW_MS - HOUR_MS))
        world.attempt(PAYEE, event(2, NOW_MS - HOUR_MS + later_ms))

        assert judged(world, asked())["payee_minutes_in_to_out_24h"] == minutes


@pytest.mark.parametrize(
    ("instant", "zone", "hour", "weekday", "month_day"),
    [
        ("2024-02-28T16:00:00", "Asia/Shanghai", 0, 3, 29),
        ("2028-02-29T15:59:59.999", "Asia/Shanghai", Fraction(1439, 60), 1, 29),
        ("2000-02-29T12:00:00", "UTC", 12, 1, 29),
        ("2027-02-28T23:59:59.999", "UTC", Fraction(1439, 60), 6, 28),
        ("2027-03-01T00:00:00", "UTC", 0, 0, 1),
        ("2026-12-31T23:59:59.999", "UTC", Fraction(1439, 60), 3, 31),
        ("2026-12-31T16:00:00", "Asia/Shanghai", 0, 4, 1),
        ("2026-03-08T06:59:59.999", "America/New_York", Fraction(119, 60), 6, 8),
        ("2026-03-08T07:00:00", "America/New_York", 3, 6, 8),
        ("2026-11-01T05:30:00", "America/New_York", 1.5, 6, 1),
        ("2026-11-01T06:30:00", "America/New_York", 1.5, 6, 1),
        ("2026-04-04T15:00:00", "Australia/Lord_Howe", 1.5, 6, 5),
        ("2026-10-03T15:30:00", "Australia/Lord_Howe", 2.5, 6, 4),
        ("2026-06-15T10:15:59.999", "Pacific/Kiritimati", 0.25, 1, 16),
        ("2026-06-15T11:59:59.999", "Etc/GMT+12", Fraction(1439, 60), 6, 14),
    ],
)
def test_local_clocks(
    instant: str, zone: str, hour: float | Fraction, weekday: int, month_day: int
) -> None:
    moment = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    time_ms = round(moment.timestamp() * 1000)

    said = judged(World(), asked(time_ms, utc_offset_s=round(offset.total_seconds())))

    assert (said["hour"], said["weekday"], said["month_day"]) == (hour, weekday, month_day)


def test_each_event_counts_in_the_hour_of_its_own_offset() -> None:
    """New York, first of November: 1:30 comes twice, an hour apart."""
    second_ms = round(datetime(2026, 11, 1, 6, 30, tzinfo=UTC).timestamp()) * 1000
    world = World()
    summer, winter = -4 * 3600, -5 * 3600
    first = Event(1, second_ms - HOUR_MS, 100, OTHER, utc_offset_s=summer)
    world.attempt(PAYER, first)

    assert judged(world, asked(second_ms, utc_offset_s=winter))["out_sum_hour"] == 100
    assert judged(world, asked(second_ms, utc_offset_s=summer))["out_sum_hour"] == 0


@pytest.mark.parametrize("utc_offset_s", range(-12 * 3600, 14 * 3600 + 1, 900))
def test_days_and_hours_begin_by_the_local_clock(utc_offset_s: int) -> None:
    midnight_ms = NOW_MS // DAY_MS * DAY_MS - utc_offset_s * 1000
    world = World()
    for number, time_ms in enumerate((midnight_ms - 1, midnight_ms, midnight_ms + HOUR_MS)):
        paid = Event(number, time_ms, 10**number, OTHER, utc_offset_s=utc_offset_s)
        world.attempt(PAYER, paid)

    said = judged(world, asked(midnight_ms, utc_offset_s=utc_offset_s))

    assert (said["out_sum_hour"], said["out_sum_today"], said["out_sum_31d"]) == (10, 110, 111)
    assert said["out_days_31d"] == 1
