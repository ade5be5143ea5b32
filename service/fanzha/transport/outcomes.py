"""OutcomeService: convert, call, convert."""

from collections.abc import Iterator

import grpc

from fanzha.domain.errors import FanzhaError, FieldFault, StoreUnavailableError
from fanzha.domain.record import ExecutionRecord, OutcomeRecord
from fanzha.domain.vocabulary import ExecutionStatus, FraudType, OutcomeType
from fanzha.pipeline.aftermath import Reporter
from fanzha.pipeline.ports import Clock
from fanzha.transport.convert import Door
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens
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
        with self._guard.call(_SERVICE + "ReportExecution", context):
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
            )
            changed = self._reporter.report_execution(report, tuple(door.faults))
            return outcomes.ReportExecutionResponse(changed=changed)

    def RecordOutcome(  # noqa: N802 - named by the proto
        self, request: outcomes.RecordOutcomeRequest, context: grpc.ServicerContext
    ) -> outcomes.RecordOutcomeResponse:
        """Take what one transfer turned out to be."""
        with self._guard.call(_SERVICE + "RecordOutcome", context):
            return outcomes.RecordOutcomeResponse(recorded=self._record(request.outcome))

    def RecordOutcomes(  # noqa: N802 - named by the proto
        self,
        request_iterator: Iterator[outcomes.RecordOutcomesRequest],
        context: grpc.ServicerContext,
    ) -> outcomes.RecordOutcomesResponse:
        """Take many outcomes; each is judged alone."""
        answer = outcomes.RecordOutcomesResponse()
        with self._guard.stream(_SERVICE + "RecordOutcomes", context):
            for index, request in enumerate(request_iterator):
                try:
                    if self._record(request.outcome):
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
        return answer

    def _record(self, outcome: outcomes.Outcome) -> bool:
        door = Door(self._tokens)
        has = outcome.HasField
        record = OutcomeRecord(
            outcome_id=outcome.outcome_id,
            decision_id=outcome.decision_id,
            type=door.choice(OutcomeType, outcome.type, "outcome.type"),
            fraud_type=door.choice(FraudType, outcome.fraud_type, "outcome.fraud_type"),
            source=outcome.source,
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
        )
        return self._reporter.record_outcome(record, tuple(door.faults))

    def _minor(self, door: Door, money: wire.Money, field: str) -> int:
        if money.currency_code != self._base_currency:
            door.faults.append(
                FieldFault(
                    f"{field}.currency_code",
                    f"must be {self._base_currency}, the base currency of this deployment",
                )
            )
        return money.minor_units
