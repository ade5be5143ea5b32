"""Makes the figures that pass lines speak of, from what was counted."""

from dataclasses import dataclass
from typing import Any

from fanzha_loadtest.calls_in_time import Load
from fanzha_loadtest.load.answers import Seen
from fanzha_loadtest.profile.profile import Phase


@dataclass(frozen=True, slots=True)
class Played:
    """One phase, as it went."""

    phase: Phase
    load: Load
    seen: Seen


def whole(played: list[Played]) -> tuple[Load, Seen]:
    """Return what all phases together came to that count; warm-ups do not."""
    counting = [one for one in played if one.phase.counts]
    load, seen = Load(0.0, counting[0].load.limit), Seen()
    for one in counting:
        load.add(one.load)
        seen.add(one.seen)
    return load, seen


def figures_of(load: Load, seen: Seen) -> dict[str, float]:
    """Return figures by name; what could not be measured is left out."""
    figures: dict[str, float] = {}
    if load.due:
        failed = sum(load.failed.values())
        figures |= {
            "answered_share": load.answered / load.due,
            "refused_share": load.refused / load.due,
            "error_share": failed / load.due,
            "unhinted": load.refused - load.hinted,
        }
    if load.answered:
        figures |= {
            "p50_ms": load.latency_ms(50),
            "p99_ms": load.latency_ms(99),
            "p999_ms": load.latency_ms(99.9),
            "max_ms": load.histogram.get_max_value() / 1000,
        }
    if answers := seen.count():
        figures |= {
            "degraded_share": seen.degraded / answers,
            "blocked_share": seen.count("block") / answers,
            "unknown_decisions": seen.count("other"),
        }
    for name, is_fraud in (("fraud_stopped_share", True), ("honest_stopped_share", False)):
        if asked := seen.count(is_fraud=is_fraud):
            figures[name] = 1 - seen.count("allow", is_fraud=is_fraud) / asked
    if sent := sum(seen.sent.values()):
        figures["followed_share"] = sum(seen.taken.values()) / sent
    if seen.repeated:
        figures["contradicted"] = seen.contradicted
    return figures


def as_json(load: Load, seen: Seen) -> dict[str, Any]:
    """Return what was counted, as JSON."""
    decisions: dict[str, dict[str, int]] = {}
    for (channel, word, _), count in sorted(seen.decisions.items()):
        by_word = decisions.setdefault(channel, {})
        by_word[word] = by_word.get(word, 0) + count
    seconds = max(load.seconds, 1e-9)
    return {
        "seconds": load.seconds,
        "due": load.due,
        "offered_per_s": round(load.due / seconds, 1),
        "answered": load.answered,
        "answered_per_s": round(load.answered / seconds, 1),
        "refused": load.refused,
        "failed": dict(load.failed),
        "decisions": decisions,
        "frauds": seen.count(is_fraud=True),
        "repeated": seen.repeated,
        "sent": sum(seen.sent.values()),
        "taken": sum(seen.taken.values()),
        "figures": {name: round(value, 6) for name, value in figures_of(load, seen).items()},
        "driver": {
            "lag_p99_ms": load.lag_ms(99),
            "lag_max_ms": load.lag.get_max_value() / 1000,
            "processor_share": round(load.processor_s / seconds, 3),
            "lagged": load.driver_lagged,
        },
    }
