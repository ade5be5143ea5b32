"""What was served is what training sees: vectors cut from the archive equal them, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pyarrow.dataset as ds
import redis
from tests.builders import a_request, a_time
from tests.conftest import Service
from tests.recomputed import recompute_vectors
from tests.spools import unconfirmed

from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.features.layout import Change
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

ACCOUNTS = [f"62220202{number:011d}" for number in range(24)]
THREADS = 8
RETRACT, CLEAR = int(Change.RETRACT), int(Change.CLEAR)
TRANSFERS_EACH = 60


def a_client(service: Service, seed: int, transfers: int = TRANSFERS_EACH) -> list[str]:
    """Pay, report executions and outcomes as one outside client; return the decisions' ids."""
    rng = random.Random(seed)
    scoring_stub = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    outcome_stub = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    decided: list[str] = []
    recorded: list[outcomes.Outcome] = []
    for _ in range(transfers):
        answer = scoring_stub.ScoreTransfer(a_payment(rng))
        decided.append(answer.decision_id)
        # While Redis is away nothing but decisions is taken; the bank would report again.
        with suppress(grpc.RpcError):
            if rng.random() < 0.7:
                outcome_stub.ReportExecution(an_execution(rng.choice(decided), rng))
            if rng.random() < 0.15:
                said = an_outcome(rng.choice(decided), rng)
                outcome_stub.RecordOutcome(said)
                recorded.append(said.outcome)
            if recorded and rng.random() < 0.05:
                outcome_stub.WithdrawOutcome(a_withdrawal(rng.choice(recorded)))
    return decided


def a_payment(rng: random.Random) -> scoring.ScoreTransferRequest:
    """A payment among few accounts, which share few devices, phones and persons."""
    payer, payee = rng.sample(ACCOUNTS, 2)
    now_ms = time.time_ns() // 1_000_000
    request = a_request(
        payer=payer,
        payee=payee if rng.random() < 0.9 else "",
        kind=wire.TRANSFER_KIND_GOLD_PURCHASE,
        amount=rng.randint(1, 50_000),
        # Some events come late, up to three days.
        time_ms=now_ms - rng.choice((0, 0, 0, rng.randint(0, 3 * 86_400_000))),
        session=wire.Session(
            call_in_progress=rng.random() < 0.3, device_id=f"device-{rng.randrange(8)}"
        ),
        payee_same_owner=rng.random() < 0.1,
    )
    request.transfer.payer.phone = f"100{rng.randrange(12):08}"
    request.transfer.payer.person = f"person-{payer}"
    if request.transfer.payee.account and rng.random() < 0.7:
        request.transfer.payee.phone = f"100{rng.randrange(12):08}"
    return request


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
            # Few decisions, so that outcomes contradict each other.
            type=rng.choice(
                [
                    outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
                    outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
                    outcomes.OUTCOME_TYPE_MULE_CONFIRMED,
                    outcomes.OUTCOME_TYPE_CONFIRMED_LEGITIMATE,
                ]
            ),
            fraud_type=wire.FRAUD_TYPE_TASK_REBATE,
            source=rng.choice([outcomes.OUTCOME_SOURCE_POLICE, outcomes.OUTCOME_SOURCE_CUSTOMER]),
            report_time=a_time(),
        )
    )


def a_withdrawal(outcome: outcomes.Outcome) -> outcomes.WithdrawOutcomeRequest:
    return outcomes.WithdrawOutcomeRequest(
        decision_id=outcome.decision_id,
        outcome_id=outcome.outcome_id,
        source=outcomes.OUTCOME_SOURCE_BANK_REVIEW,
        report_time=a_time(),
    )


def archive(redis_url: str, folder: Path) -> None:
    command = [sys.executable, "-m", "fanzha", "archive", "--redis", redis_url]
    command += ["--archive", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def wait_until_relayed(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
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
    archive(service.redis_url, tmp_path)
    service.stop()
    service = start_service()
    with ThreadPoolExecutor(THREADS) as pool:
        second = list(pool.map(lambda seed: a_client(service, seed), range(50, 50 + THREADS)))
    wait_until_relayed(service.redis_url)
    archive(service.redis_url, tmp_path)

    ids, recomputed, served = recompute_vectors(tmp_path)

    assert sorted(ids) == sorted(x for part in (*first, *second) for x in part)
    assert {RETRACT, CLEAR} <= changes_in(tmp_path)
    assert recomputed.tobytes() == served.tobytes()
    # The test means something only if history was seen, on both sides.
    assert np.nanmax(served[:, feature("out_count_7d")]) > 10
    assert np.nanmax(served[:, feature("payee_in_count_7d")]) > 10
    assert np.nanmax(served[:, feature("pair_times_paid")]) > 1
    assert np.nanmax(served[:, feature("payee_mule_reports")]) > 1
    assert np.nanmax(served[:, feature("out_count_31d")]) > 10
    assert np.nanmax(served[:, feature("device_accounts")]) > 3
    assert np.nanmax(served[:, feature("payee_phone_taint")]) > 1


def test_parity_holds_through_a_frozen_redis_a_kill_and_a_spool_replay(
    start_service: Callable[..., Service], short_dir: Path
) -> None:
    """Redis freezes under load, and answers rest on the spool; the service is killed with receipts
    still unrelayed; the next one replays and relays, and traffic goes on."""
    store = EmbeddedRedis(short_dir / "redis-apart")
    folder = short_dir / "archive"
    try:
        service = start_service("--redis", store.url, "--redis-timeout-ms", "100")
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(a_client, service, seed, 40) for seed in range(THREADS)]
            wait_until_decided(store.url, 40)
            os.kill(store.pid, signal.SIGSTOP)
            # Longer than the time-out: what is asked now is answered without Redis.
            time.sleep(1.0)
            os.kill(store.pid, signal.SIGCONT)
            first = [future.result() for future in running]
            # The relay is late: nothing of what these answers left in outboxes is carried on.
            os.kill(store.pid, signal.SIGSTOP)
            late = [a_client(service, 90, 5)]
            service.stop(signal.SIGKILL)
            os.kill(store.pid, signal.SIGCONT)
        spooled = len(unconfirmed(service.data_dir / "spool"))
        waiting = unrelayed(store.url)
        service = start_service("--redis", store.url)
        with ThreadPoolExecutor(THREADS) as pool:
            second = list(pool.map(lambda seed: a_client(service, seed, 40), range(50, 58)))
        wait_until_relayed(store.url)
        archive(store.url, folder)

        ids, recomputed, served = recompute_vectors(folder)
    finally:
        os.kill(store.pid, signal.SIGCONT)
        service.stop()
        store.close()

    answered = sorted(x for part in (*first, *late, *second) for x in part)
    assert sorted(ids) == answered
    assert recomputed.tobytes() == served.tobytes()
    assert spooled + waiting > 0
    blind = {
        i for i, row in zip(ids, served, strict=True) if np.isnan(row[feature("out_count_7d")])
    }
    in_the_middle = {x for part in first for x in part}
    assert set(late[0]) <= blind
    assert 0 < len(in_the_middle & blind) < len(in_the_middle)


def wait_until_decided(redis_url: str, count: int) -> None:
    client = redis.Redis.from_url(redis_url)
    deadline = time.monotonic() + 60
    while sum(client.xlen(f"{{b{bucket}}}:journal") for bucket in range(256)) < count:
        assert time.monotonic() < deadline
    client.close()


def unrelayed(redis_url: str) -> int:
    """Changes that wait in outboxes."""
    client = redis.Redis.from_url(redis_url)
    count = sum(client.xlen(f"{{b{bucket}}}:outbox") for bucket in range(256))
    client.close()
    return count


def changes_in(folder: Path) -> set[int]:
    """Return the kinds of changes that an archive holds."""
    table = ds.dataset(folder, partitioning="hive").to_table(columns=["change"])
    return set(table["change"].drop_null().to_pylist())


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
    wait_until_relayed(service.redis_url)

    for _ in range(2):
        archive(service.redis_url, short_dir / "archive")
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
