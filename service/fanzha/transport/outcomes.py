"""OutcomeService: convert, call, convert."""

from collections.abc import Iterator

import grpc

from fanzha.domain.errors import FanzhaError, FieldFault, StoreUnavailableError
from fanzha.domain.record import ExecutionRecord, OutcomeRecord, WithdrawalRecord
from fanzha.domain.vocabulary import ExecutionStatus, FraudType, OutcomeSource, OutcomeType
from fanzha.pipeline.aftermath import Reporter
from fanzha.pipeline.ports import Clock
from fanzha.transport.door import Door
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens
from fanzha.transport.outcome_list import to_list
from fanzha.transport.status import to_failure
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc
from fanzha.v1 import transfer_pb2 as wire

_SERVICE = "/fanzha.v1.OutcomeService/"
_REFUSALS_MAX = 100


class OutcomeServicer(outcomes_pb2_grpc.OutcomeServiceServicer):
    """Takes back what became of transfers."""

    def __init__(
        self, guard: Guard, tokens: Tokens, reporter: Reporter, clock: Clock, base_currency: str
    ) -> None:
        self._guard = guard
        self._tokens = tokens
        self._reporter = reporter
        self._clock = clock
        self._base_currency = base_currency

    def ReportExecution(  # noqa: N802 - named by the proto
        self, request: outcomes.ReportExecutionRequest, context: grpc.ServicerContext
    ) -> outcomes.ReportExecutionResponse:
        """Take what the bank did with the money."""
        caller = self._guard.let_in(context)
        door = Door(self._tokens)
        report = ExecutionRecord(
            decision_id=request.decision_id,
            status=door.choice(ExecutionStatus, request.status, "status"),
            execute_time_ms=(
                door.time_ms(request.execute_time, "execute_time")
                if request.HasField("execute_time")
                else 0
            ),
            record_time_ms=self._clock.now_ms(),
            caller=caller.name,
        )
        changed = self._reporter.report_execution(report, tuple(door.faults))
        return outcomes.ReportExecutionResponse(changed=changed)

    def RecordOutcome(  # noqa: N802 - named by the proto
        self, request: outcomes.RecordOutcomeRequest, context: grpc.ServicerContext
    ) -> outcomes.RecordOutcomeResponse:
        """Take what one transfer turned out to be."""
        caller = self._guard.let_in(context)
        is_new = self._record(request.outcome, caller.name)
        return outcomes.RecordOutcomeResponse(recorded=is_new)

    def RecordOutcomes(  # noqa: N802 - named by the proto
        self,
        request_iterator: Iterator[outcomes.RecordOutcomesRequest],
        context: grpc.ServicerContext,
    ) -> outcomes.RecordOutcomesResponse:
        """Take many outcomes; each is judged alone."""
        answer = outcomes.RecordOutcomesResponse()
        ticket: int | None = None
        with self._guard.stream(_SERVICE + "RecordOutcomes", context) as caller:
            method = _SERVICE + "RecordOutcomes"
            allowed = self._guard.while_allowed(method, context, request_iterator)
            for index, request in enumerate(allowed):
                try:
                    is_new, kept = self._begin(request.outcome, caller.name)
                    ticket = kept if kept is not None else ticket
                    if is_new:
                        answer.recorded_count += 1
                    else:
                        answer.repeated_count += 1
                except StoreUnavailableError:
                    # Outcome ids make it safe to send the whole stream again.
                    raise
                except FanzhaError as error:
                    answer.refused_count += 1
                    if len(answer.refusals) < _REFUSALS_MAX:
                        failure = to_failure(error)
                        answer.refusals.add(
                            index=index,
                            outcome_id=request.outcome.outcome_id[:64],
                            reason=failure.reason,
                            message=failure.message,
                        )
            # The disk takes them in order: with the last, all are on it.
            self._reporter.wait(ticket)
        return answer

    def WithdrawOutcome(  # noqa: N802 - named by the proto
        self, request: outcomes.WithdrawOutcomeRequest, context: grpc.ServicerContext
    ) -> outcomes.WithdrawOutcomeResponse:
        """Take an outcome back."""
        caller = self._guard.let_in(context)
        door = Door(self._tokens)
        withdrawal = WithdrawalRecord(
            outcome_id=request.outcome_id,
            decision_id=request.decision_id,
            source=door.choice(OutcomeSource, request.source, "source"),
            reason=door.remark(request.reason, "reason"),
            report_time_ms=(
                door.time_ms(request.report_time, "report_time")
                if request.HasField("report_time")
                else 0
            ),
            record_time_ms=self._clock.now_ms(),
            caller=caller.name,
        )
        withdrawn = self._reporter.withdraw_outcome(withdrawal, tuple(door.faults))
        return outcomes.WithdrawOutcomeResponse(withdrawn=withdrawn)

    def ListOutcomes(  # noqa: N802 - named by the proto
        self, request: outcomes.ListOutcomesRequest, context: grpc.ServicerContext
    ) -> outcomes.ListOutcomesResponse:
        """List a decision's outcomes, and what stands."""
        self._guard.let_in(context)
        history = self._reporter.list_outcomes(request.decision_id)
        return to_list(history, self._base_currency)

    def _record(self, outcome: outcomes.Outcome, caller: str) -> bool:
        is_new, ticket = self._begin(outcome, caller)
        self._reporter.wait(ticket)
        return is_new

    def _begin(self, outcome: outcomes.Outcome, caller: str) -> tuple[bool, int | None]:
        door = Door(self._tokens)
        has = outcome.HasField
        record = OutcomeRecord(
            outcome_id=outcome.outcome_id,
            decision_id=outcome.decision_id,
            type=door.choice(OutcomeType, outcome.type, "outcome.type"),
            fraud_type=door.choice(FraudType, outcome.fraud_type, "outcome.fraud_type"),
            source=door.choice(OutcomeSource, outcome.source, "outcome.source"),
            loss_minor=self._minor(door, outcome.loss, "outcome.loss") if has("loss") else None,
            recovered_minor=(
                self._minor(door, outcome.recovered, "outcome.recovered")
                if has("recovered")
                else None
            ),
            report_time_ms=(
                door.time_ms(outcome.report_time, "outcome.report_time")
                if has("report_time")
                else 0
            ),
            record_time_ms=self._clock.now_ms(),
            caller=caller,
        )
        return self._reporter.begin_outcome(record, tuple(door.faults))

    def _minor(self, door: Door, money: wire.Money, field: str) -> int:
        if money.currency_code != self._base_currency:
            door.faults.append(
                FieldFault(
                    f"{field}.currency_code",
                    f"must be {self._base_currency}, the base currency of this deployment",
                )
            )
        return money.minor_units
