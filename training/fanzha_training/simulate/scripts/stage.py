"""The stage on which a script plays: one victim, one ring of mules, and the moves they can make."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    FraudType,
    TransferKind,
    TransferSpeed,
)
from fanzha_training.simulate.plan import NOBODY, UNSET, YUAN, Floats, Movement
from fanzha_training.simulate.rings import Ring
from fanzha_training.simulate.world import World

_QUIET_SHARE: Final = 0.4
"""Share of episodes that show little: no signals, amounts as on any day. Real ones hide as well."""


@dataclass(slots=True)
class Stage:
    """One episode in the making. Times are milliseconds since 1970 UTC."""

    world: World
    ring: Ring
    rng: np.random.Generator
    keys: Iterator[int]
    victim: int
    """Position among the people."""
    movements: list[Movement] = field(default_factory=list)
    quiet: bool = False
    _used: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Decide whether the episode hides."""
        self.quiet = bool(self.rng.random() < _QUIET_SHARE)
        self._used.add(self.account)

    @property
    def account(self) -> int:
        """The victim's account."""
        return int(self.world.people.account[self.victim])

    def minutes(self, least: float, most: float) -> int:
        """Return a random span of time (ms) between two numbers of minutes."""
        return int(self.rng.uniform(least, most) * 60_000)

    def chance(self, probability: float) -> bool:
        """Throw a coin."""
        return bool(self.rng.random() < probability)

    def yuan(self, *sums: int) -> int:
        """Return one of the sums (yuan) in minor units."""
        return int(self.rng.choice(sums)) * YUAN

    def word(self, *numbers: int) -> int:
        """Return one of the remarks."""
        return int(self.rng.choice(numbers))

    def round_to(self) -> int:
        """Return a multiple (minor units) to which a share is rounded: hundreds mostly."""
        return int(self.rng.choice([1, YUAN, 100 * YUAN], p=[0.2, 0.2, 0.6]))

    def signal(self, probability: float) -> int:
        """Return a session signal: set with this probability, else as for anybody.

        Quiet episodes set none.
        """
        return 1 if not self.quiet and self.chance(probability) else UNSET

    def mule(self, time_ms: int) -> int:
        """Return a mule's account that this victim has not paid yet, if the ring has one left."""
        account = self.ring.person(self.rng, time_ms, self._used)
        self._used.add(account)
        return account

    def pays(self, time_ms: int, mule: int, **details: float) -> int:
        """Let the victim pay a mule; what the balance does not hold is cut.

        `details` are further fields of `Movement`. Returns the key of the payment.
        """
        # Victims are told to choose real time: next-day money can be called back.
        speed = TransferSpeed.REAL_TIME if self.chance(0.93) else TransferSpeed.NORMAL
        movement = Movement(
            time_ms=time_ms,
            payer=self.account,
            payee=mule,
            key=next(self.keys),
            can_cut=True,
            speed=speed,
            is_fraud=True,
        )
        for name, value in details.items():
            setattr(movement, name, value)
        self.movements.append(movement)
        return movement.key

    def is_paid(self, time_ms: int, mule: int, amount_minor: int, remark: int) -> None:
        """Let a mule pay the victim something back, to be believed."""
        movement = Movement(
            time_ms=time_ms,
            payer=mule,
            payee=self.account,
            amount_minor=amount_minor,
            can_cut=True,
            speed=TransferSpeed.REAL_TIME,
            remark=remark,
            is_mule_flow=True,
        )
        self.ring.sign_in(self.rng, movement)
        self.movements.append(movement)

    def gathers(self, time_ms: int, median_yuan: float) -> None:
        """Bring money in from one's own account elsewhere, or else from family."""
        people = self.world.people
        source = int(people.elsewhere[self.victim])
        if source == NOBODY:
            source = int(people.family[self.victim, 0])
        if source != self.account:
            self._comes_in(time_ms, source, self._sum(median_yuan), TransferKind.TRANSFER)

    def borrows(self, time_ms: int, median_yuan: float) -> int:
        """Take out a loan and return the key of its payout."""
        lender = int(self.rng.choice(self.world.places.lenders))
        return self._comes_in(time_ms, lender, self._sum(median_yuan), TransferKind.LOAN_PAYOUT)

    def breaks_deposit(self, time_ms: int) -> bool:
        """Break the term deposit early; say whether there is one."""
        deposit = int(self.world.people.deposit[self.victim])
        if deposit != NOBODY:
            self._comes_in(time_ms, deposit, 0, TransferKind.DEPOSIT_BREAK)
        return deposit != NOBODY

    def _sum(self, median_yuan: float) -> int:
        drawn = self.rng.lognormal(np.log(median_yuan), 0.7)
        return max(1, round(drawn / 100)) * 100 * YUAN

    def _comes_in(self, time_ms: int, source: int, amount_minor: int, kind: TransferKind) -> int:
        movement = Movement(
            time_ms=time_ms,
            payer=source,
            payee=self.account,
            kind=kind,
            amount_minor=amount_minor,
            share=0.0 if amount_minor else 1.0,
            key=next(self.keys),
            can_cut=True,
            channel=Channel.ONLINE if kind == TransferKind.LOAN_PAYOUT else Channel.MOBILE,
            speed=TransferSpeed.REAL_TIME if kind == TransferKind.TRANSFER else UNSET,
        )
        self.movements.append(movement)
        return movement.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One scam."""

    fraud_type: FraudType
    victims: Mapping[CustomerSegment, float]
    """How likely a customer of a segment is to fall for it, relative to others of that age."""
    ages: Mapping[str, float]
    """Share of victims in each band of `ages.BANDS`."""
    hours: Floats
    """Weights of the 24 hours in which it begins."""
    free_days: float = 1.0
    """How likely it begins on a day without work, relative to a workday."""
    days_before: int
    """How many days before the period an episode may have begun."""
    play: Callable[[Stage, int], None]
    """Puts an episode's movements on the stage, from a first moment on."""
