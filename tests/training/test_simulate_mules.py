from datetime import date

import numpy as np
import polars as pl
from tests.training.worlds import DAY_MS, HOUR_MS, ordinary, the_transfers, the_world

from fanzha_training.simulate.mules import BOUGHT, COMPANY, KINDS, RENTED


class TestMules:
    """Accounts of five kinds in three layers, used by several victims, then burned."""

    def test_a_mule_receives_from_several_victims_within_days(self) -> None:
        mules = fraud_to_accounts().group_by("payee_account").agg(
            victims=pl.col("payer_account").n_unique(),
            days=(pl.col("time_ms").max() - pl.col("time_ms").min()) / DAY_MS,
        )  # fmt: skip

        assert (mules["victims"] >= 2).mean() > 0.2
        assert mules["days"].median() < 4

    def test_there_are_accounts_of_every_kind_in_every_layer(self) -> None:
        recruits = the_world().frauds.recruits

        assert {recruit.kind for recruit in recruits} == {*KINDS, COMPANY}
        assert {recruit.layer for recruit in recruits} == {1, 2, 3}

    def test_mules_are_young_old_and_elsewhere(self) -> None:
        mules = fraud_to_accounts().unique("payee_account")
        age_days = (date(2026, 6, 1) - mules["payee_open_date"]).dt.total_days()

        assert (age_days < 60).sum() > 0
        assert (age_days > 300).sum() > 0
        assert age_days.null_count() > 0

    def test_the_owners_life_goes_on_if_rented_and_ends_if_bought(self) -> None:
        world = the_world().world
        recruits = the_world().frauds.recruits
        bought = [recruit.account for recruit in recruits if recruit.kind == BOUGHT]
        rented = [recruit.account for recruit in recruits if recruit.kind == RENTED]
        sold_ms = world.book["sold_ms"]

        # Where too many customers serve rings already, an account like theirs is opened instead.
        assert (sold_ms[bought] < 2**62).any()
        assert np.isin(rented, world.people.account).any()
        assert (sold_ms[rented] == 2**62).all()

    def test_owners_of_different_accounts_share_devices_and_lines(self) -> None:
        flows = the_transfers().filter("is_mule_flow").drop_nulls(["device_id", "payer_open_date"])
        by_device = flows.group_by("device_id").agg(owners=pl.col("payer_person").n_unique())
        by_line = flows.group_by("payer_phone").agg(owners=pl.col("payer_person").n_unique())
        by_account = flows.group_by("payer_account").agg(devices=pl.col("device_id").n_unique())

        assert (by_device["owners"] >= 3).mean() > 0.2
        assert (by_line["owners"] >= 2).sum() > 3
        assert (by_account["devices"] >= 2).sum() > 3


class TestLaundering:
    """Most of the money moves on within minutes or hours, in parts, until it leaves the bank."""

    def test_most_of_a_large_payment_moves_on_the_same_day(self) -> None:
        onward = the_transfers().filter("is_mule_flow", pl.col("execution") == "posted")
        shares = []
        soon = 0
        for row in payments_to_mules_here().iter_rows(named=True):
            moved = onward.filter(
                pl.col("payer_account") == row["payee_account"],
                pl.col("episode_id") == row["episode_id"],
                pl.col("time_ms").is_between(row["time_ms"], row["time_ms"] + 12 * HOUR_MS),
            )
            shares.append(moved["amount_minor"].sum() / row["amount_minor"])
            soon += len(moved.filter(pl.col("time_ms") < row["time_ms"] + HOUR_MS)) > 0

        assert len(shares) > 10
        assert 0.6 < np.median(shares) < 1.5
        assert 0.3 < soon / len(shares) < 0.95

    def test_money_leaves_the_bank_as_cash_and_virtual_assets(self) -> None:
        flows = the_transfers().filter("is_mule_flow")

        assert {"transfer", "cash_withdrawal"} <= set(flows["kind"])
        assert "virtual_asset_merchant" in set(flows["payee_type"])
        assert not flows["is_fraud"].any()

    def test_parts_stay_below_limits(self) -> None:
        flows = the_transfers().filter("is_mule_flow", pl.col("kind") == "transfer")
        just_under = flows["amount_minor"].is_between(4_900_000, 4_999_999).sum()
        at_machines = the_transfers().filter("is_mule_flow", pl.col("channel") == "atm")

        assert just_under > 0
        assert at_machines["amount_minor"].max() <= 500_000

    def test_banks_do_not_know_of_it_by_their_own_columns(self) -> None:
        assert ordinary()["episode_id"].null_count() == len(ordinary())


def fraud_to_accounts() -> pl.DataFrame:
    return the_transfers().filter("is_fraud", pl.col("kind") == "transfer")


def payments_to_mules_here() -> pl.DataFrame:
    return fraud_to_accounts().filter(
        "payee_same_bank",
        pl.col("execution") == "posted",
        pl.col("speed") == "real_time",
        pl.col("amount_minor") >= 500_000,
        pl.col("time_ms") < the_transfers()["time_ms"][-1] - 13 * HOUR_MS,
    )
