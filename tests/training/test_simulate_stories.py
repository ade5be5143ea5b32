from collections.abc import Iterator
from datetime import date

import numpy as np
import polars as pl
import pytest

from fanzha.domain.vocabulary import FraudType
from fanzha_training.simulate.parameters import FRAUD_MIX, Parameters, parse_fraud_mix
from fanzha_training.simulate.run import Simulation, simulate
from fanzha_training.simulate.scripts import SCRIPTS
from fanzha_training.table import TRUTH_COLUMNS, word_of

WORLD = Parameters(customers=1200, days=24, seed=11, fraud_per_million=5000)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLD)


@pytest.fixture(scope="module")
def transfers(world: Simulation) -> pl.DataFrame:
    frame = pl.from_arrow(world.transfers)
    assert isinstance(frame, pl.DataFrame)
    return frame


@pytest.fixture(scope="module")
def outcomes(world: Simulation, transfers: pl.DataFrame) -> pl.DataFrame:
    frame = pl.from_arrow(world.outcomes)
    assert isinstance(frame, pl.DataFrame)
    return frame.join(transfers, on="request_id", suffix="_true", maintain_order="left")


def payments_of(transfers: pl.DataFrame, script: str) -> pl.DataFrame:
    return transfers.filter("is_fraud", pl.col("fraud_type") == script)


def episodes_of(transfers: pl.DataFrame, script: str) -> Iterator[pl.DataFrame]:
    fraud = payments_of(transfers, script)
    yield from fraud.partition_by("episode_id", maintain_order=True)


def ordinary(transfers: pl.DataFrame) -> pl.DataFrame:
    return transfers.filter(~pl.col("is_fraud") & ~pl.col("is_mule_flow"))


class TestDailyLife:
    """Daily life with hard negatives: fan-in, night orders, large payments to new payees."""

    def test_balances_never_fall_below_zero(self, transfers: pl.DataFrame) -> None:
        known = transfers.drop_nulls("balance_before_minor")
        posted = known.filter(pl.col("execution") == "posted")

        assert (known["balance_before_minor"] >= 0).all()
        assert (posted["amount_minor"] <= posted["balance_before_minor"]).all()
        assert (transfers["amount_minor"] >= 1).all()
        assert 0.7 < len(known) / len(transfers) < 0.95

    def test_executions_follow_their_transfers(self, transfers: pl.DataFrame) -> None:
        shares = transfers["execution"].value_counts(normalize=True)

        assert (transfers["execution_time_ms"] > transfers["time_ms"]).all()
        assert set(shares["execution"]) == {"posted", "failed", "reversed"}
        assert dict(shares.rows())["posted"] > 0.99

    def test_cash_has_no_payee_and_transfers_have_one(self, transfers: pl.DataFrame) -> None:
        cash = transfers.filter(pl.col("kind") == "cash_withdrawal")
        moved = transfers.filter(pl.col("kind") == "transfer")

        assert len(cash) > 0
        assert cash["payee_account"].null_count() == len(cash)
        assert moved["payee_account"].null_count() == 0
        assert (moved["payee_account"] != moved["payer_account"]).all()

    def test_every_channel_and_kind_occurs(self, transfers: pl.DataFrame) -> None:
        assert set(transfers["channel"]) == {"counter", "atm", "smart_teller", "mobile", "online"}
        assert set(transfers["kind"]) == {
            "transfer", "cash_withdrawal", "gold_purchase", "overseas_use",
        }  # fmt: skip

    def test_counters_see_customers_in_opening_hours_and_little_of_their_telephones(
        self, transfers: pl.DataFrame
    ) -> None:
        counter = ordinary(transfers).filter(pl.col("channel") == "counter")
        here = counter.drop_nulls("payer_open_date")
        hours = (here["time_ms"] + 8 * HOUR_MS) % DAY_MS // HOUR_MS

        assert hours.is_between(8, 18).mean() > 0.98
        assert (here["terminal_id"] != "").all()
        assert here["call_in_progress"].null_count() / len(here) > 0.8

    def test_shop_keepers_are_paid_by_many_people_they_never_met(
        self, transfers: pl.DataFrame
    ) -> None:
        keepers = ordinary(transfers).filter(pl.col("payee_segment") == "shop_keeper")
        first_meetings = keepers.unique(["payer_account", "payee_account"], keep="first")
        day = pl.col("time_ms") // DAY_MS
        fan_in = first_meetings.group_by("payee_account", day).len()

        assert fan_in["len"].max() >= 8

    def test_companies_pay_many_wages_within_minutes(self, transfers: pl.DataFrame) -> None:
        wages = transfers.filter(pl.col("remark") == "工资", pl.col("payer_type") == "company")
        runs = wages.group_by("payer_account").agg(
            pl.len(), span=pl.col("time_ms").max() - pl.col("time_ms").min()
        )

        assert runs["len"].mean() > 5
        assert (runs["span"] <= HOUR_MS).all()

    def test_honest_large_first_payments_outnumber_the_fraudulent_ones(
        self, transfers: pl.DataFrame
    ) -> None:
        first = transfers.filter(
            pl.col("kind") == "transfer",
            pl.col("payer_type") == "person",
            pl.col("payer_open_date").is_not_null(),
        ).unique(["payer_account", "payee_account"], keep="first", maintain_order=True)
        # In the first week everybody is new to everybody.
        settled = pl.col("time_ms") > transfers["time_ms"][0] + 7 * DAY_MS
        large = first.filter(settled, pl.col("amount_minor") >= 500_000, ~pl.col("is_mule_flow"))

        assert large["is_fraud"].sum() > 20
        assert (~large["is_fraud"]).sum() > 1.5 * large["is_fraud"].sum()

    def test_some_honest_sessions_have_calls_shared_screens_and_new_devices(
        self, transfers: pl.DataFrame
    ) -> None:
        honest = ordinary(transfers)

        assert 0.003 < honest["call_in_progress"].mean() < 0.01
        assert 0.0005 < honest["screen_shared"].mean() < 0.003
        assert 0.001 < honest["new_device"].mean() < 0.02


class TestScripts:
    """Four scripts, each with the shape that its file describes."""

    def test_there_is_a_script_for_each_name_of_the_mix(self) -> None:
        assert set(SCRIPTS) == set(FRAUD_MIX)
        assert set(SCRIPTS) <= {word_of(member) for member in FraudType}

    def test_every_script_is_played_and_fraud_is_as_frequent_as_asked(
        self, transfers: pl.DataFrame
    ) -> None:
        per_million = 1e6 * transfers["is_fraud"].mean()

        assert set(transfers.filter("is_fraud")["fraud_type"]) == set(SCRIPTS)
        assert 0.75 < per_million / WORLD.fraud_per_million < 1.15

    def test_the_mix_shifts_tactics(self) -> None:
        mix = parse_fraud_mix("impersonated_authority=3, fake_investment=0")
        shifted = simulate(Parameters(customers=200, days=6, fraud_per_million=8000, fraud_mix=mix))

        types = set(shifted.transfers["fraud_type"].to_pylist()) - {None}
        assert types == {"impersonated_authority"}

    def test_task_rebates_pay_back_first_and_then_escalate(self, transfers: pl.DataFrame) -> None:
        episodes = list(episodes_of(transfers, "task_rebate"))
        mule_flows = transfers.filter("is_mule_flow", pl.col("fraud_type") == "task_rebate")
        paid_back = 0
        growth = []
        payees = []
        for episode in episodes:
            victim = episode["payer_account"][0]
            rebates = mule_flows.filter(
                pl.col("payee_account") == victim, pl.col("time_ms") < episode["time_ms"][-1]
            )
            paid_back += len(rebates) > 0
            growth.append(episode["amount_minor"].max() / episode["amount_minor"][0])
            payees.append(episode["payee_account"].n_unique() / len(episode))

        assert paid_back / len(episodes) > 0.5
        assert np.median(growth) > 3
        assert np.mean(payees) > 0.8

    def test_fake_customer_service_shares_screens_and_sweeps_within_hours(
        self, transfers: pl.DataFrame
    ) -> None:
        fraud = payments_of(transfers, "fake_customer_service")
        episodes = list(episodes_of(transfers, "fake_customer_service"))
        spans = [episode["time_ms"][-1] - episode["time_ms"][0] for episode in episodes]
        swept = [
            episode["amount_minor"].sum() / episode["balance_before_minor"].drop_nulls().max()
            for episode in episodes
            if episode["balance_before_minor"].count()
        ]

        assert fraud["screen_shared"].mean() > 0.3
        assert fraud["call_in_progress"].mean() > 0.4
        assert max(spans) < 3 * HOUR_MS
        assert np.median(swept) > 0.6

    def test_impersonated_authorities_take_new_devices_and_whole_balances(
        self, transfers: pl.DataFrame
    ) -> None:
        fraud = payments_of(transfers, "impersonated_authority")
        share = fraud["amount_minor"] / fraud["balance_before_minor"]
        per_episode = fraud.group_by("episode_id").agg(pl.col("payee_account").n_unique())

        honest = ordinary(transfers)
        for signal in ("new_device", "limit_just_raised", "call_in_progress"):
            assert fraud[signal].mean() > 10 * honest[signal].mean()
        assert share.median() > 0.6
        assert (per_episode["payee_account"] == 1).all()
        assert (fraud["payer_segment"] == "retired").mean() > 0.2

    def test_fake_investments_grow_over_days_to_few_payees(self, transfers: pl.DataFrame) -> None:
        episodes = [e for e in episodes_of(transfers, "fake_investment") if len(e) >= 4]
        spans = [(e["time_ms"][-1] - e["time_ms"][0]) / DAY_MS for e in episodes]
        growth = [e["amount_minor"].max() / e["amount_minor"][0] for e in episodes]
        payees = [e["payee_account"].n_unique() / len(e) for e in episodes]
        kinds = set(payments_of(transfers, "fake_investment")["payee_type"])

        assert np.median(spans) > 4
        assert np.median(growth) > 2
        assert np.median(payees) < 0.8
        assert kinds == {"person", "company"}

    def test_some_victims_show_nothing(self, transfers: pl.DataFrame) -> None:
        fraud = payments_of(transfers, "fake_customer_service")
        silent = fraud.group_by("episode_id").agg(
            pl.any_horizontal("call_in_progress", "screen_shared").any().alias("shows")
        )

        assert (~silent["shows"].fill_null(False)).sum() > 0

    def test_no_single_column_separates_fraud(self, transfers: pl.DataFrame) -> None:
        names = {
            "request_id", "transfer_id", "payer_account", "payer_person", "payer_phone",
            "payee_account", "payee_person", "payee_phone", "device_id", *TRUTH_COLUMNS,
        }  # fmt: skip
        best = {
            name: best_f1(transfers[name], transfers["is_fraud"].to_numpy())
            for name in transfers.columns
            if name not in names
        }

        assert max(best.values()) < 0.5, best

    def test_no_signal_has_a_high_precision_alone(self, transfers: pl.DataFrame) -> None:
        for signal in ("call_in_progress", "new_device", "new_e_channel", "limit_just_raised"):
            assert transfers.filter(signal)["is_fraud"].mean() < 0.35


def best_f1(column: pl.Series, fraud: "np.typing.NDArray[np.bool_]") -> float:
    """Return the best F1 score of one threshold on a column, or of one set of its words."""
    if column.dtype in (pl.String, pl.Boolean):
        by_word = pl.DataFrame({"word": column, "fraud": fraud}).group_by("word").agg(
            rate=pl.col("fraud").mean()
        )  # fmt: skip
        rates = dict(by_word.rows())
        values = np.array([rates[word] for word in column])
    else:
        values = column.to_physical().cast(pl.Float64).fill_null(-1e18).to_numpy()
    best = 0.0
    for signed in (values, -values):
        order = np.argsort(-signed, kind="stable")
        hits = np.cumsum(fraud[order])
        f1 = 2 * hits / (np.arange(1, len(hits) + 1) + fraud.sum())
        ends = np.append(np.diff(signed[order]) != 0, [True])
        best = max(best, float(f1[ends].max()))
    return best


class TestMules:
    """Mules receive from several victims in a short time and pass on 80 to 95 % in minutes."""

    def test_a_mule_receives_from_several_victims(self, transfers: pl.DataFrame) -> None:
        fraud = transfers.filter("is_fraud")
        mules = fraud.group_by("payee_account").agg(
            victims=pl.col("payer_account").n_unique(),
            days=(pl.col("time_ms").max() - pl.col("time_ms").min()) / DAY_MS,
        )

        assert (mules["victims"] >= 3).mean() > 0.2
        assert mules["days"].median() < 4

    def test_most_of_a_large_payment_moves_on_within_the_hour(
        self, transfers: pl.DataFrame
    ) -> None:
        onward = transfers.filter("is_mule_flow", pl.col("execution") == "posted")
        shares = []
        for row in payments_to_mules_here(transfers).iter_rows(named=True):
            moved = onward.filter(
                pl.col("payer_account") == row["payee_account"],
                pl.col("episode_id") == row["episode_id"],
                pl.col("time_ms").is_between(row["time_ms"], row["time_ms"] + HOUR_MS),
            )
            shares.append(moved["amount_minor"].sum() / row["amount_minor"])

        assert len(shares) > 10
        assert 0.75 < np.median(shares) < 1.5

    def test_money_leaves_the_bank_as_cash_and_virtual_assets(
        self, transfers: pl.DataFrame
    ) -> None:
        flows = transfers.filter("is_mule_flow")

        assert {"transfer", "cash_withdrawal"} <= set(flows["kind"])
        assert "virtual_asset_merchant" in set(flows["payee_type"])
        assert not flows["is_fraud"].any()

    def test_mules_are_fresh_dormant_rented_and_elsewhere(self, transfers: pl.DataFrame) -> None:
        mules = transfers.filter("is_fraud").unique("payee_account")
        age_days = (date(2026, 6, 1) - mules["payee_open_date"]).dt.total_days()
        payers = ordinary(transfers)["payer_account"]
        with_ordinary_life = mules.filter(pl.col("payee_account").is_in(payers.implode()))

        assert (age_days < 60).sum() > 0
        assert (age_days > 300).sum() > 0
        assert age_days.null_count() > 0
        assert 0 < len(with_ordinary_life) < len(mules)


def payments_to_mules_here(transfers: pl.DataFrame) -> pl.DataFrame:
    return transfers.filter(
        "is_fraud",
        "payee_same_bank",
        pl.col("execution") == "posted",
        pl.col("speed") == "real_time",
        pl.col("amount_minor") >= 500_000,
        pl.col("time_ms") < transfers["time_ms"][-1] - 2 * HOUR_MS,
    )


class TestOutcomes:
    """Labels come late, not for all, and not always right."""

    def test_reports_come_after_their_transfers(self, outcomes: pl.DataFrame) -> None:
        assert outcomes["time_ms"].null_count() == 0
        assert (outcomes["report_time_ms"] > outcomes["time_ms"]).all()
        assert outcomes["report_time_ms"].is_sorted()

    def test_reports_take_days(self, transfers: pl.DataFrame, outcomes: pl.DataFrame) -> None:
        reported = outcomes.filter("is_fraud", pl.col("outcome") == "confirmed_fraud")
        last = transfers.filter("is_fraud").group_by("episode_id").agg(last=pl.col("time_ms").max())
        waits = (
            reported.join(last, on="episode_id")
            .group_by("episode_id")
            .agg(days=(pl.col("report_time_ms") - pl.col("last")).first() / DAY_MS)
        )

        assert 1 < waits["days"].median() < 4
        assert waits["days"].max() <= 20

    def test_some_victims_never_report_and_few_reports_are_wrong(
        self, transfers: pl.DataFrame, outcomes: pl.DataFrame
    ) -> None:
        said = outcomes.filter(pl.col("outcome") != "mule_confirmed")
        reported = said.filter("is_fraud")["episode_id"].n_unique()
        confirmed = said.filter(pl.col("outcome") == "confirmed_fraud")
        honest = said.filter(pl.col("outcome") == "confirmed_legitimate", ~pl.col("is_fraud"))

        assert 0.85 < reported / transfers["episode_id"].drop_nulls().n_unique() <= 1
        assert confirmed["is_fraud"].mean() > 0.9
        assert 0 < len(honest) / len(transfers) < 0.01

    def test_mules_are_named_on_the_payments_of_victims(self, outcomes: pl.DataFrame) -> None:
        mules = outcomes.filter(pl.col("outcome") == "mule_confirmed")

        assert len(mules) > 0
        assert mules["is_fraud"].all()
        assert set(mules["source"]) == {"police"}
        assert set(outcomes["source"]) == {"police", "customer"}
