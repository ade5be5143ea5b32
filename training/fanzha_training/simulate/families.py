"""Telephones that families share: one line or one device for accounts of several owners.

Honest, and exactly what gives away a ring of mules.
"""

import numpy as np

from fanzha.domain.vocabulary import CustomerSegment
from fanzha_training.simulate.accounts import AccountBook
from fanzha_training.simulate.ages import ADULT
from fanzha_training.simulate.chance import happens, pick
from fanzha_training.simulate.plan import NOBODY, Ints


def share_telephones(
    rng: np.random.Generator, book: AccountBook, account: Ints, segment: Ints, age: Ints
) -> Ints:
    """Let minors, some old parents and some spouses use a relative's telephone; return whose.

    Args:
        rng: where chance comes from.
        book: its columns of devices and lines are changed.
        account: the customers' accounts.
        segment: the customers' segments.
        age: the customers' ages in years.

    Returns:
        For each customer the position of the relative, or NOBODY.
    """
    count = len(account)
    minor = age < ADULT
    old = (segment == CustomerSegment.RETIRED) & happens(rng, 0.2, count)
    spouse = (age >= 28) & ~minor & ~old & happens(rng, 0.04, count)
    parents = np.flatnonzero((age >= 32) & (age <= 52) & ~spouse)
    dependent = minor | old | spouse
    guardian = np.full(count, NOBODY, dtype=np.int64)
    guardian[dependent] = pick(rng, parents, int(dependent.sum()))
    same_device = dependent & happens(rng, 0.8, count)
    for column in ("device", "next_device", "next_device_ms"):
        book[column][account[same_device]] = book[column][account[guardian[same_device]]]
    same_line = dependent & happens(rng, np.where(minor, 0.9, 0.4), count)
    book["phone"][account[same_line]] = book["phone"][account[guardian[same_line]]]
    return guardian
