"""Mules (跑分): the accounts that take victims' money, and the rings that they work in.

A ring works in shifts of a few days: each shift burns a few first-layer accounts that receive from
several victims, and second-layer accounts behind them. What they do with the money: `laundering`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment, PartyType
from fanzha_training.simulate.accounts import opening_facts
from fanzha_training.simulate.period import DAY_MS
from fanzha_training.simulate.plan import YUAN
from fanzha_training.simulate.world import World

_SHIFT_MS: Final = int(2.5 * DAY_MS)
# Kinds of first-layer mules and how common they are.
_FRESH, _DORMANT, _RENTED, _ELSEWHERE = "fresh", "dormant", "rented", "elsewhere"
_KINDS: Final = {_FRESH: 0.4, _DORMANT: 0.2, _RENTED: 0.2, _ELSEWHERE: 0.2}
_PERSONS_IN_SHIFT: Final = 5


@dataclass(slots=True)
class _Shift:
    """Accounts in use during one span of days."""

    persons: list[int]
    company: int
    second_layer: list[int]


@dataclass(slots=True)
class Ring:
    """One ring of mules and the telephones its people share."""

    shifts: list[_Shift]
    start_ms: int
    devices: list[int]

    def _shift(self, time_ms: int) -> _Shift:
        position = (time_ms - self.start_ms) // _SHIFT_MS
        return self.shifts[min(max(position, 0), len(self.shifts) - 1)]

    def person(self, rng: np.random.Generator, time_ms: int, avoid: set[int]) -> int:
        """Return a person's account in use at the time, one that is not to be avoided if any."""
        persons = self._shift(time_ms).persons
        fresh = [account for account in persons if account not in avoid] or persons
        return fresh[int(rng.integers(len(fresh)))]

    def company(self, time_ms: int) -> int:
        """Return the shell company in use at the time."""
        return self._shift(time_ms).company

    def second_layer(self, rng: np.random.Generator, time_ms: int) -> int:
        """Return an account that takes money from the first layer."""
        accounts = self._shift(time_ms).second_layer
        return accounts[int(rng.integers(len(accounts)))]


def recruit(world: World, rng: np.random.Generator) -> Ring:
    """Return a ring for the whole period, its accounts opened in the world's book."""
    devices = world.book.new_devices(3).tolist()
    start_ms = world.period.start_ms
    shifts = []
    for position in range(-(-world.period.days * DAY_MS // _SHIFT_MS)):
        first_day = world.period.first_day + position * _SHIFT_MS // DAY_MS
        persons = [
            _hire(world, rng, str(kind), first_day, devices)
            for kind in rng.choice(list(_KINDS), size=_PERSONS_IN_SHIFT, p=list(_KINDS.values()))
        ]
        second = [
            _hire(world, rng, kind, first_day, devices) for kind in (_FRESH, _DORMANT, _ELSEWHERE)
        ]
        shifts.append(_Shift(persons, _shell_company(world, rng, first_day, devices), second))
    return Ring(shifts, start_ms, devices)


def _hire(
    world: World, rng: np.random.Generator, kind: str, first_day: int, devices: list[int]
) -> int:
    """Return one mule's account of this kind, for use from a day (since 1970-01-01) on.

    A rented account is a customer's own, with years of ordinary life in it that goes on.
    """
    if kind == _ELSEWHERE:
        return int(world.book.open(1)[0])
    if kind == _RENTED:
        people = world.people
        poor = np.flatnonzero(
            people.of(CustomerSegment.STUDENT, CustomerSegment.UNEMPLOYED, CustomerSegment.OTHER)
        )
        return int(people.account[poor[rng.integers(len(poor))]])
    age_days = rng.integers(3, 60) if kind == _FRESH else rng.integers(300, 3000)
    segments = [CustomerSegment.STUDENT, CustomerSegment.UNEMPLOYED, CustomerSegment.WORKER]
    return _open(
        world, rng, int(first_day - age_days), devices,
        type=PartyType.PERSON, segment=int(rng.choice(segments)),
    )  # fmt: skip


def _shell_company(
    world: World, rng: np.random.Generator, first_day: int, devices: list[int]
) -> int:
    """Return the account of a company that exists on paper, at this bank or at another."""
    if rng.random() < 0.4:
        return int(world.book.open(1, type=PartyType.COMPANY)[0])
    return _open(
        world, rng, int(first_day - rng.integers(20, 200)), devices, type=PartyType.COMPANY
    )


def _open(
    world: World,
    rng: np.random.Generator,
    open_day: int,
    devices: list[int],
    **facts: int,
) -> int:
    account = world.book.open(
        1,
        ours=1,
        balance_minor=int(rng.integers(1, 300)) * YUAN,
        branch=int(rng.integers(world.places.branches)),
        device=devices[int(rng.integers(len(devices)))],
        **facts,
        **opening_facts(rng, np.array([open_day]), careful=0.7),
    )
    return int(account[0])
