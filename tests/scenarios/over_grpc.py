"""Plays a story over real gRPC against a real service, as the bank's channels would."""

import time
from collections.abc import Iterator

import grpc
import redis
from tests.conftest import Service
from tests.scenarios.staging import Staging

from fanzha.domain.vocabulary import OutcomeType
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc, watchlists_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import watchlists_pb2 as watchlists

_BUCKETS = 256
_RELAY_S = 30


class Bank:
    """A client of one service whose clock follows the stories."""

    def __init__(self, service: Service) -> None:
        channel: grpc.Channel = service.channel
        self._scoring = scoring_pb2_grpc.ScoringServiceStub(channel)
        self._outcomes = outcomes_pb2_grpc.OutcomeServiceStub(channel)
        self._watchlists = watchlists_pb2_grpc.WatchlistServiceStub(channel)
        self._redis = redis.Redis.from_url(service.redis_url)

    def play(self, staging: Staging) -> scoring.ScoreTransferResponse:
        """Return the answer to the story's transfer."""
        self._pay_history(staging)
        if staging.story.given.lists:
            self._watchlists.ImportEntries(_import(staging))
        return self._scoring.ScoreTransfer(staging.request())

    def close(self) -> None:
        """Let go of Redis."""
        self._redis.close()

    def _pay_history(self, staging: Staging) -> None:
        for payment, request in staging.history():
            decision_id = self._scoring.ScoreTransfer(request).decision_id
            paid_at = request.transfer.create_time
            self._outcomes.ReportExecution(
                outcomes.ReportExecutionRequest(
                    decision_id=decision_id,
                    status=outcomes.EXECUTION_STATUS_POSTED,
                    execute_time=paid_at,
                )
            )
            if payment.fraud is not None:
                outcome = outcomes.Outcome(
                    outcome_id=f"o-{decision_id}",
                    decision_id=decision_id,
                    type=int(OutcomeType.CONFIRMED_FRAUD),
                    fraud_type=int(payment.fraud),
                    source=outcomes.OUTCOME_SOURCE_POLICE,
                    report_time=paid_at,
                )
                self._outcomes.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=outcome))
        if staging.story.given.history:
            self._wait_for_the_payees()

    def _wait_for_the_payees(self) -> None:
        """Return once every payee's account has received what was paid."""
        deadline = time.monotonic() + _RELAY_S
        while True:
            pipeline = self._redis.pipeline(transaction=False)
            for bucket in range(_BUCKETS):
                pipeline.xlen(f"{{b{bucket}}}:outbox")
            if not any(pipeline.execute()):
                return
            assert time.monotonic() < deadline, "the relay does not empty its outboxes"
            time.sleep(0.01)


def _import(staging: Staging) -> Iterator[watchlists.ImportEntriesRequest]:
    header = watchlists.ImportHeader(proposed_by="zhang.wei", approved_by="li.na")
    yield watchlists.ImportEntriesRequest(header=header)
    entries = watchlists.WatchlistEntries(entries=staging.entries())
    yield watchlists.ImportEntriesRequest(entries=entries)
