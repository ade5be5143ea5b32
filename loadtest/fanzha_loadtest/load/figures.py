"""Makes the figures that pass lines speak of, from what was counted."""

from dataclasses import dataclass
from typing import Any

import grpc

from fanzha_loadtest.driver import Load
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
    load, seen = Load(0.0, 0.0), Seen()
    for one in played:
        if one.phase.counts:
            _add(load, one.load)
            seen.add(one.seen)
    load.offered_s = load.begun / max(load.seconds, 1e-9)
    return load, seen


def _add(load: Load, other: Load) -> None:
    load.seconds += other.seconds
    load.histogram.add(other.histogram)
    load.refusals.add(other.refusals)
    load.other.update(other.other)
    for name in ("answered", "refused", "hinted", "begun", "late"):
        setattr(load, name, getattr(load, name) + getattr(other, name))
    load.lag_max_s = max(load.lag_max_s, other.lag_max_s)


def statuses(load: Load) -> dict[str, int]:
    """Return how many calls were neither answered nor refused, by the name of their status."""
    return {_NAMES.get(status, "NOT_ENDED"): count for status, count in load.other.items()}


_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def figures_of(load: Load, seen: Seen) -> dict[str, float]:
    """Return figures by name; what could not be measured is left out."""
    figures: dict[str, float] = {}
    if load.begun:
        failed = sum(load.other.values())
        figures |= {
            "answered_share": load.answered / load.begun,
            "refused_share": load.refused / load.begun,
            "error_share": failed / load.begun,
            "unhinted": load.refused - load.hinted,
        }
    if load.answered:
        figures |= {
            "p50_ms": load.latency_ms(0.5),
            "p99_ms": load.latency_ms(0.99),
            "p999_ms": load.latency_ms(0.999),
            "max_ms": load.latency_ms(1.0),
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
        "due": load.begun,
        "offered_per_s": round(load.offered_s, 1),
        "answered": load.answered,
        "answered_per_s": round(load.answered / seconds, 1),
        "refused": load.refused,
        "failed": statuses(load),
        "decisions": decisions,
        "frauds": seen.count(is_fraud=True),
        "repeated": seen.repeated,
        "sent": sum(seen.sent.values()),
        "taken": sum(seen.taken.values()),
        "figures": {name: round(value, 6) for name, value in figures_of(load, seen).items()},
        "driver": {
            "late_share": round(load.late / max(1, load.begun), 6),
            "lag_max_ms": round(1000 * load.lag_max_s, 3),
        },
    }
