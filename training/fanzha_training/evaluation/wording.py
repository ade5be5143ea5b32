"""How figures are written for people."""

from typing import Any

TITLES = {
    "value_detection_rate": "value detection rate",
    "case_recall": "case recall",
    "recall": "transfer recall",
    "money_saved": "money saved",
    "money_saved_expected": "money saved, expected",
    "false_per_true": "false per true",
    "false_per_true_money": "false per true, money",
}
NONE = "–"
_UNBROKEN = "\N{NO-BREAK SPACE}"


def told(name: str, estimate: dict[str, Any] | None) -> str:
    """Return a figure with its interval, such as "38.7 % (30.0 to 52.1)"."""
    if estimate is None or estimate["value"] is None:
        return NONE
    is_ratio = name.startswith("false_per_true")
    low, high = (_number(estimate[end], is_ratio=is_ratio) for end in ("low", "high"))
    value = _number(estimate["value"], is_ratio=is_ratio) + ("" if is_ratio else f"{_UNBROKEN}%")
    if estimate["low"] is None and estimate["high"] is None:
        return value
    # A table may break the line before the interval, not within it.
    interval = f"({low} to {high})" if estimate["high"] is not None else f"({low} up)"
    return f"{value} {interval.replace(' ', _UNBROKEN)}"


def _number(value: float | None, *, is_ratio: bool) -> str:
    if value is None:
        return NONE
    if is_ratio:
        return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
    return f"{100 * value:.1f}"


def signed(estimate: dict[str, Any]) -> str:
    """Return a difference of two shares in percentage points, with its interval."""
    if estimate["value"] is None:
        return NONE
    value = f"{100 * estimate['value']:+.1f}"
    if estimate["low"] is None or estimate["high"] is None:
        return value
    interval = f"({100 * estimate['low']:+.1f} to {100 * estimate['high']:+.1f})"
    return f"{value} {interval.replace(' ', _UNBROKEN)}"


def money(minor: float) -> str:
    """Return minor units as whole units of money."""
    return f"{minor / 100:,.0f}"


def per_million(rate: float) -> str:
    """Return a share of fraud as frauds in a million transfers."""
    return f"{rate * 1e6:,.0f} per million"
