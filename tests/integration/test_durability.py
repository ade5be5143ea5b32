"""Answered means recorded: through kills, restarts and a Redis that goes away."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow.dataset as ds
import pytest
import redis
from tests.builders import a_request, requests
from tests.conftest import Service
from tests.redis_processes import wait_until
from tests.spools import unconfirmed

from fanzha.adapters import keys
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.spool_frames import read_frames
from fanzha.archive.collect import collect
from fanzha.archive.drain import drain
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring

HISTORY_AWAY = [
    scoring.DEGRADED_PART_PAYER_HISTORY,
    scoring.DEGRADED_PART_PAYEE_HISTORY,
    scoring.DEGRADED_PART_LISTS,
    scoring.DEGRADED_PART_JOURNAL,
]


def a_stub(service: Service) -> Any:
    return scoring_pb2_grpc.ScoringServiceStub(service.channel)


def find(stub: Any, decision_id: str) -> scoring.GetDecisionResponse:
    """Return a decision; fails unless it is found within ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return stub.GetDecision(scoring.GetDecisionRequest(decision_id=decision_id))
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_decision_is_in_spool_and_redis_when_it_is_answered(
    start_service: Callable[..., Service],
) -> None:
    service = start_service()

    answer = a_stub(service).ScoreTransfer(a_request())
    service.process.send_signal(signal.SIGSTOP)
    spooled = [
        frame
        for segment in (service.data_dir / "spool").glob("*.spool")
        for frame in read_frames(segment)
    ]
    client = redis.Redis.from_url(service.redis_url)
    keys = list(client.scan_iter(f"*decision:{answer.decision_id}"))
    service.process.send_signal(signal.SIGCONT)
    client.close()

    assert any(answer.decision_id.encode() in frame for frame in spooled)
    assert len(keys) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_answers_survive_a_restart_and_stay_the_same(
    short_dir: Path, start_service: Callable[..., Service], number: signal.Signals
) -> None:
    store = EmbeddedRedis(short_dir / "redis-apart")
    try:
        service = start_service("--redis", store.url)
        requests = [a_request() for _ in range(20)]
        given = [a_stub(service).ScoreTransfer(request) for request in requests]
        service.stop(number)

        service = start_service("--redis", store.url)
        stub = a_stub(service)

        assert [stub.ScoreTransfer(request) for request in requests] == given
        for answer in given:
            assert find(stub, answer.decision_id).decision == answer
    finally:
        service.stop()
        store.close()


def test_the_embedded_redis_keeps_answers_over_a_restart(
    start_service: Callable[..., Service],
) -> None:
    service = start_service()
    request = a_request()
    given = a_stub(service).ScoreTransfer(request)
    assert service.stop() == 0

    service = start_service()

    assert a_stub(service).ScoreTransfer(request) == given


def test_the_redis_of_a_killed_service_is_taken_over_in_order(
    start_service: Callable[..., Service],
) -> None:
    service = start_service()
    request = a_request()
    given = a_stub(service).ScoreTransfer(request)
    service.stop(signal.SIGKILL)

    service = start_service()

    assert a_stub(service).ScoreTransfer(request) == given


def test_spool_segments_go_when_the_archive_holds_them(
    start_service: Callable[..., Service], short_dir: Path
) -> None:
    service = start_service()
    spool, archive = short_dir / "spool", short_dir / "archive"
    for _ in range(3):
        _score_twice_at_once(a_stub(service), a_request())
    service.stop()
    service = start_service()
    segments = len(list(spool.glob("*.spool")))

    assert collect(spool, archive) == 0
    drain(RedisLink(service.redis_url, 5_000), archive, progress=lambda _: None)
    # While a worker lives, it is the one who lets go of them.
    assert collect(spool, archive) == 0
    service.stop()
    assert collect(spool, archive) == 2

    assert (segments, list(spool.glob("*.spool"))) == (2, [])


def _score_twice_at_once(stub: Any, request: scoring.ScoreTransferRequest) -> None:
    calls = [stub.ScoreTransfer.future(request) for _ in range(2)]
    assert calls[0].result() == calls[1].result()


def test_segments_of_killed_workers_are_not_sent_for_ever_and_go_in_the_end(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    store = EmbeddedRedis(short_dir / "redis-apart")
    try:
        service = start_service("--redis", store.url)
        answers = [a_stub(service).ScoreTransfer(a_request()) for _ in range(5)]
        service.stop(signal.SIGKILL)
        for _ in range(2):
            service = start_service("--redis", store.url)
            find(a_stub(service), answers[0].decision_id)
            wait_until(lambda: unconfirmed(short_dir / "spool") == [], "all is settled", 30)
            service.stop()

        archive = short_dir / "archive"
        drain(RedisLink(store.url, 5_000), archive, progress=lambda _: None)
        rows = ds.dataset(archive, partitioning="hive").to_table(columns=["kind"])
        kinds = rows["kind"].to_pylist()

        assert kinds.count("decision") == len(answers)
        # The last note of a killed worker may be lost; then its record is sent once, not again.
        assert kinds.count("decision_update") <= 1
        assert unconfirmed(short_dir / "spool") == []
        collect(short_dir / "spool", archive)
        assert list((short_dir / "spool").glob("*.spool")) == []
    finally:
        store.close()


def test_a_drain_ends_under_traffic_and_reaches_every_bucket(
    redis_url: str, tmp_path: Path
) -> None:
    link = RedisLink(redis_url, 5_000)

    def add(bucket: int) -> None:
        link.run([("XADD", keys.journal(bucket), "*", "k", "list_commit", "b", b"")])

    for bucket in (3, 200, 255):
        add(bucket)
    drained = drain(link, tmp_path, progress=lambda _: add(3))

    left = link.run([("XLEN", keys.journal(bucket)) for bucket in (3, 200, 255)])
    assert drained.rows == 3
    assert left == [1, 0, 0]


@pytest.mark.parametrize("cut", ["drain.write_part", "drain.Drain._finish", "storage.sync"])
def test_a_drain_that_was_cut_off_goes_on_without_loss_or_repetition(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    link = RedisLink(redis_url, 5_000)
    for bucket in range(5):
        for _ in range(3):
            link.run([("XADD", keys.journal(bucket), "*", "k", "list_commit", "b", b"")])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(f"fanzha.archive.{cut}", stop)
        with pytest.raises(KeyboardInterrupt):
            drain(link, tmp_path, progress=lambda _: None)
    drain(link, tmp_path, progress=lambda _: None)

    rows = ds.dataset(tmp_path, partitioning="hive").to_table(columns=["record_id"])
    ids = rows["record_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 15


def test_idle_connections_survive_a_restart_of_redis(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    store = EmbeddedRedis(short_dir / "redis-apart")
    service = start_service("--redis", store.url)
    try:
        stub = a_stub(service)
        for future in [stub.ScoreTransfer.future(a_request()) for _ in range(64)]:
            future.result()
        store.close()
        store = EmbeddedRedis(short_dir / "redis-apart")
        time.sleep(0.5)

        answers = [stub.ScoreTransfer(a_request()) for _ in range(64)]

        assert all(list(answer.degraded_parts) == [] for answer in answers)
    finally:
        service.stop()
        store.close()


def test_in_an_outage_a_retry_to_the_same_worker_gets_the_same_answer(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    store = EmbeddedRedis(short_dir / "redis-apart")
    service = start_service("--redis", store.url)
    try:
        stub = a_stub(service)
        store.close()
        request, other = a_request("during"), a_request("during", amount=7)
        first = stub.ScoreTransfer(request)

        batch = stub.ScoreBatch(requests([request, request, other])).results
        store = EmbeddedRedis(short_dir / "redis-apart")
        find(stub, first.decision_id)

        assert [result.response for result in batch[:2]] == [first, first]
        assert batch[2].error.code == 6  # ALREADY_EXISTS
        assert stub.ScoreTransfer(request) == first
    finally:
        service.stop()
        store.close()


def test_idle_client_streams_do_not_stop_decisions(start_service: Callable[..., Service]) -> None:
    service = start_service("--threads", "4")
    outcome_stub = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    ends = [threading.Event() for _ in range(8)]

    def hold(end: threading.Event) -> Iterator[Any]:
        end.wait(20)
        yield from ()

    held = [outcome_stub.RecordOutcomes.future(hold(end)) for end in ends]
    try:
        answer = a_stub(service).ScoreTransfer(a_request(), timeout=10)
    finally:
        for end in ends:
            end.set()

    codes = [call.code() for call in held]
    assert answer.decision
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 7


def test_a_damaged_segment_is_kept(start_service: Callable[..., Service], short_dir: Path) -> None:
    service = start_service()
    a_stub(service).ScoreTransfer(a_request())
    archive, spool = short_dir / "archive", short_dir / "spool"
    drain(RedisLink(service.redis_url, 5_000), archive, progress=lambda _: None)
    service.stop()
    (segment,) = spool.glob("*.spool")
    damaged = bytearray(segment.read_bytes())
    damaged[20] ^= 1
    segment.write_bytes(damaged)

    assert collect(spool, archive) == 0
    assert segment.exists()


def test_an_answer_given_beside_another_in_an_outage_is_kept(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    store = EmbeddedRedis(short_dir / "redis-apart")
    request = a_request()
    key = short_dir / "token.key"
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    options = ("--redis", store.url, "--token-key-file", str(key))
    services = [start_service(*options, data_dir=_folder(short_dir / n)) for n in ("one", "two")]
    try:
        store.close()
        answers = [a_stub(service).ScoreTransfer(request) for service in services]
        store = EmbeddedRedis(short_dir / "redis-apart")

        for service, answer in zip(services, answers, strict=True):
            assert find(a_stub(service), answer.decision_id).decision == answer
        assert a_stub(services[0]).ScoreTransfer(request) in answers
    finally:
        for service in services:
            service.stop()
        store.close()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_without_redis_answers_are_marked_and_reach_it_when_it_is_back(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    store = EmbeddedRedis(short_dir / "redis-apart")
    service = start_service("--redis", store.url)
    try:
        stub = a_stub(service)
        before = stub.ScoreTransfer(a_request())
        store.close()

        during = [stub.ScoreTransfer(a_request()) for _ in range(5)]
        store = EmbeddedRedis(short_dir / "redis-apart")

        assert list(before.degraded_parts) == []
        for answer in during:
            assert list(answer.degraded_parts) == HISTORY_AWAY
            assert answer.decision != scoring.DECISION_BLOCK
            found = find(stub, answer.decision_id)
            assert found.source == scoring.DECISION_SOURCE_STORE
            assert found.decision == answer
        assert list(stub.ScoreTransfer(a_request()).degraded_parts) == []
    finally:
        service.stop()
        store.close()


def test_what_a_killed_worker_spooled_alone_reaches_redis_at_the_next_start(
    short_dir: Path, start_service: Callable[..., Service]
) -> None:
    store = EmbeddedRedis(short_dir / "redis-apart")
    service = start_service("--redis", store.url)
    try:
        store.close()
        answer = a_stub(service).ScoreTransfer(a_request())
        service.stop(signal.SIGKILL)
        store = EmbeddedRedis(short_dir / "redis-apart")

        service = start_service("--redis", store.url)

        assert find(a_stub(service), answer.decision_id).decision == answer
    finally:
        service.stop()
        store.close()


def test_after_the_window_an_attempt_is_scored_anew_and_says_so(
    monkeypatch: pytest.MonkeyPatch, start_service: Callable[..., Service]
) -> None:
    monkeypatch.setenv("FANZHA_IDEMPOTENCY_WINDOW_S", "1")
    stub = a_stub(start_service())
    request = a_request()

    first = stub.ScoreTransfer(request)
    again = stub.ScoreTransfer(request)
    time.sleep(1.1)
    later = stub.ScoreTransfer(request)

    assert again == first
    assert first.earlier_decision_id == ""
    assert later.decision_id != first.decision_id
    assert later.earlier_decision_id == first.decision_id


def test_a_full_disk_leaves_redis_as_the_one_place_and_says_so(
    start_service: Callable[..., Service],
) -> None:
    service = start_service()
    stub = a_stub(service)
    stub.ScoreTransfer(a_request())
    # Every further write of this process to any file fails, as on a full disk; sockets do not.
    _limit_file_size(service.process.pid)

    answer = stub.ScoreTransfer(a_request())

    assert list(answer.degraded_parts) == [scoring.DEGRADED_PART_JOURNAL]
    assert find(stub, answer.decision_id).decision == answer


def _limit_file_size(pid: int) -> None:
    import resource  # noqa: PLC0415 - used by this test alone

    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
