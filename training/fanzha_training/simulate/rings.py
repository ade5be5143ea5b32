"""Rings of mules: their accounts in three layers, in shifts of a few days, then burned.

A shift is made up when it is first needed; shell companies and the phone farm outlive it.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from fanzha_training.simulate.mules import Farm, Recruiter
from fanzha_training.simulate.period import DAY_MS
from fanzha_training.simulate.plan import NOBODY, Movement

_COMPANY_SHIFTS: Final = 3
"""A shell company serves so many shifts: it costs more than a student's card."""
_SWITCHES: Final = 0.12
"""Share of payments for which a mule takes up another device of the farm."""


@dataclass(slots=True)
class _Shift:
    """Accounts in use during one span of days, by layer."""

    first: list[int]
    second: list[int]
    third: list[int]


@dataclass(slots=True)
class Ring:
    """One ring."""

    recruiter: Recruiter
    farm: Farm
    start_ms: int
    """When its first shift begins, milliseconds since 1970 UTC."""
    shift_ms: int
    _shifts: dict[int, _Shift] = field(default_factory=dict)
    _companies: dict[int, int] = field(default_factory=dict)
    _devices: dict[int, int] = field(default_factory=dict)

    def person(self, rng: np.random.Generator, time_ms: int, avoid: set[int]) -> int:
        """Return a first-layer account in use at the time, one that is not to be avoided if any."""
        persons = self._shift(rng, time_ms).first
        unused = [account for account in persons if account not in avoid] or persons
        return unused[int(rng.integers(len(unused)))]

    def company(self, time_ms: int) -> int:
        """Return the shell company in use at the time."""
        position = self._position(time_ms) // _COMPANY_SHIFTS
        if position not in self._companies:
            first_day = self._first_day(position * _COMPANY_SHIFTS)
            self._companies[position] = self.recruiter.shell_company(first_day, self.farm)
        return self._companies[position]

    def behind(self, rng: np.random.Generator, time_ms: int, layer: int) -> int:
        """Return an account of the second or third layer in use at the time."""
        shift = self._shift(rng, time_ms)
        accounts = shift.second if layer == 2 else shift.third
        return accounts[int(rng.integers(len(accounts)))]

    def sign_in(self, rng: np.random.Generator, movement: Movement) -> None:
        """Let a mule's payment come from a device of the farm; some switch devices."""
        device = self._devices.get(movement.payer, NOBODY)
        if device == NOBODY or rng.random() < _SWITCHES:
            movement.new_device = 1 if rng.random() < 0.5 else movement.new_device
            device = int(rng.choice(self.farm.devices))
            self._devices[movement.payer] = device
        movement.device = device

    def _position(self, time_ms: int) -> int:
        return (time_ms - self.start_ms) // self.shift_ms

    def _first_day(self, position: int) -> int:
        return (self.start_ms + position * self.shift_ms) // DAY_MS

    def _shift(self, rng: np.random.Generator, time_ms: int) -> _Shift:
        position = self._position(time_ms)
        if position not in self._shifts:
            first_day = self._first_day(position)
            hired = [
                [self.recruiter.hire(layer, first_day, self.farm) for _ in range(count)]
                for layer, count in zip((1, 2, 3), rng.integers(2, 5, size=3).tolist(), strict=True)
            ]
            self._shifts[position] = _Shift(*hired)
        return self._shifts[position]


def found_ring(recruiter: Recruiter, rng: np.random.Generator, start_ms: int) -> Ring:
    """Return a ring whose shifts count from a time (ms) on and last up to four days each."""
    return Ring(recruiter, recruiter.farm(), start_ms, int(rng.uniform(1.5, 4.5) * DAY_MS))
