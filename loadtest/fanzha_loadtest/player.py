"""Plays a table of transfers through the API, as channels, core banking and the case desk would.

The transfers of one payer keep their order; simulated time moves on with the transfers; what
happens later (the money moves, a fraud is reported) is sent when its own time comes.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from fanzha.v1.outcomes_pb2 import (
    ExecutionStatus,
    Outcome,
    OutcomeSource,
    OutcomeType,
    RecordOutcomesRequest,
    ReportExecutionRequest,
    WithdrawOutcomeRequest,
)
from fanzha.v1.transfer_pb2 import FraudType
from fanzha_loadtest.clients import CALL_TIMEOUT_S, Client, ClientError, Stubs, Window, with_retries
from fanzha_loadtest.customers import Aftermath, aftermath
from fanzha_loadtest.requests import Row, to_request
from fanzha_loadtest.tally import Tally

THREADS: Final[Mapping[str, int]] = {
    # Most transfers come from phones; the other channels are quiet.
    "mobile": 10,
    "online": 4,
    "atm": 2,
    "counter": 2,
    "smart_teller": 2,
}
"""Client threads by channel."""

_CORE_THREADS: Final = 4
_CALLS_MAX: Final = 16
"""Calls under way; so many transfers may overtake one another at most."""
_STREAM_OUTCOMES_MAX: Final = 100
_STREAM_EVERY_MS: Final = 3_600_000
"""The case desk reports once in a simulated hour, or sooner when much has come together."""
_CLOCK_SLACK_MS: Final = 9 * 60_000
"""The service accepts times up to 10 minutes after its clock."""

Report: TypeAlias = ReportExecutionRequest | Outcome | WithdrawOutcomeRequest
Due: TypeAlias = tuple[int, int, Report]
"""Time in ms, a number that keeps the order among equals, and the report."""


class Player:
    """The clients, and what they have still to report."""

    def __init__(
        self, address: str, outcomes: Mapping[str, Sequence[Mapping[str, Any]]], seed: int
    ) -> None:
        """Connect all clients.

        Args:
            address: host:port of the service.
            outcomes: rows of outcomes.parquet by request id.
            seed: decides what customers do after a prompt.

        """
        self.tally = Tally()
        self._outcomes = outcomes
        self._seed = seed
        self._window = Window(_CALLS_MAX)
        self._channels = {
            name: Client(name, address, threads, self._window) for name, threads in THREADS.items()
        }
        self._core = Client("core banking", address, _CORE_THREADS, self._window)
        self._case_desk = Client("case desk", address, 1, self._window)
        self._lock = threading.Lock()
        self._due: list[Due] = []
        self._numbers = itertools.count()
        self._for_stream: list[Outcome] = []
        self._next_stream_ms = 0
        self._service_clock_ms = 0
        """The newest time that the service has certainly seen: its event clock stands there."""
        self._behind: dict[str, deque[Row]] = {}
        """For each payer with a call under way, the transfers that wait for its answer."""

    def play(self, rows: Iterable[Row]) -> None:
        """Ask about every row, in the order given; return when all are answered.

        Raises:
            ClientError: a call failed for good.

        """
        for row in rows:
            self._move_on(row["time_ms"])
            self._window.enter()
            if not self._queued_behind(row):
                self._channels[row["channel"]].put(partial(self._ask_in_turn, row))
        self._window.drain()
        self._send_reports(self._service_clock_ms)

    def finish(self) -> None:
        """Send what is due now or within the minutes that the service's clock allows."""
        self._send_reports(self._service_clock_ms + _CLOCK_SLACK_MS)

    def close(self) -> None:
        """Hang up."""
        for client in (*self._channels.values(), self._core, self._case_desk):
            client.close()

    def _queued_behind(self, row: Row) -> bool:
        """Queue a transfer behind an unanswered one of its payer, if there is one."""
        with self._lock:
            waiting = self._behind.get(row["payer_account"])
            if waiting is None:
                self._behind[row["payer_account"]] = deque()
                return False
            waiting.append(row)
            return True

    def _ask_in_turn(self, row: Row, stubs: Stubs) -> None:
        self._ask(row, stubs)
        with self._lock:
            waiting = self._behind[row["payer_account"]]
            following = waiting.popleft() if waiting else None
            if following is None:
                del self._behind[row["payer_account"]]
        if following is not None:
            self._channels[following["channel"]].put(partial(self._ask_in_turn, following))
        self._window.leave()

    def _ask(self, row: Row, stubs: Stubs) -> None:
        request = to_request(row)
        call: Callable[[], Any] = partial(
            stubs.scoring.ScoreTransfer, request, timeout=CALL_TIMEOUT_S
        )
        begin = time.perf_counter()
        response = with_retries(call, self.tally.retried)
        latency_ms = (time.perf_counter() - begin) * 1000
        after = aftermath(row, response, self._seed)
        self.tally.answered(row, response, latency_ms, money_left=after.money_left)
        reports = list(_reports(row, response.decision_id, after))
        for known in self._outcomes.get(row["request_id"], ()):
            reports += _outcome_reports(row, response.decision_id, known, after)
        with self._lock:
            self._service_clock_ms = max(row["time_ms"], self._service_clock_ms)
            for time_ms, report in reports:
                heapq.heappush(self._due, (time_ms, next(self._numbers), report))

    def _send_reports(self, now_ms: int) -> None:
        """Send everything due and wait until it is on record."""
        self._hand_out_due(now_ms)
        self._stream_outcomes()
        self._window.drain()

    def _move_on(self, now_ms: int) -> None:
        self.tally.time_ms = max(now_ms, self.tally.time_ms)
        self._hand_out_due(min(now_ms, self._service_clock_ms + _CLOCK_SLACK_MS))
        enough = len(self._for_stream) >= _STREAM_OUTCOMES_MAX
        if enough or now_ms >= self._next_stream_ms:
            self._stream_outcomes()
            self._next_stream_ms = now_ms + _STREAM_EVERY_MS

    def _hand_out_due(self, now_ms: int) -> None:
        due: list[Report] = []
        with self._lock:
            while self._due and self._due[0][0] <= now_ms:
                due.append(heapq.heappop(self._due)[2])
        for report in due:
            if isinstance(report, Outcome):
                self._for_stream.append(report)
            elif isinstance(report, WithdrawOutcomeRequest):
                # One client works at the case desk: what is taken back was recorded before.
                self._stream_outcomes()
                self._window.enter()
                self._case_desk.put(partial(self._withdraw_outcome, report))
            else:
                self._window.enter()
                self._core.put(partial(self._report_execution, report))

    def _report_execution(self, request: ReportExecutionRequest, stubs: Stubs) -> None:
        call: Callable[[], Any] = partial(
            stubs.outcomes.ReportExecution, request, timeout=CALL_TIMEOUT_S
        )
        with_retries(call, self.tally.retried)
        self.tally.reported_execution(request.decision_id)
        self._window.leave()

    def _withdraw_outcome(self, request: WithdrawOutcomeRequest, stubs: Stubs) -> None:
        call: Callable[[], Any] = partial(
            stubs.outcomes.WithdrawOutcome, request, timeout=CALL_TIMEOUT_S
        )
        with_retries(call, self.tally.retried)
        self._window.leave()

    def _stream_outcomes(self) -> None:
        if self._for_stream:
            self._window.enter()
            self._case_desk.put(partial(self._record_outcomes, self._for_stream))
            self._for_stream = []

    def _record_outcomes(self, outcomes: list[Outcome], stubs: Stubs) -> None:
        def call() -> Any:  # noqa: ANN401 - a generated message
            messages = (RecordOutcomesRequest(outcome=outcome) for outcome in outcomes)
            return stubs.outcomes.RecordOutcomes(messages, timeout=4 * CALL_TIMEOUT_S)

        answer = with_retries(call, self.tally.retried)
        if answer.refused_count:
            refusal = answer.refusals[0]
            raise ClientError(
                f"{answer.refused_count} of {len(outcomes)} outcomes were refused, "
                f"the first, {refusal.outcome_id}: {refusal.message}"
            )
        # Every outcome is sent once; a repetition is the echo of a stream that was tried again.
        self.tally.recorded_outcomes(answer.recorded_count + answer.repeated_count)
        self._window.leave()


def _reports(row: Row, decision_id: str, after: Aftermath) -> Iterable[tuple[int, Report]]:
    """Yield what the bank reports by itself, and when."""
    if after.status != ExecutionStatus.EXECUTION_STATUS_UNSPECIFIED:
        execution = ReportExecutionRequest(decision_id=decision_id, status=after.status)
        execution.execute_time.FromMilliseconds(after.time_ms)
        yield after.time_ms, execution
    if after.outcome != OutcomeType.OUTCOME_TYPE_UNSPECIFIED:
        outcome = Outcome(
            outcome_id=f"a-{row['request_id']}"[:64],
            decision_id=decision_id,
            type=after.outcome,
            source=after.source,
        )
        outcome.report_time.FromMilliseconds(after.time_ms)
        yield after.time_ms, outcome


def _outcome_reports(
    row: Row, decision_id: str, known: Mapping[str, Any], after: Aftermath
) -> Iterable[tuple[int, Report]]:
    """Yield an outcome of the table, and its withdrawal by whoever stated it."""
    outcome = _outcome(row, decision_id, known, after)
    yield known["report_time_ms"], outcome
    if known["withdrawn_time_ms"] is not None:
        withdrawal = WithdrawOutcomeRequest(
            decision_id=decision_id, outcome_id=outcome.outcome_id, source=outcome.source
        )
        withdrawal.report_time.FromMilliseconds(known["withdrawn_time_ms"])
        yield known["withdrawn_time_ms"], withdrawal


def _outcome(row: Row, decision_id: str, known: Mapping[str, Any], after: Aftermath) -> Outcome:
    """Return a row of outcomes.parquet as it is reported; money that stayed was not lost."""
    outcome = Outcome(
        outcome_id=known["outcome_id"],
        decision_id=decision_id,
        type=OutcomeType.Value(f"OUTCOME_TYPE_{known['outcome'].upper()}"),
        source=OutcomeSource.Value(f"OUTCOME_SOURCE_{known['source'].upper()}"),
    )
    if known["fraud_type"] is not None:
        outcome.fraud_type = FraudType.Value(f"FRAUD_TYPE_{known['fraud_type'].upper()}")
    if known["loss_minor"] is not None:
        outcome.loss.currency_code = row["currency"]
        outcome.loss.minor_units = known["loss_minor"] if after.money_left else 0
    outcome.report_time.FromMilliseconds(known["report_time_ms"])
    return outcome
