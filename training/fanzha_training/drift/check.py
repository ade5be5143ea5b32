"""What a check found, and how grave it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fanzha_training.drift.limits import IndexLimits, PointLimits, RatioLimits, ShareLimits

AnyLimits = IndexLimits | PointLimits | RatioLimits | ShareLimits


class State(StrEnum):
    """State of a check, from good to grave."""

    OK = "ok"
    TOO_FEW = "too_few"
    """Not judged: there are too few rows, or labels."""
    NO_REFERENCE = "no_reference"
    """Not judged: the model carries no reference, or one of other features."""
    WARN = "warn"
    ALARM = "alarm"


_ORDER = {state: place for place, state in enumerate(State)}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one day; `found` is judged against limits that are stated with it."""

    check: str
    """What is checked, such as feature_psi."""
    subject: str
    """Feature, decision or part that it is about; empty where there is only one."""
    state: State
    found: float | None
    """None where nothing was judged."""
    reference: float | None
    """The same in the reference, where it has such a thing."""
    noise: float
    """What chance may add; `found` is judged after it is taken off."""
    warn: float | None
    alarm: float | None
    text: str
    """What was found, for people."""


def judged(value: float, limits: AnyLimits) -> State:
    """Return the state of a value, from which noise is already taken off."""
    if value > limits.alarm:
        return State.ALARM
    return State.WARN if value > limits.warn else State.OK


def worst(states: Iterable[State]) -> State:
    """Return the gravest state; OK where there is none."""
    return max(states, key=_ORDER.__getitem__, default=State.OK)


def rank(check: Check) -> tuple[int, float]:
    """Return a key that sorts checks: by state, then by how far they are beyond their limit."""
    beyond = 0.0
    if check.found is not None and check.alarm:
        change = abs(check.found - (check.reference or 0.0)) - check.noise
        beyond = change / check.alarm
    return _ORDER[check.state], beyond
