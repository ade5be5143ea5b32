"""A simulated world as tables that plots can be drawn from."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from fanzha_training.simulate.calendar import is_free
from fanzha_training.simulate.period import DAY_MS, HOUR_MS
from fanzha_training.simulate.run import Simulation

HONEST, FRAUD, MULE = "honest", "victims", "mules"
COLORS: Final = {HONEST: "#4c78a8", FRAUD: "#e45756", MULE: "#f58518"}
GREY: Final = "#9d9d9d"
_COLUMNS: Final = (
    "request_id", "time_ms", "kind", "channel", "amount_minor", "payer_account", "payer_person",
    "payer_segment", "payer_open_date", "payee_account", "payee_type", "payee_open_date",
    "device_id", "call_in_progress", "screen_shared", "new_device", "limit_just_raised",
    "balance_before_minor", "remark", "execution", "is_fraud", "is_mule_flow", "fraud_type",
    "episode_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """Tables of a world. Amounts are in yuan."""

    simulation: Simulation
    transfers: pl.DataFrame
    """With `party` (HONEST, FRAUD or MULE), `day` from 0, local `hour`, `free` and `yuan`."""
    outcomes: pl.DataFrame
    """With the columns of the transfer that each is about."""
    episodes: pl.DataFrame
    """One row for each that has payments in the period: what was played, and what came of it."""

    @property
    def days(self) -> int:
        """Number of days."""
        return self.simulation.parameters.days

    def of(self, party: str) -> pl.DataFrame:
        """Return the transfers of honest people, of victims or of mules."""
        return self.transfers.filter(pl.col("party") == party)

    def types(self) -> list[str]:
        """Return the types of fraud that occur, the one with most episodes first."""
        counts = self.episodes.group_by("fraud_type").len().sort("len", "fraud_type")
        return counts["fraud_type"].reverse().to_list()


def scene_of(simulation: Simulation) -> Scene:
    """Return the tables of a world."""
    start_ms = simulation.world.period.start_ms
    free = [is_free(day) for day in simulation.world.period.dates()]
    since = pl.col("time_ms") - start_ms
    transfers = pl.DataFrame(pl.from_arrow(simulation.transfers.select(_COLUMNS))).with_columns(
        party=pl.when("is_fraud")
        .then(pl.lit(FRAUD))
        .when("is_mule_flow")
        .then(pl.lit(MULE))
        .otherwise(pl.lit(HONEST)),
        day=since // DAY_MS,
        hour=since % DAY_MS // HOUR_MS,
        free=(since // DAY_MS).replace_strict(dict(enumerate(free)), return_dtype=pl.Boolean),
        yuan=pl.col("amount_minor") / 100,
    )
    outcomes = pl.DataFrame(pl.from_arrow(simulation.outcomes)).join(
        transfers, on="request_id", suffix="_true"
    )
    return Scene(simulation, transfers, outcomes, _episodes(simulation, transfers, outcomes))


def _episodes(
    simulation: Simulation, transfers: pl.DataFrame, outcomes: pl.DataFrame
) -> pl.DataFrame:
    played = pl.DataFrame(
        {
            "episode_id": [f"e-{n:08d}" for n in range(len(simulation.frauds.episodes))],
            "victim_age": [episode.victim_age for episode in simulation.frauds.episodes],
            "campaign": [episode.campaign for episode in simulation.frauds.episodes],
            "quiet": [episode.quiet for episode in simulation.frauds.episodes],
            "response": [episode.response for episode in simulation.frauds.episodes],
        },
        schema_overrides={"episode_id": pl.String, "response": pl.String},
    )
    payments = transfers.filter("is_fraud")
    paid = payments.group_by("episode_id").agg(
        pl.col("fraud_type").first(),
        payments=pl.len(),
        yuan=pl.col("yuan").filter(pl.col("execution") == "posted").sum(),
        first_ms=pl.col("time_ms").min(),
        last_ms=pl.col("time_ms").max(),
    )
    reports = (
        outcomes.filter("is_fraud", pl.col("outcome") == "confirmed_fraud")
        .group_by("episode_id")
        .agg(
            reported_ms=pl.col("report_time_ms").min(),
            wrong_type=(pl.col("fraud_type") != pl.col("fraud_type_true")).first(),
        )
    )
    return (
        paid.join(played, on="episode_id")
        .join(reports, on="episode_id", how="left")
        .with_columns(
            delay_days=(pl.col("reported_ms") - pl.col("last_ms")) / DAY_MS,
            span_hours=(pl.col("last_ms") - pl.col("first_ms")) / HOUR_MS,
        )
        .sort("episode_id")
    )
