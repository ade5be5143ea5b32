"""Recruits mules (跑分): whose accounts take victims' money, and how they come to a ring.

Five kinds: short-lived accounts that a straw man opens days before; dormant ones that are woken;
rented ones, in which the owner's ordinary life goes on; bought ones, in which it ends, with a new
telephone; and accounts at other banks, of which nothing is seen but their number.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment, PartyType
from fanzha_training.simulate.accounts import opening_facts
from fanzha_training.simulate.ages import ADULT
from fanzha_training.simulate.period import DAY_MS, WAKING
from fanzha_training.simulate.plan import YUAN, Bools, Ints, Movement
from fanzha_training.simulate.world import World

SHORT_LIVED, DORMANT, RENTED, BOUGHT, ELSEWHERE, COMPANY = (
    "short-lived", "dormant", "rented", "bought", "elsewhere", "company",
)  # fmt: skip
KINDS: Final = {ELSEWHERE: 0.30, SHORT_LIVED: 0.22, DORMANT: 0.18, RENTED: 0.16, BOUGHT: 0.14}
"""Kinds of persons' accounts and how common they are in a ring."""

_CUSTOMERS_MOST: Final = 0.03
"""At most this share of the customers rents out or sells the account. Where fraud is much
over-sampled, rings need more: then they open accounts of such ages that have no other life."""


@dataclass(frozen=True, slots=True)
class Farm:
    """A ring's phone farm: the devices and telephone lines that its accounts share."""

    devices: Ints
    lines: Ints


@dataclass(frozen=True, slots=True)
class Recruit:
    """One account in a ring's service."""

    account: int
    kind: str
    layer: int
    """1 collects, 2 disperses, 3 turns the money into cash, gold or virtual assets."""


class Recruiter:
    """Finds accounts for all rings; nobody is recruited twice."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        """Take the world, whose book gains accounts and changes of hands, and chance."""
        self._world = world
        self._rng = rng
        self.taken: Bools = np.zeros(len(world.people), dtype=np.bool_)
        """Customers whose account serves a ring."""
        self.recruits: list[Recruit] = []
        self.own_life: list[Movement] = []
        """What straw men pay before, so that an account looks lived in (养号)."""

    def farm(self) -> Farm:
        """Return a new phone farm."""
        book = self._world.book
        return Farm(
            book.new_devices(int(self._rng.integers(2, 7))),
            book.new_persons(int(self._rng.integers(2, 6))),
        )

    def hire(self, layer: int, first_day: int, farm: Farm) -> int:
        """Return a person's account for use from a day (since 1970-01-01) on."""
        kind = str(self._rng.choice(list(KINDS), p=list(KINDS.values())))
        people = self._world.people
        poor = people.of(
            CustomerSegment.STUDENT, CustomerSegment.UNEMPLOYED, CustomerSegment.OTHER,
            CustomerSegment.WORKER,
        )  # fmt: skip
        if kind == ELSEWHERE:
            account = int(self._world.book.open(1)[0])
        elif kind == SHORT_LIVED:
            account = self._opened(first_day, farm, int(self._rng.integers(2, 45)))
        elif kind == DORMANT:
            account = self._sold(people.dormant, first_day, farm)
        else:
            account = self._sold(poor & ~people.dormant, first_day, farm, rented=kind == RENTED)
        self.recruits.append(Recruit(account, kind, layer))
        return account

    def shell_company(self, first_day: int, farm: Farm) -> int:
        """Return the account of a company that exists on paper, at this bank or at another."""
        if self._rng.random() < 0.4:
            account = int(self._world.book.open(1, type=PartyType.COMPANY)[0])
        else:
            age_days = int(self._rng.integers(20, 400))
            account = self._open(first_day - age_days, farm, type=PartyType.COMPANY)
        self.recruits.append(Recruit(account, COMPANY, 1))
        return account

    def _sold(self, among: Bools, first_day: int, farm: Farm, *, rented: bool = False) -> int:
        """Return a customer's account that was rented out, or sold with its telephone."""
        people, rng = self._world.people, self._rng
        able = np.flatnonzero(among & ~self.taken & (people.age >= ADULT))
        if len(able) == 0 or self.taken.mean() >= _CUSTOMERS_MOST:
            return self._opened(first_day, farm, int(rng.integers(60, 2500)))
        person = int(rng.choice(able))
        self.taken[person] = True
        account = int(people.account[person])
        if rented:
            return account
        book = self._world.book
        sold_ms = first_day * DAY_MS - int(rng.integers(0, 4 * DAY_MS))
        book["sold_ms"][account] = sold_ms
        book["next_device"][account] = int(rng.choice(farm.devices))
        book["next_device_ms"][account] = sold_ms
        if rng.random() < 0.6:
            book["next_phone"][account] = int(rng.choice(farm.lines))
            book["next_phone_ms"][account] = sold_ms
        return account

    def _opened(self, first_day: int, farm: Farm, age_days: int) -> int:
        """Return an account that was opened so many days before, and looks lived in since."""
        rng = self._rng
        segments = [CustomerSegment.STUDENT, CustomerSegment.UNEMPLOYED, CustomerSegment.WORKER]
        account = self._open(
            first_day - age_days, farm, type=PartyType.PERSON, segment=int(rng.choice(segments))
        )
        for day in rng.integers(-min(age_days, 45), 0, size=int(rng.integers(1, 6))).tolist():
            self.own_life.append(self._small(account, first_day + day))
        return account

    def _small(self, account: int, day: int) -> Movement:
        world, rng = self._world, self._rng
        time_ms = world.period.time(rng, day - world.period.first_day, WAKING)
        amount_minor = int(rng.integers(5, 200)) * YUAN
        if rng.random() < 0.5:
            payer = int(rng.choice(world.places.strangers))
            return Movement(time_ms=time_ms, payer=payer, payee=account, amount_minor=amount_minor)
        payee = int(rng.choice(world.places.payment_institutions))
        return Movement(time_ms=time_ms, payer=account, payee=payee, amount_minor=amount_minor)

    def _open(self, open_day: int, farm: Farm, **facts: int) -> int:
        rng = self._rng
        line = {"phone": int(rng.choice(farm.lines))} if rng.random() < 0.5 else {}
        account = self._world.book.open(
            1,
            ours=1,
            balance_minor=int(rng.integers(1, 800)) * YUAN,
            branch=int(rng.integers(self._world.places.branches)),
            device=int(rng.choice(farm.devices)),
            **line,
            **facts,
            **opening_facts(rng, np.array([open_day]), careful=0.75),
        )
        return int(account[0])
