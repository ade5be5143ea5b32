"""The Chinese year as far as it moves money: free days, gift money, shopping festivals.

Kept simple: workdays that are shifted to weekends around holidays are left out.
"""

from datetime import date, timedelta
from typing import Final

import numpy as np

from fanzha_training.simulate.plan import Bools, Floats

# First day of the lunar year after GB/T 33661-2017; outside these years there is none here.
_SPRING_FESTIVALS: Final = tuple(
    date.fromisoformat(day)
    for day in (
        "2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13",
        "2030-02-03", "2031-01-23", "2032-02-11", "2033-01-31", "2034-02-19", "2035-02-08",
    )
)  # fmt: skip
# Fixed free days after 全国年节及纪念日放假办法 (as amended for 2025): New Year, 1 and 2 May, and
# National Day, which with its neighbours makes a free week.
_FREE: Final = frozenset({(1, 1), (5, 1), (5, 2), *((10, day) for day in range(1, 8))})
_SHOPPING: Final = frozenset({(6, 18), (11, 11), (12, 12)})
"""Online shopping festivals: 618, Double Eleven, Double Twelve."""
_EVE_TO_SEVENTH: Final = range(-1, 7)


def is_spring_festival(day: date) -> bool:
    """Say whether a day lies between the eve and the seventh day of the lunar year."""
    return any(day - timedelta(days=shift) in _SPRING_FESTIVALS for shift in _EVE_TO_SEVENTH)


def is_free(day: date) -> bool:
    """Say whether most people do not work on the day."""
    return day.weekday() >= 5 or (day.month, day.day) in _FREE or is_spring_festival(day)


def special_day(day: date) -> str:
    """Return the name of a holiday or shopping festival; empty on other days and weekends."""
    if is_spring_festival(day):
        return "Spring Festival"
    if (day.month, day.day) in _SHOPPING:
        return f"shopping, {day.day} {day:%b}"
    if (day.month, day.day) in _FREE:
        return {1: "New Year", 5: "May Day", 10: "National Day"}[day.month]
    return ""


def free_days(days: list[date]) -> Bools:
    """Say of each day whether most people do not work on it."""
    return np.array([is_free(day) for day in days], dtype=np.bool_)


def shopping_weights(days: list[date]) -> Floats:
    """Return how much is bought on each day, relative to a workday."""
    return np.array([_shopping_weight(day) for day in days])


def _shopping_weight(day: date) -> float:
    if (day.month, day.day) in _SHOPPING:
        return 2.2
    if is_spring_festival(day):
        return 0.7
    return 1.25 if is_free(day) else 1.0


def gift_weights(days: list[date]) -> Floats:
    """Return how much is given among family and friends on each day, relative to a workday."""
    return np.array([_gift_weight(day) for day in days])


def _gift_weight(day: date) -> float:
    if is_spring_festival(day):
        return 5.0
    # Weddings are held in the National Day week.
    if (day.month, day.day) in _FREE:
        return 1.8
    return 1.2 if is_free(day) else 1.0
