"""The story of a simulation: a world, its daily life, the frauds in it, the money, the reports."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from fanzha_training.simulate import sessions
from fanzha_training.simulate.chance import happens, stream
from fanzha_training.simulate.daily import HABITS
from fanzha_training.simulate.episodes import Frauds, frauds
from fanzha_training.simulate.interventions import warn_honest
from fanzha_training.simulate.labels import report
from fanzha_training.simulate.ledger import play
from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.plan import NOBODY, Bools, Plan, join
from fanzha_training.simulate.second_looks import look_again
from fanzha_training.simulate.tables import outcomes_table, transfers_table
from fanzha_training.simulate.world import World, build_world

STEPS: Final = ("world", *HABITS, "frauds", "sessions", "balances", "reports", "tables")
"""Names of the steps in their order, for a progress bar."""
_STILL_USED: Final = 0.02
"""Share of daily life that goes on in a dormant account."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated world as tables."""

    parameters: Parameters
    transfers: pa.Table
    """See `fanzha_training.table.TRANSFERS`."""
    outcomes: pa.Table
    """See `fanzha_training.table.OUTCOMES`."""
    world: World
    frauds: Frauds
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
    fraud = frauds(world, parameters.fraud_mix, wanted)
    plan = join((_until_sold(world, daily), fraud.plan))

    on_step("sessions")
    rng = stream(parameters.seed, "sessions")
    sessions.fill(plan, world.book, world.places.branches, rng)
    warn_honest(plan, world.book, stream(parameters.seed, "interventions"))

    on_step("balances")
    played = play(plan, world.book, stream(parameters.seed, "ledger"))

    on_step("reports")
    is_mule = np.zeros(len(world.book) + 1, dtype=np.bool_)
    is_mule[[recruit.account for recruit in fraud.recruits]] = True
    first = report(played, is_mule, stream(parameters.seed, "labels"))
    labels = look_again(first, played, stream(parameters.seed, "second looks"))

    on_step("tables")
    transfers = transfers_table(world, played)
    outcomes = outcomes_table(transfers, labels)
    return Simulation(parameters, transfers, outcomes, world, fraud, played.given_up)


def _daily_life(world: World, on_step: Callable[[str], None]) -> Plan:
    """Return what people plan of their own, within the period."""
    plans = []
    for name, habit in HABITS.items():
        on_step(name)
        plans.append(habit(world, stream(world.seed, name)))
    plan = join(plans)
    within = world.period.holds(plan.ints("time_ms"))
    themselves = plan.ints("payer") == plan.ints("payee")
    return plan.rows(within & ~themselves & _used(world, plan))


def _used(world: World, plan: Plan) -> Bools:
    """Say of each movement whether it stays: next to nothing happens in dormant accounts."""
    dormant = np.zeros(len(world.book), dtype=np.bool_)
    dormant[world.people.account[world.people.dormant]] = True
    payee = plan.ints("payee")
    touched = dormant[plan.ints("payer")] | (dormant[payee] & (payee != NOBODY))
    goes_on = happens(stream(world.seed, "dormant"), _STILL_USED, len(plan))
    return np.asarray(~touched | goes_on)


def _until_sold(world: World, plan: Plan) -> Plan:
    """Return the movements without those of owners who have sold their account by then."""
    sold_ms = world.book["sold_ms"]
    time_ms, payee = plan.ints("time_ms"), plan.ints("payee")
    over = time_ms >= sold_ms[plan.ints("payer")]
    over |= (payee != NOBODY) & (time_ms >= sold_ms[payee])
    return plan.rows(~over)
