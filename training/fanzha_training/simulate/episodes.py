"""Chooses victims and lets the scripts play until there is as much fraud as was asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from fanzha_training.simulate.ages import in_band
from fanzha_training.simulate.campaigns import Campaign, campaigns
from fanzha_training.simulate.chance import stream
from fanzha_training.simulate.interventions import warn_victim
from fanzha_training.simulate.laundering import Launderer
from fanzha_training.simulate.mules import Recruit, Recruiter
from fanzha_training.simulate.plan import Bools, Floats, Movement, Plan
from fanzha_training.simulate.scripts.stage import Script, Stage
from fanzha_training.simulate.world import World

_AGAIN: Final = 0.01
"""How much less likely somebody is to be found twice; but a small world may run out of others."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What is known of one episode beside its movements."""

    fraud_type: int
    campaign: int
    victim_age: int
    quiet: bool
    response: str
    """What came of the last warning, see `interventions`."""


@dataclass(frozen=True, slots=True)
class Frauds:
    """All fraud of a world."""

    plan: Plan
    """Movements of victims and mules that fall into the period."""
    episodes: list[Episode]
    """By number, as `Movement.episode` names them."""
    recruits: list[Recruit]


@dataclass(slots=True)
class _Cast:
    """What all episodes share."""

    world: World
    recruiter: Recruiter
    keys: Iterator[int]
    launderer: Launderer
    spared: Bools
    """Customers who have not been victims yet."""


def frauds(world: World, mix: Mapping[str, float], payments: int) -> Frauds:
    """Play episodes, campaign by campaign.

    Args:
        world: its book gains the mules' accounts.
        mix: weight of each script.
        payments: how many payments of victims are wanted; the last episode may go a little beyond.
    """
    rng = stream(world.seed, "episodes")
    mule_rng = stream(world.seed, "mules")
    recruiter = Recruiter(world, mule_rng)
    keys = count()
    spared = np.ones(len(world.people), dtype=np.bool_)
    cast = _Cast(world, recruiter, keys, Launderer(world, mule_rng, keys), spared)
    movements: list[Movement] = []
    episodes: list[Episode] = []
    paid = 0
    scenes = _scenes(campaigns(world, mix, recruiter, stream(world.seed, "campaigns")))
    while paid < payments:
        played, episode = _play(cast, next(scenes), rng)
        victim_payments = sum(movement.is_fraud for movement in played)
        if victim_payments == 0:
            continue
        for movement in played:
            if movement.is_fraud or movement.is_mule_flow:
                movement.episode = len(episodes)
                movement.fraud_type = episode.fraud_type
        movements.extend(played)
        episodes.append(episode)
        paid += victim_payments
    movements.extend(_within(world, recruiter.own_life))
    return Frauds(Plan.from_movements(movements), episodes, recruiter.recruits)


def _scenes(every: Iterator[Campaign]) -> Iterator[Campaign]:
    """Yield each campaign once for each of its victims."""
    for campaign in every:
        for _ in range(campaign.victims):
            yield campaign


def _within(world: World, movements: list[Movement]) -> list[Movement]:
    period = world.period
    return [m for m in movements if period.start_ms <= m.time_ms < period.end_ms]


def _play(
    cast: _Cast, campaign: Campaign, rng: np.random.Generator
) -> tuple[list[Movement], Episode]:
    """Play one episode and what the mules make of it; return what falls into the period."""
    world, script = cast.world, campaign.script
    victim = int(rng.choice(len(world.people), p=_susceptible(cast, script, rng)))
    cast.spared[victim] = False
    stage = Stage(world, campaign.ring, rng, cast.keys, victim)
    script.play(stage, world.period.time(rng, campaign.day(world, rng), script.hours))
    response = warn_victim(stage, script.fraud_type, rng)
    every = list(stage.movements)
    for movement in stage.movements:
        if movement.is_fraud and not movement.fate:
            every.extend(cast.launderer.pass_on(campaign.ring, movement))
    episode = Episode(
        fraud_type=script.fraud_type,
        campaign=campaign.number,
        victim_age=int(world.people.age[victim]),
        quiet=stage.quiet,
        response=response,
    )
    return _within(world, every), episode


def _susceptible(cast: _Cast, script: Script, rng: np.random.Generator) -> Floats:
    """Return how likely each customer is to be the next victim; the anti-fraud app helps some."""
    people = cast.world.people
    weights = np.zeros(len(people))
    for segment, weight in script.victims.items():
        weights[people.of(segment)] = weight
    warned = cast.world.book["anti_fraud_app"][people.account] == 1
    weights[warned] *= 0.7
    weights[~cast.spared | people.dormant | cast.recruiter.taken] *= _AGAIN
    band = str(rng.choice(list(script.ages), p=list(script.ages.values())))
    of_band = weights * in_band(people.age, band)
    # A small world may hold nobody of that age.
    chosen = of_band if of_band.sum() > 0 else weights
    return np.asarray(chosen / chosen.sum())
