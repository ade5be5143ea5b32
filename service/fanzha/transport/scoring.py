"""ScoringService: convert, call, convert."""

import grpc

from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.pipeline.aftermath import Reporter
from fanzha.pipeline.answer import Answer
from fanzha.pipeline.assess import Assessor
from fanzha.pipeline.budget import Budgets
from fanzha.transport.convert import to_draft, to_response
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens
from fanzha.transport.later import Later, when_all
from fanzha.transport.status import to_call_error, to_failure
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

BATCH_MAX = 256

_SERVICE = "/fanzha.v1.ScoringService/"


class ScoringServicer(scoring_pb2_grpc.ScoringServiceServicer):
    """Answers "may this money leave?"."""

    def __init__(
        self,
        guard: Guard,
        tokens: Tokens,
        assessor: Assessor,
        reporter: Reporter,
        budgets: Budgets,
    ) -> None:
        self._guard = guard
        self._tokens = tokens
        self._assessor = assessor
        self._reporter = reporter
        self._budgets = budgets

    def ScoreTransfer(  # type: ignore[override] # noqa: N802 - named by the proto
        self, request: scoring.ScoreTransferRequest, context: grpc.ServicerContext
    ) -> Later:
        """Judge one attempt."""
        caller = self._guard.let_in(context)
        budget = self._budgets.begin(context.time_remaining())
        answer = self._assessor.begin(to_draft(request, caller.name, self._tokens), budget)
        return Later(answer.when_ready, lambda: to_response(answer.finish()))

    def ScoreBatch(  # type: ignore[override] # noqa: N802 - named by the proto
        self, request: scoring.ScoreBatchRequest, context: grpc.ServicerContext
    ) -> Later:
        """Judge up to 256 attempts in their order."""
        caller = self._guard.let_in(context)
        if not 1 <= len(request.requests) <= BATCH_MAX:
            raise InvalidFieldsError(
                (FieldFault("requests", f"must hold 1 to {BATCH_MAX} requests"),)
            )
        # A limit counts transfers, however they are packed; one is paid for at the door.
        for bucket in caller.buckets:
            bucket.owe(len(request.requests) - 1)
        # Every item is judged before the first answer waits for the disk.
        pending = [self._begin(item, caller.name, context) for item in request.requests]
        return Later(
            when_all(answer for answer in pending if not isinstance(answer, Exception)),
            lambda: scoring.ScoreBatchResponse(results=[_result(answer) for answer in pending]),
        )

    def GetDecision(  # noqa: N802 - named by the proto
        self, request: scoring.GetDecisionRequest, context: grpc.ServicerContext
    ) -> scoring.GetDecisionResponse:
        """Return a decision given before."""
        self._guard.let_in(context)
        found, source = self._reporter.get_decision(request.decision_id)
        response = scoring.GetDecisionResponse(
            decision=to_response(found.decision),
            source=int(source),  # type: ignore[arg-type]
        )
        if (reconciled := found.reconciled) is not None:
            response.reconciled_to = reconciled.stands
            response.contradicted = reconciled.contradicted
        return response

    def _begin(
        self, request: scoring.ScoreTransferRequest, caller: str, context: grpc.ServicerContext
    ) -> Answer | Exception:
        try:
            # Each item has a budget of its own; the client's deadline is for all of them.
            budget = self._budgets.begin(context.time_remaining())
            return self._assessor.begin(to_draft(request, caller, self._tokens), budget)
        except Exception as error:  # noqa: BLE001 - one item's error is that item's answer
            return error


def _result(answer: Answer | Exception) -> scoring.ScoreBatchResult:
    if isinstance(answer, Exception):
        return scoring.ScoreBatchResult(error=to_call_error(to_failure(answer)))
    try:
        return scoring.ScoreBatchResult(response=to_response(answer.finish()))
    except Exception as error:  # noqa: BLE001 - one item's error is that item's answer
        return scoring.ScoreBatchResult(error=to_call_error(to_failure(error)))
