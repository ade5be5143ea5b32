"""The world before anything happens in it: days, accounts, people and places."""

from dataclasses import dataclass

from fanzha_training.simulate.accounts import AccountBook
from fanzha_training.simulate.chance import stream
from fanzha_training.simulate.customers import People, settle
from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.period import Period
from fanzha_training.simulate.places import Places, found


@dataclass(frozen=True, slots=True)
class World:
    """What everything that happens is drawn from."""

    seed: int
    period: Period
    book: AccountBook
    places: Places
    people: People


def build_world(parameters: Parameters) -> World:
    """Return the world of these parameters."""
    period = Period(parameters.start, parameters.days)
    book = AccountBook()
    places = found(stream(parameters.seed, "places"), period, book, parameters.customers)
    people = settle(stream(parameters.seed, "people"), period, book, places, parameters.customers)
    return World(parameters.seed, period, book, places, people)
