"""What the answers of one phase said, and the calls that follow from them."""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from fanzha.v1.scoring_pb2 import ScoreTransferResponse
from fanzha_loadtest.chained_driver import ChainedDriver
from fanzha_loadtest.http2 import OK
from fanzha_loadtest.profile.profile import Phase, Profile
from fanzha_loadtest.traffic.afterwards import (
    EXECUTION,
    OUTCOME,
    execution_of,
    leaves,
    outcome_of,
    word_of,
)
from fanzha_loadtest.traffic.attempts import Attempt, Attempts
from fanzha_loadtest.traffic.habits import CHANNELS

_REPEATABLE: Final = 500
"""Out of the newest so many answers one is drawn to be asked for again."""
_ASKED_AGAIN: Final = 200
"""So many decisions of a run are looked for with GetDecision."""
_PAID_AFTER_S: Final = (0.05, 0.5)
_KNOWN_AFTER_S: Final = (0.3, 1.0)
"""Seconds from the answer to the execution's report, and to an outcome."""
_KINDS: Final = {EXECUTION: "execution", OUTCOME: "outcome"}
_VICTIMS_AT: Final = (("mobile", 0.92), ("online", 1.0))
"""Where victims pay, by cumulative share."""


@dataclass(slots=True)
class Seen:
    """Counts of what the answers said."""

    decisions: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    """By channel, word of the decision, and whether it was a victim's payment."""
    degraded: int = 0
    repeated: int = 0
    """Repeats that were answered."""
    contradicted: int = 0
    """Repeats that were answered otherwise than the first time."""
    sent: Counter[str] = field(default_factory=Counter)
    """Executions and outcomes sent, by method."""
    taken: Counter[str] = field(default_factory=Counter)
    """Those of them that the service took."""

    def add(self, other: "Seen") -> None:
        """Count another phase in."""
        self.decisions.update(other.decisions)
        self.sent.update(other.sent)
        self.taken.update(other.taken)
        self.degraded += other.degraded
        self.repeated += other.repeated
        self.contradicted += other.contradicted

    def count(self, *words: str, is_fraud: bool | None = None) -> int:
        """Return the answers with one of the words; none named: all."""
        return sum(
            count
            for (_, word, fraud), count in self.decisions.items()
            if (not words or word in words) and is_fraud in (None, fraud)
        )


@dataclass(slots=True)
class Kept:
    """Answers that are asked for again: by the same request during the run, by id after it."""

    lately: deque[tuple[Attempt, str]] = field(default_factory=lambda: deque(maxlen=_REPEATABLE))
    sample: list[ScoreTransferResponse] = field(default_factory=list)
    """Drawn evenly from all answers."""
    answers: int = 0
    on_record: Callable[[str, str], None] = lambda _kind, _name: None
    """Told of everything that the service took: "decision", "execution" or "outcome", and the
    decision's id."""

    def keep(self, attempt: Attempt, response: ScoreTransferResponse, rng: random.Random) -> None:
        """Keep an answer, perhaps."""
        self.lately.append((attempt, response.decision_id))
        self.answers += 1
        self.on_record("decision", response.decision_id)
        if len(self.sample) < _ASKED_AGAIN:
            self.sample.append(response)
        elif (place := rng.randrange(self.answers)) < _ASKED_AGAIN:
            self.sample[place] = response


class Traffic:
    """The messages of one phase, and what is done with their answers."""

    def __init__(
        self,
        profile: Profile,
        phase: Phase,
        attempts: Attempts,
        rng: random.Random,
        driver: ChainedDriver,
        kept: Kept,
    ) -> None:
        self.seen = Seen()
        self.on_latency: Callable[[int, int], None] | None = None
        """Told of each call that ended: gRPC status, microseconds since it was due."""
        self._profile, self._phase = profile, phase
        self._attempts, self._rng, self._driver, self._kept = attempts, rng, driver, kept
        self._open: dict[int, tuple[Attempt, str]] = {}
        self._channels = profile.channels.shares

    def messages(self) -> Iterator[bytes]:
        """Yield requests without end."""
        number = 0
        while True:
            attempt, known = self._next()
            self._open[number] = (attempt, known)
            number += 1
            yield attempt.request.SerializeToString()

    def on_end(self, number: int, status: int, message: bytes, spent_us: int) -> None:
        """Take the end of a call, so many microseconds after it was due."""
        attempt, known = self._open.pop(number)
        if self.on_latency is not None:
            self.on_latency(status, spent_us)
        if status != OK:
            return
        response = ScoreTransferResponse.FromString(message)
        if known:
            self.seen.repeated += 1
            self.seen.contradicted += response.decision_id != known
            return
        self.seen.decisions[attempt.channel, word_of(response), attempt.is_fraud] += 1
        self.seen.degraded += bool(response.degraded_parts)
        self._kept.keep(attempt, response, self._rng)
        self._follow(attempt, response)

    def _next(self) -> tuple[Attempt, str]:
        """Return an attempt, and the id of the decision that it must get when it is a repeat."""
        rng, lately = self._rng, self._kept.lately
        if lately and rng.random() < self._profile.repeats:
            return rng.choice(lately)
        if rng.random() < self._phase.fraud:
            where = rng.random()
            return self._attempts.victim(next(x for x, share in _VICTIMS_AT if where < share)), ""
        channel = rng.choices(CHANNELS, self._channels)[0]
        return self._attempts.honest(channel), ""

    def _follow(self, attempt: Attempt, response: ScoreTransferResponse) -> None:
        rng, fraud = self._rng, attempt.is_fraud
        left = leaves(response, rng, is_fraud=fraud)
        if rng.random() < self._profile.executions:
            report = execution_of(response, left=left).SerializeToString()
            self._send(rng.uniform(*_PAID_AFTER_S), EXECUTION, report, response.decision_id)
        if rng.random() < self._profile.outcomes:
            outcome = outcome_of(response, left=left, is_fraud=fraud).SerializeToString()
            self._send(rng.uniform(*_KNOWN_AFTER_S), OUTCOME, outcome, response.decision_id)

    def _send(self, delay_s: float, method: str, message: bytes, decision_id: str) -> None:
        def ended(status: int) -> None:
            if status == OK:
                self.seen.taken[method] += 1
                self._kept.on_record(_KINDS[method], decision_id)

        self.seen.sent[method] += 1
        self._driver.later(delay_s, method, message, ended)
