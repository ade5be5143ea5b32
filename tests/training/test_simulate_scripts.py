import numpy as np
import polars as pl
import pytest
from tests.training.worlds import (
    DAY_MS,
    HOUR_MS,
    WORLD,
    episodes_of,
    hours,
    ordinary,
    payments_of,
    the_transfers,
    the_world,
)

from fanzha.domain.vocabulary import FraudType, word_of
from fanzha_training.simulate.parameters import FRAUD_MIX, Parameters, parse_fraud_mix
from fanzha_training.simulate.run import simulate
from fanzha_training.simulate.scripts import SCRIPTS
from fanzha_training.table import TRUTH_COLUMNS


class TestCampaigns:
    """Thirteen scripts, as frequent as asked, in campaigns."""

    def test_there_is_a_script_for_each_type_of_fraud(self) -> None:
        assert set(SCRIPTS) == set(FRAUD_MIX)
        assert set(SCRIPTS) == {word_of(member) for member in FraudType if member}

    def test_ages_of_a_script_are_shares(self) -> None:
        for script in SCRIPTS.values():
            assert sum(script.ages.values()) == pytest.approx(1)

    def test_every_script_is_played_and_fraud_is_as_frequent_as_asked(self) -> None:
        per_million = 1e6 * the_transfers()["is_fraud"].mean()

        assert set(the_transfers().filter("is_fraud")["fraud_type"]) == set(SCRIPTS)
        assert 0.75 < per_million / WORLD.fraud_per_million < 1.15

    def test_the_mix_shifts_tactics(self) -> None:
        mix = parse_fraud_mix("impersonated_authority=3, fake_investment=0")
        shifted = simulate(Parameters(customers=200, days=6, fraud_per_million=8000, fraud_mix=mix))

        types = set(shifted.transfers["fraud_type"].to_pylist()) - {None}
        assert types == {"impersonated_authority"}

    def test_episodes_come_in_campaigns_of_one_script(self) -> None:
        episodes = the_world().frauds.episodes
        scripts_of: dict[int, set[int]] = {}
        for episode in episodes:
            scripts_of.setdefault(episode.campaign, set()).add(episode.fraud_type)

        assert all(len(scripts) == 1 for scripts in scripts_of.values())
        assert 2 < len(episodes) / len(scripts_of) < 6

    def test_victims_have_the_ages_of_police_reports(self) -> None:
        ages = np.array([episode.victim_age for episode in the_world().frauds.episodes])

        assert 0.5 < ((ages >= 18) & (ages <= 40)).mean() < 0.75
        assert 0.2 < ((ages >= 41) & (ages <= 65)).mean() < 0.45
        assert (ages > 65).mean() < 0.12

    def test_over_sampling_adds_episodes_and_leaves_their_shape(self) -> None:
        few = simulate(Parameters(customers=600, days=20, seed=3, fraud_per_million=3_000))
        many = simulate(Parameters(customers=600, days=20, seed=3, fraud_per_million=12_000))
        per_episode = [
            world.transfers.filter(world.transfers["is_fraud"]).num_rows
            / len(world.frauds.episodes)
            for world in (few, many)
        ]

        assert len(many.frauds.episodes) > 3 * len(few.frauds.episodes)
        assert 0.6 < per_episode[0] / per_episode[1] < 1.6


class TestShapes:
    """Each script has the shape that its file describes."""

    def test_task_rebates_pay_back_first_and_then_escalate(self) -> None:
        episodes = [episode for episode in episodes_of("task_rebate") if len(episode) >= 3]
        mule_flows = the_transfers().filter("is_mule_flow", pl.col("fraud_type") == "task_rebate")
        paid_back = [
            len(
                mule_flows.filter(
                    pl.col("payee_account") == episode["payer_account"][0],
                    pl.col("time_ms") < episode["time_ms"][-1],
                )
            )
            > 0
            for episode in episodes
        ]

        assert np.mean(paid_back) > 0.5
        assert np.median([growth(episode) for episode in episodes]) > 3
        assert np.mean([payees(episode) for episode in episodes]) > 0.6

    def test_fake_customer_service_shares_screens_and_sweeps_within_hours(self) -> None:
        fraud = payments_of("fake_customer_service")
        episodes = list(episodes_of("fake_customer_service"))
        swept = [
            episode["amount_minor"].sum() / episode["balance_before_minor"].drop_nulls().max()
            for episode in episodes
            if episode["balance_before_minor"].count()
        ]

        assert fraud["screen_shared"].mean() > 0.25
        assert fraud["call_in_progress"].mean() > 0.3
        assert max(span(episode) for episode in episodes) < 4 * HOUR_MS
        assert np.median(swept) > 0.5

    def test_impersonated_authorities_take_new_devices_and_whole_balances(self) -> None:
        fraud = payments_of("impersonated_authority")
        share = fraud["amount_minor"] / fraud["balance_before_minor"]
        per_episode = fraud.group_by("episode_id").agg(pl.col("payee_account").n_unique())

        for signal in ("new_device", "limit_just_raised", "call_in_progress"):
            assert fraud[signal].mean() > 10 * ordinary()[signal].mean()
        assert share.median() > 0.4
        assert (per_episode["payee_account"] == 1).all()
        assert (fraud["payer_segment"] == "retired").mean() > 0.1

    def test_fake_investments_grow_over_days_to_few_payees(self) -> None:
        episodes = [episode for episode in episodes_of("fake_investment") if len(episode) >= 4]

        assert np.median([span(episode) / DAY_MS for episode in episodes]) > 4
        assert np.median([growth(episode) for episode in episodes]) > 1.5
        assert np.median([payees(episode) for episode in episodes]) < 0.8
        assert set(payments_of("fake_investment")["payee_type"]) == {"person", "company"}

    def test_fake_shops_are_mostly_paid_once_and_little(self) -> None:
        episodes = list(episodes_of("fake_shopping"))

        assert np.median([len(episode) for episode in episodes]) <= 2
        assert payments_of("fake_shopping")["amount_minor"].median() < 300_000

    def test_fake_lenders_are_paid_and_never_pay(self) -> None:
        fraud = payments_of("fake_loan")
        victims = fraud["payer_account"].unique().implode()
        loans = the_transfers().filter(
            pl.col("kind") == "loan_payout", pl.col("episode_id").is_not_null()
        )

        assert loans.filter(pl.col("payee_account").is_in(victims)).is_empty()
        assert np.mean([len(episode) for episode in episodes_of("fake_loan")]) > 1.5

    def test_credit_repair_sends_fresh_loans_on_within_minutes(self) -> None:
        loans = the_transfers().filter(pl.col("kind") == "loan_payout")
        soon = [
            len(
                loans.filter(
                    pl.col("payee_account") == episode["payer_account"][0],
                    pl.col("time_ms").is_between(
                        episode["time_ms"][0] - 5 * HOUR_MS, episode["time_ms"][-1]
                    ),
                )
            )
            for episode in episodes_of("fake_credit_repair")
        ]

        assert np.mean([count >= 1 for count in soon]) > 0.9
        assert np.mean([count >= 2 for count in soon]) > 0.3

    def test_bosses_have_companies_pay_at_the_end_of_workdays(self) -> None:
        fraud = payments_of("impersonated_acquaintance")
        company = fraud.filter(pl.col("payer_type") == "company")

        assert len(company) / len(fraud) > 0.2
        assert hours(company).median() >= 14
        assert company["amount_minor"].median() > 1_000_000

    def test_romance_lasts_for_weeks_and_has_few_payees(self) -> None:
        episodes = [episode for episode in episodes_of("romance") if len(episode) >= 3]

        assert np.median([span(episode) / DAY_MS for episode in episodes]) > 5
        assert np.median([payees(episode) for episode in episodes]) < 0.6

    def test_game_trades_are_paid_by_children_from_a_parents_device(self) -> None:
        mix = {"game_trade": 1.0}
        world = simulate(Parameters(customers=600, days=6, fraud_per_million=6000, fraud_mix=mix))
        ages = np.array([episode.victim_age for episode in world.frauds.episodes])
        fraud = pl.DataFrame(pl.from_arrow(world.transfers)).filter("is_fraud")
        payers = fraud.group_by("episode_id").agg(
            pl.col("payer_account").n_unique(), devices=pl.col("device_id").n_unique()
        )

        assert (ages < 18).mean() > 0.4
        assert payers["payer_account"].max() == 2
        assert (payers.filter(pl.col("payer_account") == 2)["devices"] == 1).any()
        assert fraud["amount_minor"].median() < 200_000

    def test_ticket_refunds_begin_with_a_small_payment(self) -> None:
        episodes = [episode for episode in episodes_of("ticket_refund") if len(episode) >= 2]
        small = [episode["amount_minor"][0] <= 10_000 for episode in episodes]

        assert np.mean(small) > 0.5

    def test_sextortion_is_paid_late_at_night_with_shrinking_gaps(self) -> None:
        fraud = payments_of("sextortion")
        gaps = [
            np.diff(episode["time_ms"].to_numpy())
            for episode in episodes_of("sextortion")
            if len(episode) >= 4
        ]

        assert (~hours(fraud).is_between(6, 19)).mean() > 0.8
        assert np.median([gap[-1] / gap[0] for gap in gaps]) < 0.8

    def test_cash_and_gold_are_handed_over_without_a_mules_account(self) -> None:
        fraud = payments_of("cash_or_gold_handover")

        assert set(fraud["kind"]) <= {"cash_withdrawal", "gold_purchase"}
        assert "cash_withdrawal" in set(fraud["kind"])


class TestDisguise:
    """Fraud hides among honest life."""

    def test_some_victims_show_nothing(self) -> None:
        silent = (
            payments_of("fake_customer_service")
            .group_by("episode_id")
            .agg(pl.any_horizontal("call_in_progress", "screen_shared").any().alias("shows"))
        )

        assert (~silent["shows"].fill_null(value=False)).sum() > 0

    def test_no_single_column_separates_fraud(self) -> None:
        names = {
            "request_id", "transfer_id", "payer_account", "payer_person", "payer_phone",
            "payee_account", "payee_person", "payee_phone", "device_id", *TRUTH_COLUMNS,
        }  # fmt: skip
        transfers = the_transfers()
        best = {
            name: best_f1(transfers[name], transfers["is_fraud"].to_numpy())
            for name in transfers.columns
            if name not in names
        }

        assert max(best.values()) < 0.5, best

    def test_no_signal_has_a_high_precision_alone(self) -> None:
        for signal in ("call_in_progress", "new_device", "new_e_channel", "limit_just_raised"):
            assert the_transfers().filter(signal)["is_fraud"].mean() < 0.4


def growth(episode: pl.DataFrame) -> float:
    return float(episode["amount_minor"].to_numpy().max() / episode["amount_minor"][0])


def payees(episode: pl.DataFrame) -> float:
    return episode["payee_account"].n_unique() / len(episode)


def span(episode: pl.DataFrame) -> int:
    return int(episode["time_ms"][-1] - episode["time_ms"][0])


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
