"""Executions and outcomes over real sockets."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import redis
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.builders import a_request, a_time, yuan
from tests.conftest import Service

from fanzha.adapters import keys
from fanzha.domain.ids import new_decision_id
from fanzha.transport.identity import Tokens
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import transfer_pb2 as wire

POSTED = outcomes.EXECUTION_STATUS_POSTED
REVERSED = outcomes.EXECUTION_STATUS_REVERSED


@pytest.fixture(scope="module")
def stub(service: Service) -> Any:
    return outcomes_pb2_grpc.OutcomeServiceStub(service.channel)


@pytest.fixture
def decision_id(service: Service) -> str:
    scoring = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    return str(scoring.ScoreTransfer(a_request()).decision_id)


def an_outcome(decision_id: str, outcome_id: str = "o-1", **fields: Any) -> outcomes.Outcome:
    outcome = outcomes.Outcome(
        outcome_id=outcome_id,
        decision_id=decision_id,
        type=outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
        fraud_type=wire.FRAUD_TYPE_TASK_REBATE,
        source=outcomes.OUTCOME_SOURCE_POLICE,
        loss=yuan(100),
        report_time=a_time(),
    )
    outcome.MergeFrom(outcomes.Outcome(**fields))
    return outcome


def test_an_execution_is_taken_once_and_may_change_later(stub: Any, decision_id: str) -> None:
    def report(status: outcomes.ExecutionStatus) -> bool:
        return bool(
            stub.ReportExecution(
                outcomes.ReportExecutionRequest(
                    decision_id=decision_id, status=status, execute_time=a_time()
                )
            ).changed
        )

    assert [report(POSTED), report(POSTED), report(REVERSED)] == [True, False, True]


def test_an_execution_of_an_unknown_decision_is_not_found(stub: Any) -> None:
    request = outcomes.ReportExecutionRequest(
        decision_id="0" * 26, status=POSTED, execute_time=a_time()
    )

    with pytest.raises(grpc.RpcError) as failure:
        stub.ReportExecution(request)

    assert failure.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_young_decision_that_is_not_on_record_may_be_on_its_way(stub: Any) -> None:
    """It may lie in another worker's spool: who reports about it is to try again."""
    name = new_decision_id(time.time_ns() // 1_000_000 - 60_000, 0, bytes(9))
    execution = outcomes.ReportExecutionRequest(
        decision_id=name, status=POSTED, execute_time=a_time()
    )

    errors = []
    for call, request in (
        (stub.ReportExecution, execution),
        (stub.ListOutcomes, outcomes.ListOutcomesRequest(decision_id=name)),
    ):
        with pytest.raises(grpc.RpcError) as failure:
            call(request)
        errors.append(failure.value)

    for error in errors:
        info = error_details_pb2.ErrorInfo()
        rpc_status.from_call(error).details[0].Unpack(info)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert info.reason == "ERROR_REASON_DECISION_NOT_YET_KNOWN"
        assert dict(info.metadata) == {"decision_id": name}


def test_an_empty_execution_names_every_fault(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        stub.ReportExecution(outcomes.ReportExecutionRequest())

    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    for field in ("decision_id", "status", "execute_time"):
        assert field in str(failure.value.details())


def test_an_outcome_is_recorded_once(stub: Any, decision_id: str) -> None:
    request = outcomes.RecordOutcomeRequest(outcome=an_outcome(decision_id))

    recorded = [stub.RecordOutcome(request).recorded for _ in range(2)]

    assert recorded == [True, False]


def test_a_stream_judges_each_outcome_alone(stub: Any, decision_id: str) -> None:
    stream = [
        outcomes.RecordOutcomesRequest(outcome=outcome)
        for outcome in (
            an_outcome(decision_id, "s-1"),
            an_outcome(decision_id, "s-1"),
            an_outcome("0" * 26, "s-2"),
            an_outcome(decision_id, "s-3", loss=wire.Money(currency_code="USD", minor_units=5)),
            an_outcome(decision_id, "s-4"),
        )
    ]

    answer = stub.RecordOutcomes(iter(stream))

    assert (answer.recorded_count, answer.repeated_count, answer.refused_count) == (2, 1, 2)
    assert [(refusal.index, refusal.outcome_id) for refusal in answer.refusals] == [
        (2, "s-2"),
        (3, "s-3"),
    ]


def test_an_outcome_from_the_future_is_refused(stub: Any, decision_id: str) -> None:
    ahead = a_time(a_time().ToMilliseconds() + 3_600_000)
    outcome = an_outcome(decision_id)
    outcome.report_time.CopyFrom(ahead)

    with pytest.raises(grpc.RpcError) as failure:
        stub.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=outcome))

    assert "outcome.report_time" in str(failure.value.details())


def test_reports_reach_an_account_whose_token_ends_in_zero(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    key = short_dir / "token.key"
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    tokens = Tokens(bytes(32))
    payee = next(n for n in map(str, range(10**9, 10**10)) if tokens.account(n)[-1] == 0)
    service = start_service("--token-key-file", str(key))
    scoring = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    decided = scoring.ScoreTransfer(a_request(payee=payee)).decision_id
    outcome = outcomes.RecordOutcomeRequest(outcome=an_outcome(decided))
    outcomes_pb2_grpc.OutcomeServiceStub(service.channel).RecordOutcome(outcome)

    client = redis.Redis.from_url(service.redis_url)
    account = keys.account(tokens.account(payee))
    deadline = time.monotonic() + 10
    while client.hget(account, "reports") is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()
