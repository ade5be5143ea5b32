"""What an evaluation assumes; every value can be chosen, and all are written into its results."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import inf, isfinite

from fanzha.domain.errors import SetupError


@dataclass(frozen=True, slots=True)
class Assumptions:
    """How frauds become cases, how intervals are made, and what alerts cost."""

    gap_days: float = 14.0
    """Frauds of one payer with at most this many days between two of them are one case."""
    stop_rate: float = 0.7
    """Share of alerts after which a victim really stops, 0 to 1. Of the transfers on which Hong
    Kong's Faster Payment System warned that the payee was reported, 20 to 30 % went on; see
    `docs/reference/evaluation.md`."""
    resamples: float = 500
    """Draws of the bootstrap, whole; 0 for no intervals."""
    seed: float = 1
    """Of the draws, whole."""
    cases_min: float = 10
    """With fewer cases a group's rates are not told: they would be chance."""
    review_minutes: float = 10.0
    """Working time of staff on one reviewed alert."""
    minute_cost_minor: float = 100.0
    """What a minute of staff costs, minor units."""
    friction_minor: float = 1000.0
    """What a false alert costs in a customer's goodwill, calls and lost business, minor units."""
    loss_share: float = 1.0
    """Share of the money that is lost for good where nothing stops it, 0 to 1."""
    transfers_per_day: float | None = None
    """The bank's transfers a day, above 0; None: as many as in the data."""


_SHARES = {"stop_rate", "loss_share"}
_WHOLE = {"resamples", "seed", "cases_min"}
_NAMES = tuple(field.name for field in fields(Assumptions))


def assumptions_of(texts: Sequence[str]) -> Assumptions:
    """Return the defaults with values in their place that texts such as `stop_rate=0.5` give.

    Raises:
        SetupError: a name is unknown, or a value is no number or out of range.

    """
    values: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in _NAMES:
            raise SetupError(f"--assume {text}: no such assumption; there are {', '.join(_NAMES)}")
        values[name] = _checked(name, value)
    return replace(Assumptions(), **values)


def _checked(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise SetupError(f"--assume {name} is {text!r}; write a number: {name}=1.5") from error
    most = 1.0 if name in _SHARES else inf
    if not isfinite(value) or not 0 <= value <= most:
        raise SetupError(
            f"--assume {name} is {text}; it must be "
            + ("from 0 to 1" if name in _SHARES else "a number from 0 up")
        )
    if name in _WHOLE and value != int(value):
        raise SetupError(f"--assume {name} is {text}; it must be a whole number")
    if name == "transfers_per_day" and value == 0:
        raise SetupError("--assume transfers_per_day is 0; it must be above 0")
    return value
