"""What was served is what training sees: vectors cut from the archive equal them, bit for bit."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import redis
from tests.builders import a_request, a_time
from tests.conftest import Service

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire
from fanzha_training.build_archive import recompute_vectors

ACCOUNTS = [f"62220202{number:011d}" for number in range(24)]
THREADS = 8
TRANSFERS_EACH = 60


def a_client(service: Service, seed: int) -> list[str]:
    """Pay, report executions and outcomes as one outside client; return the decisions' ids."""
    rng = random.Random(seed)
    scoring_stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    outcome_stub = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    decided: list[str] = []
    now_ms = time.time_ns() // 1_000_000
    for _ in range(TRANSFERS_EACH):
        payer, payee = rng.sample(ACCOUNTS, 2)
        answer = scoring_stub.ScoreTransfer(
            a_request(
                payer=payer,
                payee=payee if rng.random() < 0.9 else "",
                kind=wire.TRANSFER_KIND_GOLD_PURCHASE,
                amount=rng.randint(1, 50_000),
                # Some events come late, up to three days.
                time_ms=now_ms - rng.choice((0, 0, 0, rng.randint(0, 3 * 86_400_000))),
                session=wire.Session(call_in_progress=rng.random() < 0.3),
            )
        )
        decided.append(answer.decision_id)
        if rng.random() < 0.7:
            outcome_stub.ReportExecution(an_execution(rng.choice(decided), rng))
        if rng.random() < 0.1:
            outcome_stub.RecordOutcome(an_outcome(rng.choice(decided), rng))
    return decided


def an_execution(decision_id: str, rng: random.Random) -> outcomes.ReportExecutionRequest:
    return outcomes.ReportExecutionRequest(
        decision_id=decision_id,
        status=rng.choice(
            [
                outcomes.EXECUTION_STATUS_POSTED,
                outcomes.EXECUTION_STATUS_POSTED,
                outcomes.EXECUTION_STATUS_FAILED,
                outcomes.EXECUTION_STATUS_REVERSED,
            ]
        ),
        execute_time=a_time(),
    )


def an_outcome(decision_id: str, rng: random.Random) -> outcomes.RecordOutcomeRequest:
    return outcomes.RecordOutcomeRequest(
        outcome=outcomes.Outcome(
            outcome_id=f"o-{rng.random()}",
            decision_id=decision_id,
            type=rng.choice(
                [outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD, outcomes.OUTCOME_TYPE_MULE_CONFIRMED]
            ),
            fraud_type=wire.FRAUD_TYPE_TASK_REBATE,
            source="police",
            report_time=a_time(),
        )
    )


def archive(service: Service, folder: Path) -> None:
    command = [sys.executable, "-m", "fanzha", "archive", "--redis", service.redis_url]
    command += ["--archive", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def wait_until_relayed(service: Service) -> None:
    client = redis.Redis.from_url(service.redis_url)
    deadline = time.monotonic() + 30
    while any(client.xlen(f"{{b{bucket}}}:outbox") for bucket in range(256)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()


def test_vectors_cut_from_the_archive_equal_those_served(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    service = start_service()
    with ThreadPoolExecutor(THREADS) as pool:
        first = list(pool.map(lambda seed: a_client(service, seed), range(THREADS)))
    # Half of the journal is archived while the other half is still to come.
    archive(service, tmp_path)
    service.stop()
    service = start_service()
    with ThreadPoolExecutor(THREADS) as pool:
        second = list(pool.map(lambda seed: a_client(service, seed), range(50, 50 + THREADS)))
    wait_until_relayed(service)
    archive(service, tmp_path)

    ids, recomputed, served = recompute_vectors(tmp_path)

    assert sorted(ids) == sorted(x for part in (*first, *second) for x in part)
    assert recomputed.tobytes() == served.tobytes()
    # The test means something only if history was seen, on both sides.
    assert np.nanmax(served[:, feature("out_count_7d")]) > 10
    assert np.nanmax(served[:, feature("payee_in_count_7d")]) > 10
    assert np.nanmax(served[:, feature("pair_times_paid")]) > 1
    assert np.nanmax(served[:, feature("payee_mule_reports")]) > 1


def feature(name: str) -> int:
    from fanzha.features.manifest import FEATURE_INDEX  # noqa: PLC0415 - used by this test alone

    return FEATURE_INDEX[name]


def test_the_archive_holds_every_record_once_and_decisions_are_found_in_it(
    start_service: Callable[..., Service], short_dir: Path
) -> None:
    service = start_service()
    decided = a_client(service, seed=7)
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    before = stub.GetDecision(scoring.GetDecisionRequest(decision_id=decided[0]))
    wait_until_relayed(service)

    for _ in range(2):
        archive(service, short_dir / "archive")
    client = redis.Redis.from_url(service.redis_url)
    client.delete(*client.keys("*decision:*"))
    client.close()
    after = stub.GetDecision(scoring.GetDecisionRequest(decision_id=decided[0]))

    rows = ds.dataset(short_dir / "archive", partitioning="hive").to_table(
        columns=["record_id", "kind", "decision_id"]
    )
    assert len(set(rows["record_id"].to_pylist())) == rows.num_rows
    kinds, ids = rows["kind"].to_pylist(), rows["decision_id"].to_pylist()
    archived = [x for kind, x in zip(kinds, ids, strict=True) if kind == "decision"]
    assert sorted(archived) == sorted(decided)
    assert before.source == scoring.DECISION_SOURCE_STORE
    assert after.source == scoring.DECISION_SOURCE_ARCHIVE
    assert after.decision == before.decision
