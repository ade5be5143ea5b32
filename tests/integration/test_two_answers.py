"""One request, two answers: both are kept, and the stricter one stands."""

import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.builders import a_request
from tests.conftest import Service
from tests.recorded import archived_rows, assert_recorded, reconciliations
from tests.redis_processes import RedisProcess, wait_until
from tests.spools import segments, unconfirmed

from fanzha.adapters.spool_frames import CONFIRMED, CONFIRMED_MANY, HEAD, frame, read_frames
from fanzha.policy.load import DEFAULT_POLICY
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc

Start = Callable[..., Service]


@pytest.fixture
def store(short_dir: Path) -> Iterator[RedisProcess]:
    with RedisProcess(short_dir / "redis", "--appendonly", "yes") as process:
        yield process


@pytest.fixture
def start_two(
    short_dir: Path, start_service: Start, store: RedisProcess
) -> Callable[..., tuple[Service, Service]]:
    """Start two workers with data folders of their own; the second one may have another policy."""

    def start(policy: Path | None = None) -> tuple[Service, Service]:
        (short_dir / "token.key").write_bytes(bytes(range(32)))
        (short_dir / "token.key").chmod(0o600)
        options = ["--redis", store.url, "--token-key-file", str(short_dir / "token.key")]
        options += ["--redis-timeout-ms", "300"]
        others = [[], [] if policy is None else ["--policy", str(policy)]]
        workers = []
        for name, more in zip(("one", "two"), others, strict=True):
            (short_dir / name).mkdir()
            workers.append(start_service(*options, *more, data_dir=short_dir / name))
        return workers[0], workers[1]

    return start


def a_strict_policy(folder: Path) -> Path:
    """The policy that comes with the service, but nearly everything is PAUSE."""
    text = Path(DEFAULT_POLICY).read_text("utf-8")
    usual = "default: {confirm_points: 560, pause_points: 700}"
    assert usual in text
    path = folder / "strict.yaml"
    path.write_text(text.replace(usual, "default: {confirm_points: 1, pause_points: 2}"), "utf-8")
    return path


def a_stub(service: Service) -> Any:
    return scoring_pb2_grpc.ScoringServiceStub(service.channel)


def found(stub: Any, decision_id: str) -> scoring.GetDecisionResponse:
    return stub.GetDecision(scoring.GetDecisionRequest(decision_id=decision_id))


def reconciled(stub: Any, decision_id: str) -> scoring.GetDecisionResponse:
    """Return a decision once it says what stands."""

    def asked() -> scoring.GetDecisionResponse | None:
        try:
            answer = found(stub, decision_id)
        except Exception:  # noqa: BLE001 - it may not be there yet
            return None
        return answer if answer.reconciled_to else None

    return wait_until(asked, f"{decision_id} is reconciled", 30)


def asked_until_it_stands(
    stub: Any,
    request: scoring.ScoreTransferRequest,
    given: Iterable[scoring.ScoreTransferResponse],
    standing: scoring.ScoreTransferResponse,
) -> None:
    """Ask again until the answer is the one that stands; until then it is one that was given."""
    allowed = list(given)

    def stands() -> bool:
        try:
            answer = stub.ScoreTransfer(request)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                return False
            raise
        assert answer in allowed
        return bool(answer == standing)

    wait_until(stands, "a retry gets the answer that stands", 30)


def test_an_answer_that_another_worker_repeats_is_in_that_one_s_spool_as_well(
    short_dir: Path, store: RedisProcess, start_two: Callable[..., tuple[Service, Service]]
) -> None:
    decided, repeats = start_two()
    request = a_request()
    answer = a_stub(decided).ScoreTransfer(request)
    # As if it had died after Redis had the record, and before its disk had it.
    decided.stop(signal.SIGKILL)
    shutil.rmtree(short_dir / "one" / "spool")
    assert a_stub(repeats).ScoreTransfer(request) == answer

    store.kill()
    store.restart(empty=True)

    def is_found() -> bool:
        try:
            return bool(found(a_stub(repeats), answer.decision_id).decision == answer)
        except grpc.RpcError:
            return False

    wait_until(is_found, "it is sent again", 30)
    assert_recorded([answer], archived_rows(store.url, short_dir / "archive"))


@pytest.mark.parametrize("strict_first", [True, False])
def test_two_different_answers_of_an_outage_are_reconciled_to_the_stricter(
    short_dir: Path,
    store: RedisProcess,
    start_two: Callable[..., tuple[Service, Service]],
    *,
    strict_first: bool,
) -> None:
    mild, strict = start_two(a_strict_policy(short_dir))
    request = a_request()
    store.freeze()
    order = (strict, mild) if strict_first else (mild, strict)
    answers = {service: a_stub(service).ScoreTransfer(request) for service in order}
    assert a_stub(mild).ScoreTransfer(request) == answers[mild]
    assert a_stub(strict).ScoreTransfer(request) == answers[strict]
    store.resume()

    assert answers[mild].decision == scoring.DECISION_ALLOW
    assert answers[strict].decision == scoring.DECISION_PAUSE
    for answer in answers.values():
        seen = reconciled(a_stub(mild), answer.decision_id)
        assert seen.decision == answer
        assert seen.reconciled_to == answers[strict].decision_id
        assert seen.contradicted
    for service in (mild, strict):
        asked_until_it_stands(a_stub(service), request, answers.values(), answers[strict])
    rows = archived_rows(store.url, short_dir / "archive")
    assert_recorded(answers.values(), rows)
    (settled,) = reconciliations(rows)
    assert settled.stands == answers[strict].decision_id
    assert {settled.first_id, settled.second_id} == {x.decision_id for x in answers.values()}


def test_the_same_answer_given_twice_is_no_contradiction(
    short_dir: Path, store: RedisProcess, start_two: Callable[..., tuple[Service, Service]]
) -> None:
    workers = start_two()
    request = a_request()
    store.freeze()
    answers = [a_stub(worker).ScoreTransfer(request) for worker in workers]
    store.resume()

    seen = [reconciled(a_stub(workers[0]), answer.decision_id) for answer in answers]

    assert len({one.reconciled_to for one in seen}) == 1
    assert not any(one.contradicted for one in seen)
    rows = archived_rows(store.url, short_dir / "archive")
    assert_recorded(answers, rows)
    assert [one.contradicted for one in reconciliations(rows)] == [False]


def test_what_redis_forgot_and_another_worker_answered_again_is_reconciled(
    short_dir: Path, store: RedisProcess, start_two: Callable[..., tuple[Service, Service]]
) -> None:
    mild, strict = start_two(a_strict_policy(short_dir))
    request = a_request()
    first = a_stub(mild).ScoreTransfer(request)
    # It must not send its record again before the other one has answered.
    mild.process.send_signal(signal.SIGSTOP)
    store.kill()
    store.restart(empty=True)
    second = a_stub(strict).ScoreTransfer(request)
    mild.process.send_signal(signal.SIGCONT)

    assert list(first.degraded_parts) == []
    assert second.decision_id != first.decision_id
    for answer in (first, second):
        seen = reconciled(a_stub(strict), answer.decision_id)
        assert seen.reconciled_to == second.decision_id
        assert seen.contradicted
        assert seen.decision == answer
    for service in (strict, mild):
        asked_until_it_stands(a_stub(service), request, [first, second], second)
    rows = archived_rows(store.url, short_dir / "one" / "archive")
    assert_recorded([first, second], rows)
    # The archive says so too, when Redis no longer does.
    store.client().flushall()
    from_archive = found(a_stub(mild), first.decision_id)
    assert from_archive.source == scoring.DECISION_SOURCE_ARCHIVE
    assert from_archive.reconciled_to == second.decision_id
    assert from_archive.contradicted


def test_a_decision_that_was_never_answered_gives_way(
    short_dir: Path,
    store: RedisProcess,
    start_service: Start,
    start_two: Callable[..., tuple[Service, Service]],
) -> None:
    mild, strict = start_two(a_strict_policy(short_dir))
    a_stub(mild).ScoreTransfer(a_request())
    # So long before a decision an epoch must have begun for it to count as older.
    time.sleep(3)
    request = a_request()
    judged = a_stub(strict).ScoreTransfer(request)
    strict.stop(signal.SIGKILL)
    # As if it had been killed before Redis took the decision: no note, and Redis knows nothing.
    for segment in segments(short_dir / "two" / "spool"):
        kept = [
            frame(one) for one in read_frames(segment) if one[:1] not in (CONFIRMED, CONFIRMED_MANY)
        ]
        segment.write_bytes(HEAD + b"".join(kept))
    assert unconfirmed(short_dir / "two" / "spool") == [judged.decision_id]
    _forget(store, judged.decision_id)

    given = a_stub(mild).ScoreTransfer(request)
    options = ["--redis", store.url, "--token-key-file", str(short_dir / "token.key")]
    restarted = start_service(*options, data_dir=short_dir / "two")
    wait_until(lambda: unconfirmed(short_dir / "two" / "spool") == [], "all is settled")

    assert given.decision == scoring.DECISION_ALLOW
    assert a_stub(restarted).ScoreTransfer(request) == given
    assert found(a_stub(mild), given.decision_id).reconciled_to == ""


def _forget(store: RedisProcess, decision_id: str) -> None:
    """Have Redis know nothing of a decision and its request, within the same epoch."""
    with store.client() as client:
        names = [*client.scan_iter("*request:*"), *client.scan_iter(f"*:{decision_id}")]
        client.delete(*names)
