"""Sends rows to an instance through its gRPC API, in order of time, as a channel would have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import grpc

from fanzha.mapping.rows import Row
from fanzha.replay.request import to_request, to_stamp
from fanzha.v1 import (
    outcomes_pb2,
    outcomes_pb2_grpc,
    scoring_pb2,
    scoring_pb2_grpc,
)

BATCH_MAX: Final = 256
_CALL_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said about one row."""

    row: Row
    result: scoring_pb2.ScoreBatchResult


class Player:
    """A client of one instance."""

    def __init__(self, channel: grpc.Channel, *, posted: bool) -> None:
        """Prepare.

        Args:
            channel: to the instance.
            posted: report each row's money as having left at the row's time.
        """
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)
        self._outcomes = outcomes_pb2_grpc.OutcomeServiceStub(channel)
        self._posted = posted

    def play(self, rows: Iterable[Row]) -> Iterator[list[Answer]]:
        """Score all rows; yield the answers in the same order, a batch at a time.

        Raises:
            grpc.RpcError: a call failed as a whole.
        """
        for batch in batches(rows):
            request = scoring_pb2.ScoreBatchRequest(requests=[to_request(row) for row in batch])
            results = self._scoring.ScoreBatch(request, timeout=_CALL_S).results
            answers = [Answer(row, result) for row, result in zip(batch, results, strict=True)]
            if self._posted:
                self._report(answers)
            yield answers

    def _report(self, answers: list[Answer]) -> None:
        """Report executions all at once: no account is in a batch twice, so their order is free."""
        calls = [
            self._outcomes.ReportExecution.future(
                outcomes_pb2.ReportExecutionRequest(
                    decision_id=answer.result.response.decision_id,
                    status=outcomes_pb2.EXECUTION_STATUS_POSTED,
                    execute_time=to_stamp(answer.row.time_ms),
                ),
                timeout=_CALL_S,
            )
            for answer in answers
            if answer.result.HasField("response")
        ]
        for call in calls:
            call.result()


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Cut rows into batches of up to 256 in which no account appears twice.

    So each transfer is judged when the earlier ones of its accounts are reported, as they were in
    the bank.
    """
    batch: list[Row] = []
    seen: set[str] = set()
    for row in rows:
        accounts = {row.fields["payer_account"], row.fields.get("payee_account")} - {None}
        if len(batch) == BATCH_MAX or not seen.isdisjoint(accounts):
            yield batch
            batch, seen = [], set()
        batch.append(row)
        seen |= accounts
    if batch:
        yield batch
