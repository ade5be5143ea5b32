"""Everybody whom customers pay or are paid by, beside each other: companies, shops, strangers."""

from dataclasses import dataclass

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment, PartyType
from fanzha_training.simulate.accounts import AccountBook, opening_facts
from fanzha_training.simulate.chance import amounts, pick
from fanzha_training.simulate.period import Period
from fanzha_training.simulate.plan import Ints


@dataclass(frozen=True, slots=True)
class Places:
    """Groups of accounts."""

    branches: int
    companies: Ints
    """Employers who bank here; their finance staff pays wages and suppliers."""
    corner_shops: Ints
    """Shops, restaurants and chains that are companies, here and elsewhere."""
    online_shops: Ints
    payment_institutions: Ints
    """Third-party payment (第三方支付): food orders, top-ups, online shopping."""
    billers: Ints
    """Power, water, gas, telephone, tax, hospital."""
    schools: Ints
    """Schools and universities: billers too."""
    pension_office: int
    brokers: Ints
    """Securities companies, at which people invest honestly."""
    lenders: Ints
    """Who pays loans out: consumer lenders elsewhere; the last is this bank's own loan account."""
    gold_shops: Ints
    sellers: Ints
    """Companies that one pays once in years: developers, car dealers, wedding planners, movers."""
    coin_merchants: Ints
    """Merchants of virtual assets."""
    strangers: Ints
    """Persons who bank elsewhere."""


def found(rng: np.random.Generator, period: Period, book: AccountBook, customers: int) -> Places:
    """Open the accounts in the book; their numbers grow with the number of customers."""
    branches = max(4, customers // 150)

    def companies(count: int, here: float, kind: PartyType = PartyType.COMPANY) -> Ints:
        opened = [_here(round(count * here), kind), _elsewhere(count - round(count * here), kind)]
        return np.concatenate(opened)

    def _here(count: int, kind: PartyType) -> Ints:
        open_day = period.first_day - rng.gamma(2.0, 1000, size=count).astype(np.int64) - 20
        return book.open(
            count,
            type=kind,
            segment=CustomerSegment.CORPORATE_FINANCE if kind == PartyType.COMPANY else 0,
            ours=1,
            balance_minor=amounts(rng, 2_000_000, 0.6, count),
            branch=rng.integers(0, branches, size=count),
            device=book.new_devices(count),
            **opening_facts(rng, open_day, careful=0.95),
        )

    def _elsewhere(count: int, kind: PartyType) -> Ints:
        return book.open(count, type=kind)

    return Places(
        branches=branches,
        companies=companies(max(4, customers // 40), 1.0),
        corner_shops=companies(max(10, customers // 30), 0.5),
        online_shops=companies(max(10, customers // 20), 0.2),
        payment_institutions=companies(6, 0.0, PartyType.PAYMENT_INSTITUTION),
        billers=companies(12, 0.6, PartyType.BILLER),
        schools=companies(5, 0.6, PartyType.BILLER),
        pension_office=int(companies(1, 0.0, PartyType.BILLER)[0]),
        brokers=companies(4, 0.0),
        lenders=np.concatenate([companies(5, 0.0), _loan_account(rng, period, book)]),
        gold_shops=companies(3, 0.7),
        sellers=companies(max(20, customers // 20), 0.4),
        coin_merchants=companies(2, 0.0, PartyType.VIRTUAL_ASSET_MERCHANT),
        strangers=book.open(customers * 4),
    )


def _loan_account(rng: np.random.Generator, period: Period, book: AccountBook) -> Ints:
    """Open the account from which this bank pays out its loans."""
    return book.open(
        1,
        type=PartyType.COMPANY,
        ours=1,
        balance_minor=10**15,
        **opening_facts(rng, np.array([period.first_day - 9_000])),
    )


def someone(rng: np.random.Generator, places: Places, customers: Ints, count: int) -> Ints:
    """Return any persons, here or elsewhere: people one has not paid before."""
    return pick(rng, np.concatenate([customers, places.strangers]), count)
