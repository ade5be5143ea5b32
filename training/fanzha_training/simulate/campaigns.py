"""Campaigns: a ring works one script for some days, with several victims, before it moves on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha_training.simulate.calendar import free_days
from fanzha_training.simulate.mules import Recruiter
from fanzha_training.simulate.period import DAY_MS
from fanzha_training.simulate.rings import Ring, found_ring
from fanzha_training.simulate.scripts import SCRIPTS
from fanzha_training.simulate.scripts.stage import Script
from fanzha_training.simulate.world import World

_DAYS_MOST: Final = 9
_VICTIMS_MEAN: Final = 4.0
"""Victims of one campaign who bank here; most of a ring's victims bank elsewhere."""
_GOLDEN: Final = (5**0.5 - 1) / 2
_NEW_RING: Final = 0.5
"""Share of campaigns of a ring that is new; the others go back to a known phone farm."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign."""

    number: int
    script: Script
    ring: Ring
    first_day: int
    """Position among the period's days; may lie before it."""
    days: int
    victims: int

    def day(self, world: World, rng: np.random.Generator) -> int:
        """Return a day on which an episode begins."""
        days = np.arange(self.first_day, self.first_day + self.days)
        days = days[days < world.period.days]
        free = free_days([world.period.date_of(int(day)) for day in days])
        weights = np.where(free, self.script.free_days, 1.0)
        return int(rng.choice(days, p=weights / weights.sum()))


def campaigns(
    world: World, mix: Mapping[str, float], recruiter: Recruiter, rng: np.random.Generator
) -> Iterator[Campaign]:
    """Yield campaigns without end; whoever asks stops when there is enough fraud."""
    names = list(mix)
    # The mix weighs episodes; how many victims a campaign has does not depend on its script.
    weights = np.array([mix[name] for name in names])
    until = np.cumsum(weights / weights.sum())
    turn = float(rng.random())
    rings: list[Ring] = []
    number = 0
    while True:
        # Steps of the golden ratio keep to the mix more closely than throws of dice, so that rare
        # scripts come up in small worlds as well.
        turn = (turn + _GOLDEN) % 1.0
        name = names[min(int(np.searchsorted(until, turn, side="right")), len(names) - 1)]
        if not rings or rng.random() < _NEW_RING:
            start_ms = world.period.start_ms - int(rng.integers(0, 4 * DAY_MS))
            rings.append(found_ring(recruiter, rng, start_ms))
        yield Campaign(
            number=number,
            script=SCRIPTS[name],
            ring=rings[int(rng.integers(len(rings)))],
            first_day=int(rng.integers(-SCRIPTS[name].days_before, world.period.days)),
            days=int(rng.integers(2, _DAYS_MOST + 1)),
            victims=1 + int(rng.poisson(_VICTIMS_MEAN - 1)),
        )
        number += 1
