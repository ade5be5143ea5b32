"""What the clients saw: every answer, latencies, and counts of what was reported back."""

import statistics
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from fanzha.v1.scoring_pb2 import Decision, DegradedPart, ScoreTransferResponse
from fanzha_loadtest.requests import Row

LEVELS: Final = ("allow", "confirm", "pause", "block")
"""Words of the decisions, from mild to severe."""

_RECENT: Final = 2_000
_RISKY_KEPT: Final = 40
_RATE_WINDOW_S: Final = 3.0
_FINISHED_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as a client got it, and the row that was asked about."""

    decision_id: str
    time_ms: int
    level: str
    score: int | None
    model_version: str
    amount_minor: int
    is_fraud: bool
    is_mule_flow: bool
    money_left: bool


@dataclass(frozen=True, slots=True)
class Risky:
    """A transfer that was not simply allowed, as a terminal would show it."""

    time_ms: int
    channel: str
    amount_minor: int
    level: str
    score: int | None
    reasons_zh: tuple[str, ...]
    headline: str
    body: str
    is_fraud: bool


@dataclass(frozen=True, slots=True)
class Live:
    """Figures of this moment, for a screen."""

    transfers: int
    per_second: float
    levels: dict[str, int]
    p50_ms: float
    p99_ms: float
    executions: int
    outcomes: int
    time_ms: int
    model_version: str
    risky: tuple[Risky, ...]


class Tally:
    """Collects from all client threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.answers: list[Answer] = []
        self.latencies_ms: list[float] = []
        self.degraded: Counter[str] = Counter()
        self.retries = 0
        self.executed: list[str] = []
        """Decision ids of which the service took an execution."""
        self.outcomes_recorded = 0
        self.time_ms = 0
        """Simulated time, milliseconds since 1970 UTC."""
        self.risky: deque[Risky] = deque(maxlen=_RISKY_KEPT)
        self._levels: Counter[str] = Counter()
        self._finished_s: deque[float] = deque(maxlen=_FINISHED_KEPT)

    def answered(
        self, row: Row, response: ScoreTransferResponse, latency_ms: float, *, money_left: bool
    ) -> None:
        """Note one answer."""
        level = Decision.Name(response.decision).removeprefix("DECISION_").lower()
        score = response.score if response.HasField("score") else None
        answer = Answer(
            response.decision_id,
            row["time_ms"],
            level,
            score,
            response.versions.model_version,
            row["amount_minor"],
            row["is_fraud"],
            row["is_mule_flow"],
            money_left,
        )
        risky = _risky(row, response, level, score) if level != "allow" else None
        parts = [
            DegradedPart.Name(part).removeprefix("DEGRADED_PART_").lower()
            for part in response.degraded_parts
        ]
        with self._lock:
            self._finished_s.append(time.monotonic())
            self.answers.append(answer)
            self.latencies_ms.append(latency_ms)
            self._levels[level] += 1
            self.degraded.update(parts)
            if risky is not None:
                self.risky.append(risky)

    def retried(self) -> None:
        """Note that a call had to be tried again."""
        with self._lock:
            self.retries += 1

    def reported_execution(self, decision_id: str) -> None:
        """Note an execution that the service took."""
        with self._lock:
            self.executed.append(decision_id)

    def recorded_outcomes(self, count: int) -> None:
        """Note outcomes that are on record with the service."""
        with self._lock:
            self.outcomes_recorded += count

    def levels(self) -> dict[str, int]:
        """Return how many answers had which level; all levels are named."""
        return {level: self._levels[level] for level in LEVELS}

    def by_model(self) -> dict[str, int]:
        """Return how many answers stand on which model, in order of first use."""
        return dict(Counter(answer.model_version for answer in self.answers))

    def live(self) -> Live:
        """Return the figures of this moment."""
        since = time.monotonic() - _RATE_WINDOW_S
        with self._lock:
            count = len(self.answers)
            recent = self.latencies_ms[-_RECENT:]
            last = self.answers[-1].model_version if self.answers else ""
            lately = sum(1 for _ in takewhile(since.__lt__, reversed(self._finished_s)))
            risky = tuple(self.risky)
        p50_ms, p99_ms = percentiles(recent)
        return Live(
            transfers=count,
            per_second=lately / _RATE_WINDOW_S,
            levels=self.levels(),
            p50_ms=p50_ms,
            p99_ms=p99_ms,
            executions=len(self.executed),
            outcomes=self.outcomes_recorded,
            time_ms=self.time_ms,
            model_version=last,
            risky=risky,
        )


def percentiles(latencies_ms: list[float]) -> tuple[float, float]:
    """Return the 50th and 99th percentile; 0 where there are too few."""
    if len(latencies_ms) < 2:
        return (0.0, 0.0)
    cuts = statistics.quantiles(latencies_ms, n=100, method="inclusive")
    return cuts[49], cuts[98]


def _risky(row: Row, response: ScoreTransferResponse, level: str, score: int | None) -> Risky:
    texts = response.prompt.texts
    return Risky(
        time_ms=row["time_ms"],
        channel=row["channel"],
        amount_minor=row["amount_minor"],
        level=level,
        score=score,
        reasons_zh=tuple(reason.text_zh for reason in response.internal_reasons),
        headline=texts[0].headline if texts else "",
        body=texts[0].body if texts else "",
        is_fraud=row["is_fraud"],
    )
