"""The story of a simulation: a world, its daily life, the frauds in it, the money, the reports."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from fanzha_training.simulate import sessions
from fanzha_training.simulate.chance import stream
from fanzha_training.simulate.daily import HABITS
from fanzha_training.simulate.episodes import frauds
from fanzha_training.simulate.labels import report
from fanzha_training.simulate.ledger import play
from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.plan import Plan, join
from fanzha_training.simulate.tables import outcomes_table, transfers_table
from fanzha_training.simulate.world import World, build_world

STEPS: Final = ("world", *HABITS, "frauds", "sessions", "balances", "reports", "tables")
"""Names of the steps in their order, for a progress bar."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated world as tables."""

    parameters: Parameters
    transfers: pa.Table
    """See `fanzha_training.table.TRANSFERS`."""
    outcomes: pa.Table
    """See `fanzha_training.table.OUTCOMES`."""
    accounts: int
    given_up: int
    """Planned movements that were never tried, for want of money."""


def simulate(parameters: Parameters, on_step: Callable[[str], None] = lambda _: None) -> Simulation:
    """Return the world of these parameters; the same parameters give the same tables.

    Args:
        parameters: what to simulate.
        on_step: called with the name of each of `STEPS` when it begins.

    Raises:
        SetupError: the parameters have faults; all of them are named.
    """
    parameters.check()

    on_step("world")
    world = build_world(parameters)
    daily = _daily_life(world, on_step)

    on_step("frauds")
    wanted = round(parameters.fraud_per_million * len(daily) / 1e6)
    plan = join((daily, frauds(world, parameters.fraud_mix, wanted)))

    on_step("sessions")
    rng = stream(parameters.seed, "sessions")
    sessions.fill(plan, world.book, world.places.branches, rng)

    on_step("balances")
    played = play(plan, world.book, stream(parameters.seed, "ledger"))

    on_step("reports")
    labels = report(played, stream(parameters.seed, "labels"))

    on_step("tables")
    transfers = transfers_table(world, played)
    outcomes = outcomes_table(transfers, labels)
    return Simulation(parameters, transfers, outcomes, len(world.book), played.given_up)


def _daily_life(world: World, on_step: Callable[[str], None]) -> Plan:
    """Return what people plan of their own, within the period."""
    plans = []
    for name, habit in HABITS.items():
        on_step(name)
        plans.append(habit(world, stream(world.seed, name)))
    plan = join(plans)
    within = world.period.holds(plan.ints("time_ms"))
    themselves = plan.ints("payer") == plan.ints("payee")
    return plan.rows(within & ~themselves)
