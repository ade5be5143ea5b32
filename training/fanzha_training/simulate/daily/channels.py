"""Where people ask for a transfer: on the telephone mostly, the old at the counter as well."""

from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel, CustomerSegment
from fanzha_training.simulate.period import COUNTER
from fanzha_training.simulate.plan import Floats, Ints
from fanzha_training.simulate.world import World

_CHANNELS: Final = (
    Channel.MOBILE,
    Channel.ONLINE,
    Channel.COUNTER,
    Channel.SMART_TELLER,
    Channel.ATM,
)
_YOUNG: Final = (0.91, 0.05, 0.015, 0.015, 0.01)
_OLD: Final = (0.60, 0.02, 0.22, 0.11, 0.05)


def transfer_channels(world: World, rng: np.random.Generator, who: Ints) -> Ints:
    """Return a channel for each transfer of these people."""
    old = world.people.of(CustomerSegment.RETIRED)[who]
    count = len(who)
    young_choice = rng.choice(_CHANNELS, size=count, p=_YOUNG)
    old_choice = rng.choice(_CHANNELS, size=count, p=_OLD)
    return np.where(old, old_choice, young_choice).astype(np.int64)


def times_at(
    world: World, rng: np.random.Generator, days: Ints, channel: Ints, profile: Floats
) -> Ints:
    """Return times (ms) on these days after the profile, but within opening hours at counters."""
    return np.where(
        np.isin(channel, [Channel.COUNTER, Channel.SMART_TELLER]),
        world.period.times(rng, days, COUNTER),
        world.period.times(rng, days, profile),
    )
