"""Lets a service judge six weeks of payments, frauds among them, so that training has a past."""

import random
import time
from collections.abc import Iterator

import grpc
from tests.builders import a_request, a_time

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

DAYS = 42
TRANSFERS = 1_500
FRAUD_SHARE = 0.06
_DAY_MS = 86_400_000
_BATCH = 100


def serve_weeks(address: str, seed: int = 1) -> None:
    """Send payments that end today to a service whose clock follows them; report the frauds."""
    rng = random.Random(seed)
    start_ms = time.time_ns() // 1_000_000 - DAYS * _DAY_MS
    step_ms = DAYS * _DAY_MS // TRANSFERS
    frauds: list[outcomes.Outcome] = []
    with grpc.insecure_channel(address) as channel:
        stub = scoring_pb2_grpc.ScoringServiceStub(channel)
        for first in range(0, TRANSFERS, _BATCH):
            times_ms = [start_ms + step_ms * i for i in range(first, first + _BATCH)]
            are_frauds = [rng.random() < FRAUD_SHARE for _ in times_ms]
            answers = stub.ScoreBatch(
                scoring.ScoreBatchRequest(
                    requests=[
                        a_payment(rng, time_ms, is_fraud=is_fraud)
                        for time_ms, is_fraud in zip(times_ms, are_frauds, strict=True)
                    ]
                )
            ).results
            frauds += [
                a_report(answer.response.decision_id, time_ms)
                for answer, time_ms, is_fraud in zip(answers, times_ms, are_frauds, strict=True)
                if is_fraud
            ]
        answer = outcomes_pb2_grpc.OutcomeServiceStub(channel).RecordOutcomes(messages(frauds))
    assert answer.recorded_count == len(frauds) > 50


def a_payment(rng: random.Random, time_ms: int, *, is_fraud: bool) -> scoring.ScoreTransferRequest:
    """Return a payment; frauds are larger, and a screen is shared."""
    return a_request(
        payer=f"62220202{rng.randrange(200):011d}",
        payee=f"62170000{rng.randrange(400):011d}",
        amount=rng.randint(5_000, 60_000) if is_fraud else rng.randint(1, 9_000),
        time_ms=time_ms,
        session=wire.Session(screen_shared=is_fraud and rng.random() < 0.8),
    )


def a_report(decision_id: str, time_ms: int) -> outcomes.Outcome:
    """Return the report of a fraud, known at the time of the payment."""
    return outcomes.Outcome(
        outcome_id="o-1",
        decision_id=decision_id,
        type=outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
        fraud_type=wire.FRAUD_TYPE_FAKE_CUSTOMER_SERVICE,
        source=outcomes.OUTCOME_SOURCE_POLICE,
        report_time=a_time(time_ms),
    )


def messages(frauds: list[outcomes.Outcome]) -> Iterator[outcomes.RecordOutcomesRequest]:
    """Yield a stream of outcomes."""
    for outcome in frauds:
        yield outcomes.RecordOutcomesRequest(outcome=outcome)
