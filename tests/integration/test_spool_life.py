"""A spool's segments outlive what Redis forgets, and go when the archive holds them."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.builders import a_request, a_time, requests
from tests.conftest import Service
from tests.recorded import archived_rows, assert_recorded
from tests.redis_processes import RedisProcess, wait_until
from tests.spools import segments, unconfirmed

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring

Start = Callable[..., Service]


@pytest.fixture
def store(short_dir: Path) -> Iterator[RedisProcess]:
    options = ("--appendonly", "yes", "--appendfsync", "everysec")
    with RedisProcess(short_dir / "redis", *options) as process:
        yield process


@pytest.fixture
def start(
    start_service: Start, store: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Service]:
    """Start workers whose segments end twice a second."""
    monkeypatch.setenv("FANZHA_SPOOL_SEGMENT_S", "0.5")

    def start_one(*options: str, **more: Any) -> Service:
        return start_service("--redis", store.url, "--redis-timeout-ms", "500", *options, **more)

    return start_one


def a_stub(service: Service) -> Any:
    return scoring_pb2_grpc.ScoringServiceStub(service.channel)


class Client(threading.Thread):
    """Asks one question after the other and keeps the answers, until it is told to stop."""

    def __init__(self, address: str, number: int) -> None:
        super().__init__(daemon=True)
        self.channel = grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.answers: list[scoring.ScoreTransferResponse] = []
        self.ended = threading.Event()
        self._number = number

    def run(self) -> None:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(self.channel)
        while not self.ended.is_set():
            request = a_request(payer=f"622202020011223{self._number:04d}")
            try:
                self.answers.append(stub.ScoreTransfer(request, timeout=20))
            except grpc.RpcError:
                time.sleep(0.01)


def clients_of(service: Service, count: int = 4) -> list[Client]:
    clients = [Client(service.address, number) for number in range(count)]
    for client in clients:
        client.start()
    return clients


def answers_of(clients: list[Client]) -> list[scoring.ScoreTransferResponse]:
    for client in clients:
        client.ended.set()
    for client in clients:
        client.join(timeout=30)
        client.channel.close()
    return [answer for client in clients for answer in client.answers]


def wait_until_recorded(
    answers: list[scoring.ScoreTransferResponse], store: RedisProcess, archive: Path
) -> None:
    """Drain until each answer is in the archive; fail unless each is there exactly once."""
    missing = {answer.decision_id for answer in answers}
    deadline = time.monotonic() + 30
    while missing and time.monotonic() < deadline:
        rows = archived_rows(store.url, archive)
        missing.difference_update(row["decision_id"] for row in rows)
    assert not missing, f"{len(missing)} of {len(answers)} answers are not archived: {missing}"
    # Whatever is sent twice would be there by now.
    time.sleep(3)
    assert_recorded(answers, archived_rows(store.url, archive))


def test_a_running_worker_drops_what_is_archived_and_nothing_else(
    short_dir: Path,
    store: RedisProcess,
    start: Callable[..., Service],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # After that no retry needs to find its answer in Redis.
    monkeypatch.setenv("FANZHA_IDEMPOTENCY_WINDOW_S", "1")
    service = start()
    spool = short_dir / "spool"
    for _ in range(3):
        a_stub(service).ScoreTransfer(a_request())
        time.sleep(0.7)
    time.sleep(3)
    before = segments(spool)

    archived_rows(store.url, short_dir / "archive")
    wait_until(lambda: len(segments(spool)) == 1, "closed segments are gone", 15)
    a_stub(service).ScoreTransfer(a_request())
    time.sleep(4)

    assert len(before) >= 3
    # What came after the drain stays.
    assert len(segments(spool)) == 2


def test_a_redis_that_is_emptied_under_load_gets_everything_again(
    short_dir: Path, store: RedisProcess, start: Callable[..., Service]
) -> None:
    clients = clients_of(start())
    time.sleep(2)
    store.ask("FLUSHALL")
    time.sleep(2)
    store.kill()
    time.sleep(0.5)
    store.restart(empty=True)
    time.sleep(2)
    answers = answers_of(clients)

    assert len(answers) > 100
    wait_until_recorded(answers, store, short_dir / "archive")


def test_a_redis_whose_log_lost_its_end_gets_it_again(
    short_dir: Path, store: RedisProcess, start: Callable[..., Service]
) -> None:
    clients = clients_of(start())
    time.sleep(3)
    (log,) = (short_dir / "redis" / "appendonlydir").glob("*.incr.aof")
    a_second_ago = log.stat().st_size
    time.sleep(1)
    store.kill()
    assert log.stat().st_size > a_second_ago
    os.truncate(log, a_second_ago + 7)  # In the middle of a command, as power loss does it.
    store.restart()
    time.sleep(2)
    answers = answers_of(clients)

    wait_until_recorded(answers, store, short_dir / "archive")


def test_a_worker_killed_at_any_instant_has_what_it_answered_on_record(
    short_dir: Path, store: RedisProcess, start: Callable[..., Service]
) -> None:
    chance = random.Random(5)
    answers: list[scoring.ScoreTransferResponse] = []
    for round_number in range(4):
        service = start()
        clients = clients_of(service)
        time.sleep(0.3 + chance.random())
        if round_number % 2:
            store.freeze()
            time.sleep(0.7)
        service.stop(signal.SIGKILL)
        answers += answers_of(clients)
        if round_number % 2:
            store.resume()
    start()

    assert len(answers) > 100
    wait_until_recorded(answers, store, short_dir / "archive")


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_outage_of_more_than_the_queue_holds_is_sent_from_the_segments(
    short_dir: Path,
    store: RedisProcess,
    start: Callable[..., Service],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_killed: bool,
) -> None:
    # Segments are judged here by their notes; what is settled without one goes with its segment.
    monkeypatch.setenv("FANZHA_IDEMPOTENCY_WINDOW_S", "1")
    service = start()
    a_stub(service).ScoreTransfer(a_request())
    store.freeze()
    answers = []
    for _ in range(6):
        batch = requests(a_request() for _ in range(256))
        answers += [result.response for result in a_stub(service).ScoreBatch(batch).results]
    if is_killed:
        service.stop(signal.SIGKILL)
    store.resume()
    if is_killed:
        start()

    assert len({answer.decision_id for answer in answers if is_marked(answer)}) == 6 * 256
    wait_until_recorded(answers, store, short_dir / "archive")
    wait_until(lambda: unconfirmed(short_dir / "spool") == [], "all is settled", 20)


def test_reports_are_told_again_after_a_loss(
    short_dir: Path, store: RedisProcess, start: Callable[..., Service]
) -> None:
    service = start()
    decision = a_stub(service).ScoreTransfer(a_request())
    stub: Any = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    stub.ReportExecution(
        outcomes.ReportExecutionRequest(
            decision_id=decision.decision_id,
            status=outcomes.EXECUTION_STATUS_POSTED,
            execute_time=a_time(),
        )
    )
    outcome = outcomes.Outcome(
        outcome_id="o-1",
        decision_id=decision.decision_id,
        type=outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
        source=outcomes.OUTCOME_SOURCE_BANK_REVIEW,
        report_time=a_time(),
    )
    assert stub.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=outcome)).recorded
    service.stop(signal.SIGKILL)
    store.ask("FLUSHALL")

    service = start()
    stub = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    asked = outcomes.ListOutcomesRequest(decision_id=decision.decision_id)

    def is_held() -> bool:
        try:
            return bool(stub.ListOutcomes(asked).entries)
        except grpc.RpcError:
            return False

    wait_until(is_held, "the outcome is told again", 20)
    rows = archived_rows(store.url, short_dir / "archive")
    kinds = sorted(row["kind"] for row in rows if row["decision_id"] == decision.decision_id)
    assert kinds == ["decision", "execution", "outcome"]
    assert not stub.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=outcome)).recorded


def test_a_torn_tail_is_cut_at_the_start_and_told(
    short_dir: Path, start: Callable[..., Service]
) -> None:
    service = start()
    a_stub(service).ScoreTransfer(a_request())
    service.stop(signal.SIGKILL)
    (segment,) = [path for path in segments(short_dir / "spool") if path.stat().st_size > 100]
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[8:40])

    start()
    aside = segment.with_name(segment.name + ".torn")
    wait_until(aside.exists, "the tail is kept aside", 10)

    assert aside.read_bytes() == whole[8:40]
    told = (short_dir / "serve.log").read_text()
    assert f"torn tail of 32 bytes after {len(whole)} whole bytes" in told


@pytest.fixture
def small_disk(short_dir: Path) -> Iterator[Path]:
    """A data folder whose spool lies on a disk of two MiB."""
    folder = short_dir / "small"
    (folder / "spool").mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder / "spool")]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder / "spool")], check=True)


def score_until(
    stub: Any, holds: Callable[[scoring.ScoreTransferResponse], bool]
) -> list[scoring.ScoreTransferResponse]:
    """Return answers up to the first for which something holds."""
    answers = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answers.append(stub.ScoreTransfer(a_request()))
        if holds(answers[-1]):
            return answers
    raise AssertionError("not within a minute")


def is_marked(answer: scoring.ScoreTransferResponse) -> bool:
    return scoring.DEGRADED_PART_JOURNAL in answer.degraded_parts


def test_a_disk_that_is_full_leaves_redis_until_there_is_room_again(
    small_disk: Path, short_dir: Path, store: RedisProcess, start: Callable[..., Service]
) -> None:
    stub = a_stub(start(data_dir=small_disk))
    answers = score_until(stub, is_marked)
    archived_rows(store.url, short_dir / "archive")

    answers += score_until(stub, lambda answer: not is_marked(answer))

    wait_until_recorded(answers, store, short_dir / "archive")


def test_a_spool_at_its_bound_is_as_a_full_disk(
    short_dir: Path,
    store: RedisProcess,
    start: Callable[..., Service],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FANZHA_SPOOL_BYTES_MAX", "200000")
    monkeypatch.setenv("FANZHA_SPOOL_SEGMENT_BYTES", "20000")
    stub = a_stub(start())
    answers = score_until(stub, is_marked)
    held = sum(path.stat().st_size for path in segments(short_dir / "spool"))
    archived_rows(store.url, short_dir / "archive")

    answers += score_until(stub, lambda answer: not is_marked(answer))

    assert 150_000 < held < 260_000
    wait_until_recorded(answers, store, short_dir / "archive")
