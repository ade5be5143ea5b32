"""Daily life: one file for each habit, each a function from the world to planned movements.

`HABITS` lists them all. `occasions`, `loans`, `collecting` and `nights` hold what looks like fraud.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from fanzha_training.simulate.daily.business import business
from fanzha_training.simulate.daily.cash import cash
from fanzha_training.simulate.daily.collecting import collecting
from fanzha_training.simulate.daily.household import household
from fanzha_training.simulate.daily.investing import investing
from fanzha_training.simulate.daily.loans import loans
from fanzha_training.simulate.daily.nights import nights
from fanzha_training.simulate.daily.occasions import occasions
from fanzha_training.simulate.daily.people import between_people
from fanzha_training.simulate.daily.shopping import shopping
from fanzha_training.simulate.daily.wages import wages
from fanzha_training.simulate.plan import Plan
from fanzha_training.simulate.world import World

HABITS: Final[Mapping[str, Callable[[World, np.random.Generator], Plan]]] = MappingProxyType(
    {
        "shopping": shopping,
        "household": household,
        "people": between_people,
        "cash": cash,
        "wages": wages,
        "business": business,
        "investing": investing,
        "loans": loans,
        "collecting": collecting,
        "nights": nights,
        "occasions": occasions,
    }
)
