"""One client process: asks for decisions, reports what happened to them, writes down each answer.

`python -m tests.chaos.client` is a bank's front in small: a call has a second, and what fails goes
to another worker under the same request id. What it does follows from its seed; what it is
answered does not.
"""

import argparse
import random
import signal
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
from tests.builders import a_request, a_time
from tests.chaos.answers import DECISION, EXECUTION, FAILURE, OUTCOME, Call, CallLog, as_text

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

DEADLINE_S = 1.0
TRIES_MAX = 4
_PAUSE_S = 0.05
_ACCOUNTS = [f"62220202{number:011d}" for number in range(60)]
_REMEMBERED = 400
_PENDING_MAX = 8
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.enable_retries", 0),
    # Each client has connections of its own, also beside others of its process.
    ("grpc.use_local_subchannel_pool", 1),
]
_AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Known:
    """An attempt that was answered."""

    request: scoring.ScoreTransferRequest
    decision_id: str


class Client:
    """Plays until it is told to stop, or has played enough."""

    def __init__(self, name: str, addresses: list[str], log: CallLog, seed: int) -> None:
        self._name = name
        self._log = log
        self._rng = random.Random(seed)
        self._numbers = 0
        self._known: deque[Known] = deque(maxlen=_REMEMBERED)
        self._executed: set[str] = set()
        self._racers = ThreadPoolExecutor(2)
        # Reports never hold up the next question, however long they take.
        self._reporters = ThreadPoolExecutor(2)
        self._pending: set[Future[None]] = set()
        self._channels = [grpc.insecure_channel(address, _CHANNEL) for address in addresses]
        self._scoring: list[Any] = [scoring_pb2_grpc.ScoringServiceStub(x) for x in self._channels]
        self._outcomes: list[Any] = [
            outcomes_pb2_grpc.OutcomeServiceStub(x) for x in self._channels
        ]
        self.stopped = False

    def play(self, rate: float, count_max: int, seconds_max: float) -> None:
        """Make calls at a steady rate; slower when answers are slow, never faster."""
        began_s = next_s = time.monotonic()
        for _ in range(count_max):
            if self.stopped or next_s - began_s > seconds_max:
                break
            self._step()
            next_s = max(next_s + 1 / rate, time.monotonic())
            time.sleep(max(0.0, next_s - time.monotonic()))
        wait(self._pending)

    def ask_again(self, count: int) -> None:
        """Send once more, to any worker, some of what was answered: that has to come again."""
        self.stopped = False
        for known in self._rng.sample(list(self._known), min(count, len(self._known))):
            self._score(known.request, "after")

    def _step(self) -> None:
        what = self._rng.random()
        if what < 0.62 or not self._known:
            self._score(self._new_request(), "fresh")
        elif what < 0.74:
            self._score(self._rng.choice(self._known).request, "duplicate")
        elif what < 0.78:
            self._race()
        elif what < 0.91:
            self._execute()
        else:
            self._report()

    def _score(self, request: scoring.ScoreTransferRequest, attempt: str) -> None:
        """Ask one worker after the other until one answers."""
        first = self._rng.randrange(len(self._scoring))
        for number in range(TRIES_MAX):
            worker = (first + number) % len(self._scoring)
            if self._score_at(
                request, worker, attempt if number == 0 or attempt == "after" else "retry"
            ):
                return
            if self.stopped:
                return
            time.sleep(_PAUSE_S)

    def _race(self) -> None:
        """Send one new request to two workers at once, as an impatient front does."""
        request = self._new_request()
        workers = self._rng.sample(range(len(self._scoring)), min(2, len(self._scoring)))
        list(self._racers.map(lambda at: self._score_at(request, at, "race"), workers))

    def _score_at(self, request: scoring.ScoreTransferRequest, worker: int, attempt: str) -> bool:
        """Ask one worker; return False when another one should be asked."""
        sent_s = time.monotonic()
        try:
            answer = self._scoring[worker].ScoreTransfer(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            return self._failed(error, worker, sent_s, request.request_id, attempt)
        ended_s = time.monotonic()
        self._known.append(Known(request, answer.decision_id))
        self._log.write(
            Call(
                DECISION, self._name, worker, sent_s, ended_s, request.request_id,
                answer.decision_id, as_text(answer), attempt,
            )
        )  # fmt: skip
        return True

    def _failed(
        self, error: grpc.RpcError, worker: int, sent_s: float, request_id: str, attempt: str
    ) -> bool:
        said: Any = error
        detail = f"{said.code().name}: {said.details()}"
        ended_s = time.monotonic()
        call = Call(
            FAILURE, self._name, worker, sent_s, ended_s, request_id,
            attempt=attempt, detail=detail,
        )  # fmt: skip
        self._log.write(call)
        return said.code() not in _AGAIN

    def _execute(self) -> None:
        known = self._rng.choice(self._known)
        if known.decision_id in self._executed:
            return
        self._executed.add(known.decision_id)
        status = self._rng.choice(
            [outcomes.EXECUTION_STATUS_POSTED] * 3 + [outcomes.EXECUTION_STATUS_FAILED]
        )
        request = outcomes.ReportExecutionRequest(
            decision_id=known.decision_id, status=status, execute_time=a_time()
        )
        self._later("ReportExecution", request, EXECUTION, known.decision_id, str(int(status)))

    def _report(self) -> None:
        known = self._rng.choice(self._known)
        self._numbers += 1
        outcome = outcomes.Outcome(
            outcome_id=f"{self._name}-o{self._numbers}",
            decision_id=known.decision_id,
            type=self._rng.choice(
                [
                    outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
                    outcomes.OUTCOME_TYPE_MULE_CONFIRMED,
                    outcomes.OUTCOME_TYPE_CONFIRMED_LEGITIMATE,
                ]
            ),
            fraud_type=wire.FRAUD_TYPE_TASK_REBATE,
            source=outcomes.OUTCOME_SOURCE_BANK_REVIEW,
            report_time=a_time(),
        )
        request = outcomes.RecordOutcomeRequest(outcome=outcome)
        self._later("RecordOutcome", request, OUTCOME, known.decision_id, outcome.outcome_id)

    def _later(self, method: str, request: Any, kind: str, decision_id: str, detail: str) -> None:
        """Have it reported beside the questions; leave it out when too much waits."""
        first = self._rng.randrange(len(self._outcomes))
        self._pending = {one for one in self._pending if not one.done()}
        if len(self._pending) < _PENDING_MAX:
            told = (method, request, kind, decision_id, detail, first)
            self._pending.add(self._reporters.submit(self._tell, *told))

    def _tell(
        self, method: str, request: Any, kind: str, decision_id: str, detail: str, first: int
    ) -> None:
        """Report at one worker after the other until one takes it."""
        for number in range(TRIES_MAX):
            worker = (first + number) % len(self._outcomes)
            sent_s = time.monotonic()
            try:
                getattr(self._outcomes[worker], method)(request, timeout=DEADLINE_S)
            except grpc.RpcError as error:
                if self._failed(error, worker, sent_s, decision_id, kind) or self.stopped:
                    return
                time.sleep(_PAUSE_S)
                continue
            self._log.write(
                Call(
                    kind, self._name, worker, sent_s, time.monotonic(),
                    decision_id=decision_id, detail=detail,
                )
            )  # fmt: skip
            return

    def _new_request(self) -> scoring.ScoreTransferRequest:
        """Return a payment among few accounts, which share few devices, phones and persons."""
        rng = self._rng
        self._numbers += 1
        payer, payee = rng.sample(_ACCOUNTS, 2)
        is_odd = rng.random() < 0.3
        request = a_request(
            f"{self._name}-r{self._numbers}",
            payer=payer,
            payee=payee,
            amount=rng.randint(20_000, 90_000) if is_odd else rng.randint(1, 4_000),
            session=wire.Session(
                call_in_progress=is_odd and rng.random() < 0.7,
                screen_shared=is_odd and rng.random() < 0.7,
                device_id=f"device-{rng.randrange(20)}",
            ),
        )
        request.transfer.transfer_id = f"{self._name}-t{self._numbers}"
        request.transfer.payer.person = f"person-{payer}"
        if rng.random() < 0.5:
            request.transfer.payee.phone = f"100{rng.randrange(30):08}"
        return request


def main() -> None:
    """Play as the arguments say; SIGTERM ends it after the call that is under way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--addresses", required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--count-max", type=int, required=True)
    parser.add_argument("--seconds-max", type=float, required=True)
    parser.add_argument("--again", type=int, default=60)
    given = parser.parse_args()
    log = CallLog(given.log)
    client = Client(given.name, given.addresses.split(","), log, given.seed)

    def stop(number: int, frame: FrameType | None) -> None:
        client.stopped = True

    signal.signal(signal.SIGTERM, stop)
    client.play(given.rate, given.count_max, given.seconds_max)
    log.sync()
    # The harness says when all is quiet; when it is gone, so is its end of the pipe.
    if sys.stdin.readline().strip() == "again":
        client.ask_again(given.again)
    log.close()


if __name__ == "__main__":
    main()
