"""One simulated world for all tests of its stories, over-sampled so that it holds every script."""

from collections.abc import Iterator
from functools import cache

import polars as pl

from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.run import Simulation, simulate

WORLD = Parameters(customers=1200, days=24, seed=11, fraud_per_million=10_000)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@cache
def the_world() -> Simulation:
    return simulate(WORLD)


@cache
def the_transfers() -> pl.DataFrame:
    frame = pl.from_arrow(the_world().transfers)
    assert isinstance(frame, pl.DataFrame)
    return frame


@cache
def the_outcomes() -> pl.DataFrame:
    """Return the outcomes with the transfers that they are about."""
    frame = pl.from_arrow(the_world().outcomes)
    assert isinstance(frame, pl.DataFrame)
    return frame.join(the_transfers(), on="request_id", suffix="_true", maintain_order="left")


def payments_of(script: str) -> pl.DataFrame:
    return the_transfers().filter("is_fraud", pl.col("fraud_type") == script)


def episodes_of(script: str) -> Iterator[pl.DataFrame]:
    yield from payments_of(script).partition_by("episode_id", maintain_order=True)


def ordinary() -> pl.DataFrame:
    return the_transfers().filter(~pl.col("is_fraud") & ~pl.col("is_mule_flow"))


def hours(frame: pl.DataFrame) -> pl.Series:
    """Return the local hour of each transfer."""
    return (frame["time_ms"] + 8 * HOUR_MS) % DAY_MS // HOUR_MS
