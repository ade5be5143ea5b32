from datetime import date

import numpy as np
import polars as pl
from tests.training.worlds import (
    DAY_MS,
    HOUR_MS,
    WORLD,
    hours,
    ordinary,
    the_transfers,
    the_world,
)

from fanzha_training.simulate.calendar import is_free, is_spring_festival, shopping_weights
from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.run import simulate


class TestDailyLife:
    """Balances, channels, hours: daily life as a bank sees it."""

    def test_balances_never_fall_below_zero(self) -> None:
        known = the_transfers().drop_nulls("balance_before_minor")
        posted = known.filter(pl.col("execution") == "posted")

        assert (known["balance_before_minor"] >= 0).all()
        assert (posted["amount_minor"] <= posted["balance_before_minor"]).all()
        assert (the_transfers()["amount_minor"] >= 1).all()
        assert 0.7 < len(known) / len(the_transfers()) < 0.95

    def test_executions_follow_their_transfers(self) -> None:
        shares = dict(the_transfers()["execution"].value_counts(normalize=True).rows())

        assert (the_transfers()["execution_time_ms"] > the_transfers()["time_ms"]).all()
        assert set(shares) == {"posted", "failed", "reversed"}
        assert shares["posted"] > 0.98

    def test_cash_has_no_payee_and_money_that_moves_has_one(self) -> None:
        cash = the_transfers().filter(pl.col("kind") == "cash_withdrawal")
        moved = the_transfers().filter(
            pl.col("kind").is_in(["transfer", "loan_payout", "deposit_break"])
        )

        assert len(cash) > 0
        assert cash["payee_account"].null_count() == len(cash)
        assert moved["payee_account"].null_count() == 0
        assert (moved["payee_account"] != moved["payer_account"]).all()

    def test_every_channel_and_kind_occurs(self) -> None:
        assert set(the_transfers()["channel"]) == {
            "counter", "atm", "smart_teller", "mobile", "online",
        }  # fmt: skip
        assert set(ordinary()["kind"]) == {
            "transfer", "cash_withdrawal", "gold_purchase", "overseas_use", "loan_payout",
            "deposit_break",
        }  # fmt: skip

    def test_counters_see_customers_in_opening_hours_and_little_of_their_telephones(self) -> None:
        here = ordinary().filter(pl.col("channel") == "counter").drop_nulls("payer_open_date")

        assert hours(here).is_between(8, 18).mean() > 0.97
        assert (here["terminal_id"] != "").all()
        assert here["call_in_progress"].null_count() / len(here) > 0.8

    def test_companies_pay_many_wages_within_minutes(self) -> None:
        wages = the_transfers().filter(
            pl.col("remark") == "工资", pl.col("payer_type") == "company"
        )
        runs = wages.group_by("payer_account").agg(
            pl.len(), span=pl.col("time_ms").max() - pl.col("time_ms").min()
        )

        assert runs["len"].mean() > 5
        assert (runs["span"] <= HOUR_MS).all()

    def test_lenders_pay_loans_out_and_deposits_go_to_their_owner(self) -> None:
        loans = ordinary().filter(pl.col("kind") == "loan_payout")
        broken = ordinary().filter(pl.col("kind") == "deposit_break")

        assert set(loans["payer_type"]) == {"company"}
        assert set(loans["payee_type"]) == {"person"}
        assert broken["payee_same_owner"].all()

    def test_dormant_accounts_hardly_move(self) -> None:
        people = the_world().world.people
        share = people.dormant.mean()

        assert 0.02 < share < 0.08


class TestCalendar:
    """Weekends, holidays and shopping festivals by rule."""

    def test_spring_festival_and_national_day_are_free(self) -> None:
        assert is_spring_festival(date(2027, 2, 5))
        assert is_spring_festival(date(2027, 2, 12))
        assert not is_spring_festival(date(2027, 2, 13))
        assert is_free(date(2026, 10, 7))
        assert not is_free(date(2026, 10, 9))

    def test_more_is_bought_on_double_eleven(self) -> None:
        before, festival = shopping_weights([date(2026, 11, 10), date(2026, 11, 11)])

        assert festival > 2 * before

    def test_a_festival_shows_in_the_table(self) -> None:
        world = simulate(Parameters(customers=300, days=4, start=date(2026, 11, 9)))
        frame = pl.DataFrame(pl.from_arrow(world.transfers))
        day = (frame["time_ms"] - world.world.period.start_ms) // DAY_MS
        bought = frame.filter(frame["remark"] == "购物").select(day.filter(
            frame["remark"] == "购物").alias("day"))  # fmt: skip
        counts = dict(bought["day"].value_counts().rows())

        assert counts[2] > 1.5 * counts[1]


class TestPeople:
    """Ages follow segments; families share telephones."""

    def test_the_retired_are_old_and_students_young(self) -> None:
        people = the_world().world.people
        age = people.age

        assert np.median(age[people.segment == 4]) > 60
        assert np.median(age[people.segment == 1]) < 25
        assert 0 < (age < 18).mean() < 0.06

    def test_minors_use_the_device_of_a_relative(self) -> None:
        world = the_world().world
        device = world.book["device"][world.people.account]
        minors = np.flatnonzero(world.people.age < 18)
        shared = device[minors] == device[world.people.guardian[minors]]

        assert shared.mean() > 0.6

    def test_honest_owners_share_devices(self) -> None:
        devices = (
            ordinary()
            .drop_nulls(["device_id", "payer_open_date"])
            .group_by("device_id")
            .agg(owners=pl.col("payer_person").n_unique())
        )

        assert 0.01 < (devices["owners"] >= 2).mean() < 0.2


class TestLookAlikes:
    """Honest payments and accounts that look like fraud and mules."""

    def test_shop_keepers_are_paid_by_many_people_they_never_met(self) -> None:
        keepers = ordinary().filter(pl.col("payee_segment") == "shop_keeper")
        assert most_first_payers_in_a_day(keepers) >= 8

    def test_so_are_accounts_of_private_persons(self) -> None:
        private = ordinary().filter(
            pl.col("payee_segment").is_in(["worker", "student", "other", "unemployed"])
        )
        assert most_first_payers_in_a_day(private) >= 8

    def test_honest_money_leaves_within_the_hour_of_a_loan(self) -> None:
        loans = ordinary().filter(pl.col("kind") == "loan_payout")
        out = ordinary().filter(pl.col("kind") == "transfer", pl.col("amount_minor") >= 200_000)
        pairs = loans.join(out, left_on="payee_account", right_on="payer_account", suffix="_out")
        soon = pairs.filter(
            (pl.col("time_ms_out") - pl.col("time_ms")).is_between(0, HOUR_MS),
            pl.col("amount_minor_out") >= 0.5 * pl.col("amount_minor"),
        )

        assert len(soon) >= 3

    def test_honest_large_first_payments_outnumber_the_fraudulent_ones(self) -> None:
        first = (
            the_transfers()
            .filter(
                pl.col("kind") == "transfer",
                pl.col("payer_type") == "person",
                pl.col("payer_open_date").is_not_null(),
            )
            .unique(["payer_account", "payee_account"], keep="first", maintain_order=True)
        )
        # In the first week everybody is new to everybody.
        settled = pl.col("time_ms") > the_transfers()["time_ms"][0] + 7 * DAY_MS
        large = first.filter(settled, pl.col("amount_minor") >= 500_000, ~pl.col("is_mule_flow"))

        assert large["is_fraud"].sum() > 20
        # The world's fraud is over-sampled more than a hundredfold.
        assert (~large["is_fraud"]).sum() > 1.5 * large["is_fraud"].sum()
        assert WORLD.over_sampling > 100

    def test_some_honest_sessions_have_calls_shared_screens_and_new_devices(self) -> None:
        assert 0.003 < ordinary()["call_in_progress"].mean() < 0.012
        assert 0.0005 < ordinary()["screen_shared"].mean() < 0.003
        assert 0.001 < ordinary()["new_device"].mean() < 0.02

    def test_honest_nights_hold_several_payments_of_one_payer(self) -> None:
        nights = ordinary().filter(hours(ordinary()).is_between(0, 3))
        streaks = nights.group_by("payer_account", pl.col("time_ms") // DAY_MS).len()

        assert (streaks["len"] >= 4).sum() >= 5


def most_first_payers_in_a_day(payments: pl.DataFrame) -> int:
    first_meetings = payments.unique(["payer_account", "payee_account"], keep="first")
    fan_in = first_meetings.group_by("payee_account", pl.col("time_ms") // DAY_MS).len()
    most = fan_in["len"].max()
    assert isinstance(most, int)
    return most
