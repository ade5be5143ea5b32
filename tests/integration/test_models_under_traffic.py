"""Real workers, real clients: models change by the commands while calls go on, and none is lost."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pyarrow.parquet as pq
import pytest
from tests.builders import a_request
from tests.conftest import Service
from tests.model_folders import Bank, a_bank, a_model, make_fail_above, make_slow

from fanzha.adapters.codec import decode_record
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.v1 import scoring_pb2_grpc

REACHED_IN_S = 5.0
"""So soon every worker has taken over a change."""
CLIENTS = 3
"""Of each worker."""


def models(bank: Bank, *words: object, who: str = "", code: int = 0) -> dict[str, Any]:
    """Run `fanzha models` as a person would."""
    identity = ["--as", who, "--key", bank.private / f"{who}.key"] if who else []
    done = subprocess.run(
        [sys.executable, "-m", "fanzha", "models", *map(str, words), "--models", str(bank.models),
         *map(str, identity), "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    if code:
        return {"message": done.stderr}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


class Traffic:
    """Clients that call until they are stopped; every failed call is kept."""

    def __init__(self, workers: list[Service]) -> None:
        self.answers: list[tuple[int, str, str]] = []
        """Worker, decision id, model version of each."""
        self.failures: list[grpc.RpcError] = []
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(len(workers) * CLIENTS)
        self._running = [
            self._pool.submit(self._call, number, worker)
            for number, worker in enumerate(workers)
            for _ in range(CLIENTS)
        ]

    def _call(self, number: int, worker: Service) -> None:
        stub = scoring_pb2_grpc.ScoringServiceStub(worker.channel)
        while not self._stop.is_set():
            try:
                answer = stub.ScoreTransfer(a_request(), timeout=30)
            except grpc.RpcError as error:
                self.failures.append(error)
            else:
                self.answers.append((number, answer.decision_id, answer.versions.model_version))

    def stop(self) -> None:
        self._stop.set()
        for running in self._running:
            running.result()
        self._pool.shutdown()


def seconds_until(workers: list[Service], version: str) -> float:
    """Return how long it takes until every worker answers with a version."""
    begin = time.monotonic()
    for worker in workers:
        stub = scoring_pb2_grpc.ScoringServiceStub(worker.channel)
        while stub.ScoreTransfer(a_request()).versions.model_version != version:
            assert time.monotonic() - begin < 60, f"no worker change to {version}"
            time.sleep(0.05)
    return time.monotonic() - begin


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return a_bank(tmp_path)


@pytest.fixture
def redis() -> Iterator[EmbeddedRedis]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        server = EmbeddedRedis(Path(folder))
        yield server
        server.close()


@pytest.fixture
def workers(bank: Bank, redis: EmbeddedRedis) -> Iterator[list[Service]]:
    """Two workers on one Redis and one registry."""
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        places = [Path(folder) / name for name in "ab"]
        for place in places:
            place.mkdir()
        key = Path(folder) / "token.key"
        key.write_bytes(bytes(32))
        key.chmod(0o600)
        options = ("--redis", redis.url, "--token-key-file", str(key))
        running = [Service(place, *options, "--models", str(bank.models)) for place in places]
        yield running
        for service in running:
            service.stop()


def archived(redis: EmbeddedRedis, archive: Path) -> list[dict[str, Any]]:
    """Move the journal into an archive and return its rows."""
    command = [sys.executable, "-m", "fanzha", "archive", "--redis", redis.url]
    subprocess.run([*command, "--archive", str(archive)], check=True, capture_output=True)
    files = archive.glob("day=*/part-*.parquet")
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def test_promotion_and_rollback_reach_all_workers_without_dropping_or_mixing(
    bank: Bank, workers: list[Service], redis: EmbeddedRedis, tmp_path: Path
) -> None:
    traffic = Traffic(workers)
    took_s = [seconds_until(workers, "fraud/1")]
    for _ in range(2):
        report = bank.gate_report("fraud/2")
        models(bank, "promote", "fraud/2", "--gate-report", report, who="anna")
        models(bank, "promote", "fraud/2", "--approve", who="bo")
        took_s.append(seconds_until(workers, "fraud/2"))
        models(bank, "rollback", who="bo")
        took_s.append(seconds_until(workers, "fraud/1"))
    traffic.stop()

    assert traffic.failures == []
    assert max(took_s) < REACHED_IN_S
    versions = {version for _, _, version in traffic.answers}
    assert versions == {"fraud/1", "fraud/2"}
    rows = archived(redis, tmp_path / "archive")
    records = {
        row["decision_id"]: (row, decode_record(row["body"]))
        for row in rows
        if row["kind"] == "decision"
    }
    assert len(traffic.answers) > 100
    for _, decision_id, version in traffic.answers:
        row, record = records[decision_id]
        assert record.decision.score is not None
        assert version == row["model_version"] == record.decision.score.model_version
    # Each worker journaled each of its changes.
    assert len([row for row in rows if row["kind"] == "model_change"]) == len(workers) * 5


def test_a_slow_model_that_two_people_promoted_is_refused_while_calls_go_on(
    bank: Bank, workers: list[Service]
) -> None:
    make_slow(bank.models / "fraud" / "2", bank.pipeline)
    traffic = Traffic(workers)
    # Past the command, which would not take it either: the people's own code might.
    bank.promote("fraud/2")
    logs = [worker.data_dir / "serve.log" for worker in workers]
    deadline = time.monotonic() + 60
    while not all("more than the budget" in log.read_text() for log in logs):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    traffic.stop()

    assert traffic.failures == []
    assert {version for _, _, version in traffic.answers} == {"fraud/1"}
    listed = {each["model"]: each for each in models(bank, "list")["models"]}
    assert listed["fraud/2"]["state"] == "champion"
    assert "more than the budget" in listed["fraud/2"]["refused"]
    assert models(bank, "rollback", who="bo")["champion"] == "fraud/1"
    again = models(bank, "rollback", "--to", "fraud/2", who="bo", code=1)
    assert "more than the budget" in again["message"]


def test_a_shadow_is_journaled_beside_the_live_score_and_changes_nothing(
    bank: Bank, workers: list[Service], redis: EmbeddedRedis, tmp_path: Path
) -> None:
    stub = scoring_pb2_grpc.ScoringServiceStub(workers[0].channel)
    seconds_until(workers, "fraud/1")
    before = stub.ScoreTransfer(a_request(payer="6222000000000000011"))
    models(bank, "shadow", "fraud/2", who="anna")
    deadline = time.monotonic() + 30
    shadowed: list[dict[str, Any]] = []
    while not shadowed:
        assert time.monotonic() < deadline
        after = stub.ScoreTransfer(a_request(payer=f"62220000000{time.monotonic_ns() % 10**8:08}"))
        rows = archived(redis, tmp_path / "archive")
        shadowed = [row for row in rows if row["shadow_version"]]

    row = shadowed[-1]
    record = decode_record(row["body"])
    assert row["shadow_version"] == "fraud/2"
    assert row["model_version"] == after.versions.model_version == "fraud/1"
    assert record.shadow is not None
    assert record.shadow.margin == row["shadow_margin"]
    assert record.shadow.points == row["shadow_points"]
    assert row["shadow_margin"] != row["margin"]
    assert after.decision == before.decision
    changed = [row["body"] for row in rows if row["kind"] == "model_change"]
    assert any(b"shadow" in body and b"fraud/2" in body for body in changed)


def test_a_shadow_that_fails_harms_no_answer(
    bank: Bank, workers: list[Service], redis: EmbeddedRedis, tmp_path: Path
) -> None:
    make_fail_above(bank.models / "fraud" / "2", bank.pipeline, 10**13)
    models(bank, "shadow", "fraud/2", who="anna")
    logs = [worker.data_dir / "serve.log" for worker in workers]
    deadline = time.monotonic() + 60
    while not all("shadow: model fraud/2 takes over" in log.read_text() for log in logs):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    stub = scoring_pb2_grpc.ScoringServiceStub(workers[0].channel)

    good = stub.ScoreTransfer(a_request(amount=100.0))
    bad = [stub.ScoreTransfer(a_request(amount=10**12)) for _ in range(30)]

    rows = {row["decision_id"]: row for row in archived(redis, tmp_path / "archive")
            if row["kind"] == "decision"}  # fmt: skip
    assert rows[good.decision_id]["shadow_version"] == "fraud/2"
    for answer in bad:
        assert answer.versions.model_version == "fraud/1"
        assert list(answer.degraded_parts) == []
        assert rows[answer.decision_id]["shadow_version"] is None
    assert "left alone until another is named" in logs[0].read_text()


def test_promotions_at_the_same_time_do_not_lose_each_other(bank: Bank) -> None:
    for version in range(3, 7):
        a_model(bank.models, str(version), bank.pipeline)
    labels = [f"fraud/{version}" for version in range(2, 7)]
    reports = {}
    for label in labels:
        reports[label] = bank.private / f"{label.replace('/', '-')}.json"
        bank.gate_report(label).rename(reports[label])

    with ThreadPoolExecutor(len(labels)) as pool:
        told = list(
            pool.map(
                lambda label: models(
                    bank, "promote", label, "--gate-report", reports[label], who="anna"
                ),
                labels,
            )
        )

    assert sorted(each["statement"] for each in told) == [3, 4, 5, 6, 7]
    listed = models(bank, "list")
    proposed = {each["model"] for each in listed["models"] if each["state"] == "proposed"}
    assert proposed == set(labels)


def test_a_command_that_is_killed_leaves_a_whole_registry(bank: Bank) -> None:
    """The registry is replaced in one step, whenever the command dies."""
    for _ in range(3):
        command = subprocess.Popen(
            [sys.executable, "-m", "fanzha", "models", "shadow", "fraud/2", "--models",
             str(bank.models), "--as", "anna", "--key", str(bank.private / "anna.key")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        file = bank.models / "registry.json"
        inode = file.stat().st_ino
        while command.poll() is None and file.stat().st_ino == inode:
            time.sleep(0.0005)
        command.kill()
        command.wait()
        listed = models(bank, "list")
        assert listed["champion"] == "fraud/1"
        if listed["shadow"] is not None:
            models(bank, "shadow", "--off", who="bo")
    assert list(bank.models.glob(".*")) == []
