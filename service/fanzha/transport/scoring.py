"""ScoringService: convert, call, convert."""

from collections.abc import Sequence
from typing import Final

import grpc

from fanzha.domain.errors import DeadlinePassedError, FieldFault, InvalidFieldsError
from fanzha.pipeline.aftermath import Reporter
from fanzha.pipeline.answer import Answer
from fanzha.pipeline.assess import Assessor, Attempt
from fanzha.pipeline.budget import Budgets
from fanzha.pipeline.waves import waves
from fanzha.transport.convert import fill_response, to_draft, to_response
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens
from fanzha.transport.later import Later, when_all
from fanzha.transport.status import to_call_error, to_failure
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

BATCH_MAX = 256

SCORE_TRANSFER: Final = "/fanzha.v1.ScoringService/ScoreTransfer"


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
    ) -> Later | Exception:
        """Judge one attempt."""
        return self.score_all([(request, context)])[0]

    def score_all(
        self, calls: Sequence[tuple[scoring.ScoreTransferRequest, grpc.ServicerContext]]
    ) -> list[Later | Exception]:
        """Judge attempts that came at the same time; return for each its answer, or its error."""
        results: list[Later | Exception | None] = [None] * len(calls)
        attempts, places = [], []
        for place, (request, context) in enumerate(calls):
            try:
                caller = self._guard.let_in(context)
                attempts.append(self._attempt(request, caller.name, context))
            except Exception as error:  # noqa: BLE001 - one call's error is that call's answer
                results[place] = error
            else:
                places.append(place)
        for place, attempt in zip(places, self._assessor.begin_all(attempts), strict=True):
            results[place] = attempt.error or _later(attempt.answer)
        return [one for one in results if one is not None]

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
        results = self._begin(request.requests, caller.name, context)
        answers = [one for one in results if not isinstance(one, Exception)]
        return Later(when_all(answers), lambda: _batch_of(results))

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
        self,
        requests: Sequence[scoring.ScoreTransferRequest],
        caller: str,
        context: grpc.ServicerContext,
    ) -> list[Answer | Exception]:
        """Judge the items of a batch, as many together as their order allows."""
        found: list[Attempt | Exception] = []
        for request in requests:
            try:
                found.append(self._attempt(request, caller, context))
            except Exception as error:  # noqa: BLE001 - one item's error is that item's answer
                found.append(error)
        attempts = [one for one in found if isinstance(one, Attempt)]
        for wave in waves([one.draft.transfer for one in attempts]):
            together = [attempts[place] for place in wave]
            try:
                # Each wave has a budget of its own; the client's deadline is for all of them.
                budget = self._budgets.begin(context.time_remaining())
            except DeadlinePassedError as error:
                for attempt in together:
                    attempt.error = error
                continue
            for attempt in together:
                attempt.budget = budget
            self._assessor.begin_all(together)
        return [
            one if isinstance(one, Exception) else one.error or _given(one.answer) for one in found
        ]

    def _attempt(
        self, request: scoring.ScoreTransferRequest, caller: str, context: grpc.ServicerContext
    ) -> Attempt:
        budget = self._budgets.begin(context.time_remaining())
        return Attempt(to_draft(request, caller, self._tokens), budget)


def _given(answer: Answer | None) -> Answer:
    assert answer is not None  # noqa: S101 - an attempt has an answer or an error
    return answer


def _later(answer: Answer | None) -> Later:
    given = _given(answer)
    return Later(given.when_ready, lambda: to_response(given.finish()))


def _batch_of(results: list[Answer | Exception]) -> scoring.ScoreBatchResponse:
    response = scoring.ScoreBatchResponse()
    for answer in results:
        _fill_result(response.results.add(), answer)
    return response


def _fill_result(result: scoring.ScoreBatchResult, answer: Answer | Exception) -> None:
    if isinstance(answer, Exception):
        result.error.CopyFrom(to_call_error(to_failure(answer)))
        return
    try:
        fill_response(result.response, answer.finish())
    except Exception as error:  # noqa: BLE001 - one item's error is that item's answer
        result.error.CopyFrom(to_call_error(to_failure(error)))
