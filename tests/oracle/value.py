"""What a meaning gives: whole numbers as int, exact ratios and spans, and None for unknown."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

Value = int | Fraction | Decimal | None
"""int where the feature is a whole number; Decimal, of 50 digits, where it is irrational."""


def by_name(*meanings: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Return meanings by the names of their features, which are their own."""
    return {meaning.__name__: meaning for meaning in meanings}


def ratio(part: int, whole: int) -> Fraction | None:
    """Return part ÷ whole, unknown when there is no whole."""
    return Fraction(part, whole) if whole != 0 else None
