"""Random streams by name and the draws that many files share."""

import zlib

import numpy as np

from fanzha_training.simulate.plan import YUAN, Bools, Floats, Ints


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one part of the world.

    Each part has its own, so that a change in one leaves the draws of all others as they were.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def amounts(
    rng: np.random.Generator,
    median_yuan: float | Floats,
    sigma: float,
    count: int,
    round_minor: int = 1,
) -> Ints:
    """Return lognormal amounts (minor units), rounded to a multiple, never below it."""
    drawn = rng.lognormal(np.log(median_yuan), sigma, size=count) * YUAN
    return np.maximum(round_minor, (drawn / round_minor).round().astype(np.int64) * round_minor)


def happens(rng: np.random.Generator, probability: float | Floats, count: int) -> Bools:
    """Return independent coin throws."""
    return rng.random(count) < probability


def visits(
    rng: np.random.Generator, rate_per_day: Floats, days: int, weights: Floats | None = None
) -> tuple[Ints, Ints]:
    """Return who does something and on which day: Poisson with a rate for each person.

    Args:
        rng: where chance comes from.
        rate_per_day: shape (people,).
        days: number of days.
        weights: how much happens on each day, relative to a day of weight 1; None: always as much.

    Returns:
        Two arrays of one length: positions of people, and of days.
    """
    total = days if weights is None else float(weights.sum())
    counts = rng.poisson(rate_per_day * total)
    who = np.repeat(np.arange(len(rate_per_day)), counts)
    if weights is None:
        return who, rng.integers(0, days, size=len(who))
    return who, rng.choice(days, size=len(who), p=weights / total)


def pick(rng: np.random.Generator, among: Ints, count: int) -> Ints:
    """Return members of `among`, each as likely as the next."""
    return among[rng.integers(0, len(among), size=count)]


def pick_own(rng: np.random.Generator, table: Ints, who: Ints) -> Ints:
    """Return for each person one entry of that person's row of `table` (people, choices).

    The earlier columns are the favourites.
    """
    columns = table.shape[1]
    weights = 1.0 / np.arange(1, columns + 1)
    chosen = rng.choice(columns, size=len(who), p=weights / weights.sum())
    return table[who, chosen]


def spoken(rng: np.random.Generator, minor: Ints) -> Ints:
    """Return amounts as people agree on them: rounded to 1, 10, 100 or 1000 yuan if large enough.

    About one in eight stays as it was.
    """
    step = rng.choice(
        [1, YUAN, 10 * YUAN, 100 * YUAN, 1000 * YUAN],
        size=len(minor),
        p=[0.12, 0.18, 0.25, 0.35, 0.10],
    )
    step = np.where(minor < 2 * step, 1, step)
    return np.asarray(minor // step * step)
