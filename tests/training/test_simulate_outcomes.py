import polars as pl
from tests.training.worlds import DAY_MS, the_outcomes, the_transfers, the_world

from fanzha.domain.outcomes import is_entitled
from fanzha.domain.vocabulary import OutcomeSource, OutcomeType
from fanzha_training.simulate.interventions import COACHED, INSISTED, NOT_WARNED, STOPPED


class TestReports:
    """Reports come late, not for all, and are not always right."""

    def test_reports_come_after_their_transfers(self) -> None:
        outcomes = the_outcomes()

        assert outcomes["time_ms"].null_count() == 0
        assert (outcomes["report_time_ms"] > outcomes["time_ms"]).all()
        withdrawn = outcomes.drop_nulls("withdrawn_time_ms")
        assert (withdrawn["withdrawn_time_ms"] > withdrawn["report_time_ms"]).all()
        assert outcomes["report_time_ms"].is_sorted()
        assert set(outcomes["source"]) == {
            "police", "customer", "teller", "channel", "bank_review",
        }  # fmt: skip

    def test_reports_take_hours_to_weeks_by_type(self) -> None:
        reported = the_outcomes().filter("is_fraud", pl.col("outcome") == "confirmed_fraud")
        last = (
            the_transfers()
            .filter("is_fraud")
            .group_by("episode_id")
            .agg(last=pl.col("time_ms").max())
        )
        waits = (
            reported.join(last, on="episode_id")
            .group_by("episode_id", "fraud_type_true")
            .agg(days=(pl.col("report_time_ms") - pl.col("last")).first() / DAY_MS)
        )
        by_type = dict(waits.group_by("fraud_type_true").agg(pl.col("days").median()).rows())

        assert by_type["romance"] > 5
        assert by_type["fake_customer_service"] < 1
        assert waits["days"].max() <= 60

    def test_outcomes_are_repeated_contradicted_and_taken_back(self) -> None:
        outcomes = the_outcomes()
        firm = outcomes.filter(pl.col("outcome").str.starts_with("confirmed"))
        several = firm.group_by("request_id").agg("outcome", "source").filter(
            pl.col("outcome").list.len() > 1
        )  # fmt: skip

        assert (several["outcome"].list.n_unique() == 1).any()
        assert outcomes["withdrawn_time_ms"].count() > 0
        closed = firm.filter("is_fraud", pl.col("outcome") == "confirmed_legitimate")
        assert set(closed["source"]) <= {"bank_review", "customer"}

    def test_every_outcome_is_stated_by_somebody_who_may(self) -> None:
        said = the_outcomes().select("outcome", "source").unique().rows()

        assert all(
            is_entitled(OutcomeType[kind.upper()], OutcomeSource[source.upper()])
            for kind, source in said
        )

    def test_some_victims_never_report(self) -> None:
        reported = the_outcomes().filter("is_fraud", pl.col("outcome") == "confirmed_fraud")
        said = reported["episode_id"].n_unique()
        episodes = the_transfers().filter("is_fraud")["episode_id"].n_unique()

        assert 0.6 < said / episodes < 0.95

    def test_some_reports_name_another_type(self) -> None:
        reported = the_outcomes().filter("is_fraud", pl.col("outcome") == "confirmed_fraud")
        right = (reported["fraud_type"] == reported["fraud_type_true"]).mean()

        assert 0.85 < right < 0.99

    def test_few_reports_of_fraud_are_wrong(self) -> None:
        confirmed = the_outcomes().filter(pl.col("outcome") == "confirmed_fraud")

        assert 0.97 < confirmed["is_fraud"].mean() <= 1

    def test_mules_are_named_on_victims_payments_and_on_what_follows(self) -> None:
        mules = the_outcomes().filter(pl.col("outcome") == "mule_confirmed")

        assert mules["is_fraud"].sum() > 0
        assert mules["is_mule_flow"].sum() > 0
        assert (mules["is_fraud"] | mules["is_mule_flow"]).all()
        assert mules["payee_account"].null_count() == 0
        assert "virtual_asset_merchant" not in set(mules["payee_type"])
        assert set(mules["source"]) == {"police"}


class TestInterventions:
    """Warnings stop some, are talked away by others, and honest people meet them too."""

    def test_victims_stop_insist_and_are_coached(self) -> None:
        episodes = the_world().frauds.episodes
        warned = [episode for episode in episodes if episode.response != NOT_WARNED]
        stopped = [episode for episode in warned if episode.response == STOPPED]

        assert {episode.response for episode in warned} == {STOPPED, COACHED, INSISTED}
        assert 0.05 < len(warned) / len(episodes) < 0.6
        assert 0.2 < len(stopped) / len(warned) < 0.8

    def test_who_stops_fails_and_who_insists_pays(self) -> None:
        outcomes = the_outcomes()
        gave_up = outcomes.filter(
            pl.col("outcome").is_in(["customer_cancelled", "stopped_by_teller"])
        )
        insisted = outcomes.filter(
            pl.col("outcome").is_in(["customer_insisted", "victim_refused_advice"])
        )

        assert set(gave_up["execution"]) == {"failed"}
        assert set(insisted["execution"]) <= {"posted", "reversed"}
        assert gave_up["is_fraud"].any()
        assert insisted["is_fraud"].any()

    def test_a_stopped_episode_ends_with_what_failed(self) -> None:
        ends = []
        for number, episode in enumerate(the_world().frauds.episodes):
            if episode.response == STOPPED:
                payments = the_transfers().filter(
                    "is_fraud", pl.col("episode_id") == f"e-{number:08d}"
                )
                ends += (payments["execution"].tail(1) == "failed").to_list()

        # What an empty account could not pay was not even tried, or the period was over.
        assert sum(ends) / len(ends) > 0.75

    def test_most_warnings_go_to_honest_people_who_mostly_insist(self) -> None:
        warned = the_outcomes().filter(
            pl.col("outcome").is_in(["customer_cancelled", "customer_insisted"]),
            ~pl.col("is_fraud"),
        )

        assert 0.0003 < len(warned) / len(the_transfers()) < 0.01
        assert (warned["outcome"] == "customer_insisted").mean() > 0.8
