"""Chooses victims and lets the scripts play until there is as much fraud as was asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from fanzha_training.simulate.chance import stream
from fanzha_training.simulate.laundering import Launderer
from fanzha_training.simulate.mules import Ring, recruit
from fanzha_training.simulate.plan import Bools, Floats, Movement, Plan
from fanzha_training.simulate.scripts import SCRIPTS
from fanzha_training.simulate.scripts.stage import Script, Stage
from fanzha_training.simulate.world import World

_PAYMENTS_PER_RING: Final = 250


@dataclass(slots=True)
class _Cast:
    """What all episodes share."""

    world: World
    rings: list[Ring]
    keys: Iterator[int]
    launderer: Launderer
    spared: Bools
    """Customers who have not been victims yet."""


def frauds(world: World, mix: Mapping[str, float], payments: int) -> Plan:
    """Return the movements of all episodes, mules' included, that fall into the period.

    Args:
        world: its book gains the mules' accounts.
        mix: weight of each script.
        payments: how many payments of victims are wanted; the last episode may go a little beyond.
    """
    rng = stream(world.seed, "episodes")
    keys = count()
    mule_rng = stream(world.seed, "mules")
    cast = _Cast(
        world=world,
        rings=[recruit(world, mule_rng) for _ in range(max(1, payments // _PAYMENTS_PER_RING))],
        keys=keys,
        launderer=Launderer(world, mule_rng, keys),
        spared=np.ones(len(world.people), dtype=np.bool_),
    )
    names = list(mix)
    weights = np.array([mix[name] for name in names])
    movements: list[Movement] = []
    paid = 0
    episode = 0
    while paid < payments:
        script = SCRIPTS[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
        played = _play(cast, script, rng)
        victim_payments = sum(movement.is_fraud for movement in played)
        if victim_payments == 0:
            continue
        for movement in played:
            if movement.is_fraud or movement.is_mule_flow:
                movement.episode = episode
                movement.fraud_type = script.fraud_type
        movements.extend(played)
        paid += victim_payments
        episode += 1
    return Plan.from_movements(movements)


def _play(cast: _Cast, script: Script, rng: np.random.Generator) -> list[Movement]:
    """Play one episode and what the mules make of it; return what falls into the period."""
    world = cast.world
    victim = int(rng.choice(len(world.people), p=_susceptible(cast, script)))
    cast.spared[victim] = False
    ring = cast.rings[int(rng.integers(len(cast.rings)))]
    stage = Stage(world, ring, rng, cast.keys, victim)
    day = int(rng.integers(-script.days_before, world.period.days))
    script.play(stage, world.period.time(rng, day, script.hours))
    every = list(stage.movements)
    for movement in stage.movements:
        if movement.is_fraud:
            every.extend(cast.launderer.pass_on(ring, movement))
    period = world.period
    return [m for m in every if period.start_ms <= m.time_ms < period.end_ms]


def _susceptible(cast: _Cast, script: Script) -> Floats:
    """Return how likely each customer is to be the next victim; the anti-fraud app helps some."""
    people = cast.world.people
    weights = np.zeros(len(people))
    for segment, weight in script.victims.items():
        weights[people.of(segment)] = weight
    warned = cast.world.book["anti_fraud_app"][people.account] == 1
    weights[warned] *= 0.7
    # Victims are rarely found twice; but a small world may run out of others.
    weights[~cast.spared] *= 0.01
    return np.asarray(weights / weights.sum())
