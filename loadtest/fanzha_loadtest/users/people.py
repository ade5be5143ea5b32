"""The users: customers and tellers of five channels, who pay, read prompts, and report."""

import os
import random
import time
from typing import Any, ClassVar, Final

from locust import User, task

from fanzha.v1.outcomes_pb2_grpc import OutcomeServiceStub
from fanzha.v1.scoring_pb2 import Decision, ScoreTransferResponse
from fanzha.v1.scoring_pb2_grpc import ScoringServiceStub
from fanzha_loadtest.traffic.afterwards import execution_of, leaves, outcome_of, word_of
from fanzha_loadtest.traffic.attempts import Attempt, Attempts
from fanzha_loadtest.traffic.habits import HABITS
from fanzha_loadtest.users.calls import CallError, call
from fanzha_loadtest.users.session import Session

_READS_PROMPT_S: Final = (0.3, 1.2)
"""How long a customer looks at a prompt before going on or giving up; far shorter than in life, so
that a short run sees many."""
_VICTIM_CHANNELS: Final = frozenset({"mobile", "online"})
_numbers: Final = iter(range(1_000_000_000))


class Customer(User):
    """Whoever is served at one channel, one after the other."""

    abstract = True
    channel: ClassVar[str]

    def on_start(self) -> None:
        """Take a place in the queue, with request ids of one's own."""
        self._session: Session = self.environment.fanzha_session
        number = next(_numbers)
        seed = self._session.profile.seed * 1_000_003 + number
        self._rng = random.Random(seed)  # noqa: S311 - a load, not a secret
        name = f"u{time.time_ns() // 1_000_000:x}-{os.getpid():x}-{number}"
        self._attempts = Attempts(self._session.bank, self._rng, name)
        self._scoring = ScoringServiceStub(self._session.channel)
        self._outcomes = OutcomeServiceStub(self._session.channel)

    def wait_time(self) -> float:
        """Return seconds until the next customer."""
        return self._rng.uniform(*HABITS[self.channel].between_s)

    @task
    def move_money(self) -> None:
        """Ask for one transfer, act on the answer, and report what was done."""
        facts, is_fraud = self._session.facts, self._is_victim()
        draw = self._attempts.victim if is_fraud else self._attempts.honest
        attempt = draw(self.channel)
        try:
            response = self._ask(attempt)
            self._perhaps_again(attempt, response)
            left = self._act(response, is_fraud=is_fraud)
            self._report(response, left=left, is_fraud=is_fraud)
        except CallError as error:
            facts.failed[f"{self.channel}: {error}"[:200]] += 1
        facts.tasks[self.channel] += 1

    def _is_victim(self) -> bool:
        fraud = self._session.fraud if self.channel in _VICTIM_CHANNELS else 0.0
        return self._rng.random() < fraud

    def _ask(self, attempt: Attempt) -> ScoreTransferResponse:
        response: ScoreTransferResponse = self._call(
            f"ScoreTransfer {self.channel}", self._scoring.ScoreTransfer, attempt.request
        )
        self._session.facts.decisions[self.channel, word_of(response)] += 1
        return response

    def _perhaps_again(self, attempt: Attempt, response: ScoreTransferResponse) -> None:
        """Tap twice, now and then: the same request must get the same answer."""
        if self._rng.random() >= self._session.profile.repeats:
            return
        again = self._call(
            f"ScoreTransfer {self.channel}, again", self._scoring.ScoreTransfer, attempt.request
        )
        facts = self._session.facts
        facts.repeated += 1
        facts.contradicted += again.decision_id != response.decision_id

    def _act(self, response: ScoreTransferResponse, *, is_fraud: bool) -> bool:
        """Return whether the money left."""
        facts = self._session.facts
        if response.decision == Decision.DECISION_CONFIRM:
            time.sleep(self._rng.uniform(*_READS_PROMPT_S))
        left = leaves(response, self._rng, is_fraud=is_fraud)
        facts.paid += left
        if not left and response.decision == Decision.DECISION_CONFIRM:
            facts.given_up += 1
        elif not left:
            facts.held += 1
        return left

    def _report(self, response: ScoreTransferResponse, *, left: bool, is_fraud: bool) -> None:
        profile, facts = self._session.profile, self._session.facts
        if self._rng.random() < profile.executions:
            report = execution_of(response, left=left)
            self._call("ReportExecution", self._outcomes.ReportExecution, report)
            facts.executions += 1
        if self._rng.random() < profile.outcomes:
            outcome = outcome_of(response, left=left, is_fraud=is_fraud)
            self._call("RecordOutcome", self._outcomes.RecordOutcome, outcome)
            facts.outcomes += 1

    def _call(self, name: str, method: Any, request: Any) -> Any:  # noqa: ANN401 - any method
        """Call with retries; each try is one request of locust's figures."""
        tries = 0

        def on_try(spent_ms: float, answer: Any, status: str) -> None:  # noqa: ANN401
            nonlocal tries
            tries += 1
            self._session.facts.retries += tries > 1
            self.environment.events.request.fire(
                request_type="grpc",
                name=name,
                response_time=spent_ms,
                response_length=answer.ByteSize() if answer is not None else 0,
                exception=None if answer is not None else CallError(status),
                context={},
            )

        return call(method, request, on_try)


class CounterCustomer(Customer):
    """Stands at a counter; a teller asks."""

    channel = "counter"


class AtmCustomer(Customer):
    """Takes cash, mostly."""

    channel = "atm"


class SmartTellerCustomer(Customer):
    """Uses a smart teller terminal."""

    channel = "smart_teller"


class MobileCustomer(Customer):
    """Pays with a phone, small and often."""

    channel = "mobile"


class OnlineCustomer(Customer):
    """Pays from a desk."""

    channel = "online"


CUSTOMERS: Final = (
    CounterCustomer, AtmCustomer, SmartTellerCustomer, MobileCustomer, OnlineCustomer,
)  # fmt: skip
