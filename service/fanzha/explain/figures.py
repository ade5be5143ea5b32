"""Values of features as a teller reads them: 19,800元, 12分钟, 14人; in English too.

A value is a float32. Amounts up to 100,000 yuan are exact in it; above they are shown in steps of
100 yuan, which it keeps up to a billion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_EXACT_MINOR: Final = 10_000_000
"""100,000 yuan."""
_STEP_MINOR: Final = 10_000
_TEN_THOUSAND_YUAN_MINOR: Final = 1_000_000
_HOURS_SHOWN: Final = 48
_TIMES_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write a value, in Chinese and in English, and the units that it fits."""

    units: frozenset[str]
    zh: Callable[[float, str], str]
    en: Callable[[float, str], str]
    """Both take the value and the feature's unit."""


def _counted(unit: str, zh: str, one: str, many: str) -> Form:
    return Form(
        frozenset({unit}),
        lambda value, _: f"{value:,.0f}{zh}",
        lambda value, _: f"{value:,.0f} {one if round(value) == 1 else many}",
    )


def _yuan(minor: float) -> str:
    whole = round(minor)
    return f"{whole // 100:,}" if whole % 100 == 0 else f"{whole / 100:,.2f}"


def _money_zh(value: float, _unit: str) -> str:
    if value < _EXACT_MINOR:
        return f"{_yuan(value)}元"
    steps = round(value / _STEP_MINOR)
    shown = f"{steps * _STEP_MINOR / _TEN_THOUSAND_YUAN_MINOR:,.2f}"
    return f"{shown.rstrip('0').rstrip('.')}万元"


def _money_en(value: float, _unit: str) -> str:
    if value < _EXACT_MINOR:
        return f"{_yuan(value)} yuan"
    return f"{round(value / _STEP_MINOR) * _STEP_MINOR // 100:,} yuan"


def _span(value: float, unit: str) -> tuple[int, str]:
    """Return a span of time in the unit that reads best, rounded: minutes, hours or days."""
    minutes = value * {"minutes": 1, "hours": 60, "days": 24 * 60}[unit]
    if round(minutes) < 60:
        return round(minutes), "minute"
    if round(minutes / 60) < _HOURS_SHOWN:
        return round(minutes / 60), "hour"
    return round(minutes / (24 * 60)), "day"


def _span_zh(value: float, unit: str) -> str:
    count, name = _span(value, unit)
    if count == 0:
        return "不到1分钟"
    return f"{count:,}{ {'minute': '分钟', 'hour': '小时', 'day': '天'}[name] }"


def _span_en(value: float, unit: str) -> str:
    count, name = _span(value, unit)
    if count == 0:
        return "less than a minute"
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _clock(value: float, _unit: str) -> str:
    minutes = round(value * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _percent(value: float, _unit: str) -> str:
    return f"{value:,.0%}"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= _TIMES_WHOLE else f"{value:.1f}".removesuffix(".0")


FORMS: Final[dict[str, Form]] = {
    "money": Form(frozenset({"minor units"}), _money_zh, _money_en),
    "days": _counted("days", "天", "day", "days"),
    "span": Form(frozenset({"minutes", "hours", "days"}), _span_zh, _span_en),
    "clock": Form(frozenset({"hours"}), _clock, _clock),
    "percent": Form(frozenset({"ratio"}), _percent, _percent),
    "times": Form(
        frozenset({"ratio"}),
        lambda value, _: f"{_times(value)}倍",
        lambda value, _: f"{_times(value)} times",
    ),
    "payments": _counted("events", "笔", "payment", "payments"),
    "attempts": _counted("events", "次", "attempt", "attempts"),
    "persons": _counted("parties", "人", "party", "parties"),
    "payees": _counted("parties", "个收款方", "payee", "payees"),
    "accounts": _counted("accounts", "个账户", "account", "accounts"),
    "reports": _counted("reports", "起", "report", "reports"),
}
"""Forms by the name that a text gives them: {payee_in_payers_24h:persons}."""
