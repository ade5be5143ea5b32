"""The bank's customers: who they are, what they own, whom they know and where they shop."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment, PartyType
from fanzha_training.simulate.accounts import NEVER_MS, AccountBook, opening_facts
from fanzha_training.simulate.ages import ADULT, ages
from fanzha_training.simulate.chance import amounts, happens, pick
from fanzha_training.simulate.families import share_telephones
from fanzha_training.simulate.period import DAY_MS, Period
from fanzha_training.simulate.places import Places
from fanzha_training.simulate.plan import NOBODY, YUAN, Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class _Group:
    """What sets the customers of one segment apart."""

    share: float
    wealth_yuan: float
    """Median balance."""
    wage_yuan: float
    """Median monthly income; 0 for none from an employer or a pension."""
    spending: float
    """How much is bought, relative to a worker."""


_GROUPS: Final = {
    CustomerSegment.STUDENT: _Group(0.12, 3_000, 0, 0.7),
    CustomerSegment.WORKER: _Group(0.52, 25_000, 8_500, 1.0),
    CustomerSegment.CORPORATE_FINANCE: _Group(0.02, 40_000, 10_000, 1.0),
    CustomerSegment.RETIRED: _Group(0.14, 60_000, 4_200, 0.5),
    CustomerSegment.SHOP_KEEPER: _Group(0.08, 50_000, 0, 1.2),
    CustomerSegment.UNEMPLOYED: _Group(0.05, 6_000, 0, 0.6),
    CustomerSegment.OTHER: _Group(0.07, 15_000, 5_000, 0.9),
}


_DORMANT: Final = 0.05
"""Share of accounts that are hardly used; after six months banks look at them (261号)."""


@dataclass(frozen=True, slots=True)
class People:
    """Customers as columns, one entry for each; what they hold and whom they know are accounts."""

    segment: Ints
    age: Ints
    """Years; a minor is a student below 18."""
    account: Ints
    """The account of every day, here."""
    guardian: Ints
    """Position of the relative who keeps a minor's or an old parent's telephone, or NOBODY."""
    dormant: Bools
    """Hardly uses the account."""
    savings: Ints
    """A second account here, or NOBODY."""
    elsewhere: Ints
    """An own account at another bank, or NOBODY."""
    deposit: Ints
    """A term deposit here, or NOBODY."""
    branch: Ints
    spending: Floats
    """How much is bought, relative to the median worker."""
    wage_minor: Ints
    """Income in a month, from an employer or a pension."""
    employer: Ints
    landlord: Ints
    """Who is paid the rent, or NOBODY."""
    rent_minor: Ints
    family: Ints
    """Shape (people, 3)."""
    friends: Ints
    """Shape (people, 6)."""
    shops: Ints
    """Shops of every day, favourites first, shape (people, 8)."""

    def __len__(self) -> int:
        return len(self.account)

    def of(self, *segments: CustomerSegment) -> Bools:
        """Say of each person whether they belong to one of the segments."""
        return np.isin(self.segment, segments)


def settle(
    rng: np.random.Generator, period: Period, book: AccountBook, places: Places, count: int
) -> People:
    """Open the customers' accounts in the book and return the customers."""
    segment = rng.choice(
        list(_GROUPS), size=count, p=[group.share for group in _GROUPS.values()]
    ).astype(np.int64)
    age = ages(rng, segment)
    # The old have saved, the young have not.
    wealth = _by_segment(segment, "wealth_yuan") * np.clip(age / 40, 0.3, 1.5)
    branch = rng.integers(0, places.branches, size=count)
    account = _open_accounts(rng, period, book, segment, wealth, branch)
    guardian = share_telephones(rng, book, account, segment, age)
    person = book["person"][account]
    savings = _open_for_some(
        book, happens(rng, 0.15, count), person,
        type=PartyType.PERSON, ours=1, segment=segment, branch=branch,
        balance_minor=amounts(rng, wealth * 1.5, 0.8, count),
        device=book["device"][account], next_device=book["next_device"][account],
        next_device_ms=book["next_device_ms"][account], phone=book["phone"][account],
        **opening_facts(rng, _opening_days(rng, period, count)),
    )  # fmt: skip
    saver = happens(rng, np.interp(age, [20, 60], [0.02, 0.45]), count)
    deposit = _open_for_some(
        book, saver, person,
        type=PartyType.PERSON, ours=1, segment=segment, branch=branch,
        balance_minor=amounts(rng, wealth * 2, 0.8, count, 1000 * YUAN),
        device=book["device"][account], phone=book["phone"][account],
        **opening_facts(rng, _opening_days(rng, period, count)),
    )  # fmt: skip
    elsewhere = _open_for_some(book, happens(rng, 0.6, count), person)
    wage = _by_segment(segment, "wage_yuan")
    # Some people of segment OTHER work, as temporary hands.
    earns = (wage > 0) & (~np.isin(segment, [CustomerSegment.OTHER]) | happens(rng, 0.5, count))
    retired = segment == CustomerSegment.RETIRED
    rents = happens(rng, 0.35, count) & ~retired & (age >= ADULT)
    strangers = places.strangers
    mates = np.concatenate([account, strangers[: count // 2]])
    keepers = account[segment == CustomerSegment.SHOP_KEEPER]
    return People(
        segment=segment,
        age=age,
        account=account,
        guardian=guardian,
        dormant=happens(rng, _DORMANT, count),
        savings=savings,
        elsewhere=elsewhere,
        deposit=deposit,
        branch=branch,
        spending=_by_segment(segment, "spending") * rng.lognormal(0, 0.4, size=count),
        wage_minor=np.where(earns, amounts(rng, np.maximum(wage, 1), 0.35, count, YUAN), 0),
        employer=np.where(
            retired, places.pension_office, np.where(earns, pick(rng, places.companies, count), -1)
        ),
        landlord=np.where(rents, pick(rng, strangers, count), NOBODY),
        rent_minor=amounts(rng, 1_900, 0.4, count, 100 * YUAN),
        family=pick(rng, mates, count * 3).reshape(count, 3),
        friends=pick(rng, mates, count * 6).reshape(count, 6),
        shops=pick(rng, np.concatenate([keepers, places.corner_shops]), count * 8).reshape(
            count, 8
        ),
    )


def _by_segment(segment: Ints, fact: str) -> Floats:
    by_number = np.zeros(len(CustomerSegment))
    for member, group in _GROUPS.items():
        by_number[member] = getattr(group, fact)
    return by_number[segment]


def _opening_days(rng: np.random.Generator, period: Period, count: int) -> Ints:
    """Return opening days: years ago for most, but four in a hundred within two months."""
    age_days = rng.gamma(2.0, 1100, size=count).astype(np.int64) + 60
    young = happens(rng, 0.04, count)
    return period.first_day - np.where(young, rng.integers(1, 60, size=count), age_days)


def _open_accounts(
    rng: np.random.Generator,
    period: Period,
    book: AccountBook,
    segment: Ints,
    wealth: Floats,
    branch: Ints,
) -> Ints:
    """Open the accounts of every day, some of whose holders soon buy a new phone or the like."""
    count = len(segment)

    def moments(share: float) -> Ints:
        at = period.start_ms + rng.integers(-3 * DAY_MS, period.days * DAY_MS, size=count)
        return np.where(happens(rng, share, count), at, NEVER_MS)

    # In a month 5 of 100 change their phone, 2 open mobile banking anew, 3 raise a limit.
    months = period.days / 30
    change_ms = moments(min(1.0, 0.05 * months))
    e_channel_ms = moments(min(1.0, 0.02 * months))
    limit_ms = moments(min(1.0, 0.03 * months))
    return book.open(
        count,
        type=PartyType.PERSON,
        segment=segment,
        ours=1,
        anti_fraud_app=np.where(happens(rng, 0.2, count), -1, happens(rng, 0.45, count)),
        balance_minor=amounts(rng, wealth, 0.9, count),
        branch=branch,
        device=book.new_devices(count),
        next_device=book.new_devices(count),
        next_device_ms=change_ms,
        e_channel_ms=e_channel_ms,
        limit_ms=limit_ms,
        **opening_facts(rng, _opening_days(rng, period, count)),
    )


def _open_for_some(
    book: AccountBook,
    some: Bools,
    person: Ints,
    **facts: "Ints | int",
) -> Ints:
    """Open further accounts for the persons of the mask; return NOBODY for the rest."""
    chosen = {
        name: value if isinstance(value, int) else value[some] for name, value in facts.items()
    }
    opened = np.full(len(person), NOBODY, dtype=np.int64)
    opened[some] = book.open(int(some.sum()), person=person[some], **chosen)
    return opened
