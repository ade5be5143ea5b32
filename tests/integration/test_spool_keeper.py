"""The spool's keeper with a real Redis, at instants that processes meet only by chance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from tests.recording import a_record
from tests.redis_processes import RedisProcess, wait_until

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.reads import request_digest
from fanzha.adapters.redis_commit import Lives
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_store import RedisStore
from fanzha.adapters.relay import Relay
from fanzha.adapters.spool_book import place_of
from fanzha.adapters.spool_frames import RECORD
from fanzha.adapters.spool_keeper import SpoolKeeper, open_spool
from fanzha.adapters.spool_queue import SpoolLimits
from fanzha.adapters.spool_store import SpoolStore
from fanzha.domain.ids import bucket_of, event_id_of_decision, new_decision_id
from fanzha.domain.record import DecisionRecord
from fanzha.domain.vocabulary import DegradedPart

NOW_MS = 1_790_000_000_000
BUCKET = bucket_of(b"p" * 16)


@dataclass
class Worker:
    """The recording part of a worker."""

    store: RedisStore
    records: SpoolStore
    keeper: SpoolKeeper

    def appended(self, number: int) -> tuple[DecisionRecord, bytes, int]:
        """Put a decision into the spool alone; return it, its bytes and its ticket."""
        record = a_record()
        name = new_decision_id(NOW_MS, BUCKET, number.to_bytes(9))
        record = replace(
            record,
            transfer=replace(record.transfer, request_id=f"r-{number}"),
            decision=replace(record.decision, decision_id=name, decide_time_ms=NOW_MS),
            payer_change=event_id_of_decision(name).to_bytes(8, "little", signed=True)
            + record.payer_change[8:],
        )
        body = encode(record)
        return record, body, self.keeper.spool.append(name, body)


@pytest.fixture
def start_worker(link: RedisLink, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    started = []

    def start(window_ms: int = 7_200_000) -> Worker:
        lives = Lives(window_ms, 86_400_000)
        store = RedisStore(link, CommittedLists(link), Relay(link), lives, OutageMemory(7_200_000))
        nothing: Any = SimpleNamespace()
        records = SpoolStore(store, lives, nothing)
        keeper = open_spool(tmp_path, SpoolLimits(segment_s=0.2), records, lambda: NOW_MS)
        started.append(keeper)
        return Worker(store, records, keeper)

    yield start
    for keeper in started:
        keeper.close()


def held(link: RedisLink, record: DecisionRecord) -> bytes | None:
    """Return the journal entry of a decision."""
    entry: bytes | None = link.run([("GET", keys.recorded(record.decision.decision_id))])[0]
    return entry


def begin_anew(redis_url: str) -> None:
    """Have Redis forget everything and begin an epoch in one step, as a link has it at a start."""
    with redis.Redis.from_url(redis_url) as client, client.pipeline(transaction=True) as together:
        process = client.info("server")["run_id"]
        together.flushall()
        together.mset({keys.epoch(bucket): 2**51 for bucket in range(256)})
        together.mset({keys.lineage(bucket): process for bucket in range(256)})
        together.execute()


def test_what_redis_confirmed_and_forgot_before_it_was_noted_is_sent_again(
    start_worker: Callable[[], Worker], link: RedisLink, redis_url: str
) -> None:
    worker = start_worker()
    worker.keeper.start()
    wait_until(lambda: not worker.keeper._unsure, "it has looked for the first time")
    other, body, ticket = worker.appended(1)
    entry = worker.store.commit(other, body, NOW_MS).entry
    worker.keeper.spool.confirm(ticket, other.decision.decision_id, entry)
    record, body, ticket = worker.appended(2)
    entry = worker.store.commit(record, body, NOW_MS).entry
    wait_until(lambda: not worker.keeper.spool.file.book.active.waiting, "the segment has ended")

    begin_anew(redis_url)
    worker.keeper.lineage_changed(frozenset(range(256)), True)
    wait_until(lambda: held(link, other), "the keeper looks for what is lost", 20)
    worker.keeper.spool.confirm(ticket, record.decision.decision_id, entry)

    wait_until(lambda: held(link, record), "it is sent again", 20)


def test_what_a_demoted_master_went_on_confirming_is_sent_again(
    start_worker: Callable[[], Worker], link: RedisLink, redis_url: str, short_dir: Path
) -> None:
    worker = start_worker()
    worker.keeper.start()
    wait_until(lambda: not worker.keeper._unsure, "it has looked for the first time")
    looked = worker.records.counts.lineage_changes
    begin_anew(redis_url)
    wait_until(lambda: worker.records.counts.lineage_changes > looked, "it has looked again", 20)
    wait_until(lambda: not worker.keeper._unsure, "it has found everything", 20)

    # The link of decisions has not heard of the new master yet.
    with RedisProcess(short_dir / "demoted") as demoted:
        behind = RedisLink(demoted.url, 5_000)
        record, body, ticket = worker.appended(1)
        lives = Lives(7_200_000, 86_400_000)
        store = RedisStore(
            behind, CommittedLists(behind), Relay(behind), lives, OutageMemory(7_200_000)
        )
        entry = store.commit(record, body, NOW_MS).entry
        behind.close()
    worker.keeper.spool.confirm(ticket, record.decision.decision_id, entry)
    worker.keeper.commits_moved(frozenset(range(256)), False)

    wait_until(lambda: held(link, record), "it is sent again", 20)


def test_what_comes_to_the_spool_just_after_a_look_with_an_entry_of_before_is_sent_again(
    start_worker: Callable[..., Worker], link: RedisLink, redis_url: str
) -> None:
    worker = start_worker()
    worker.keeper.start()
    wait_until(lambda: not worker.keeper._unsure, "it has looked for the first time")
    record, body, _ = worker.appended(1)
    entry = worker.store.commit(record, body, NOW_MS).entry
    begin_anew(redis_url)
    looked = worker.records.counts.lineage_changes
    worker.keeper.lineage_changed(frozenset(range(256)), True)
    wait_until(lambda: worker.records.counts.lineage_changes > looked, "it looks", 20)
    wait_until(lambda: not worker.keeper._unsure, "it has looked")
    late, body, ticket = worker.appended(2)
    worker.keeper.spool.confirm(ticket, late.decision.decision_id, entry)

    wait_until(lambda: held(link, late), "it is sent again", 20)


def test_a_cursor_of_another_past_drops_nothing(
    start_worker: Callable[..., Worker], link: RedisLink, redis_url: str
) -> None:
    # What is archived stays while retries get the same answer; here that is over at once.
    worker = start_worker(window_ms=100)
    record, body, ticket = worker.appended(1)
    entry = worker.store.commit(record, body, NOW_MS).entry
    worker.keeper.spool.confirm(ticket, record.decision.decision_id, entry)
    assert worker.keeper.spool.file.rotate()
    (segment,) = [one.path for one in worker.keeper.spool.file.book.closed()]
    # Redis lost the decision; the archive went on with what came after it.
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    link.run([("SET", keys.archived(BUCKET), b"%d-0" % (place_of(entry)[0] + 1))])

    worker.keeper.start()
    again = wait_until(lambda: held(link, record), "it is sent again", 20)
    assert segment.exists()

    link.run([("SET", keys.archived(BUCKET), again)])
    wait_until(lambda: not segment.exists(), "the segment goes", 20)


@pytest.mark.parametrize(
    ("degraded", "journaled"),
    [((), [b"decision"]), ((DegradedPart.JOURNAL,), [b"decision", b"decision_update"])],
)
def test_what_redis_held_all_along_counts_once_after_its_marker_is_gone(
    start_worker: Callable[..., Worker],
    link: RedisLink,
    degraded: tuple[DegradedPart, ...],
    journaled: list[bytes],
) -> None:
    """A worker dies before it notes that Redis confirmed, and lies for longer than markers live."""
    worker = start_worker()
    record, body, _ = worker.appended(1)
    worker.store.commit(record, body, NOW_MS)
    account = keys.account(record.transfer.payer.account)
    state = link.run([("HGETALL", account)])[0]
    request = keys.request(record.transfer.payer.account, request_digest(record.transfer))
    link.run([("DEL", keys.recorded(record.decision.decision_id), request)])

    marked = replace(record, decision=replace(record.decision, degraded=degraded))
    later_ms = NOW_MS + 2 * 86_400_000
    sent = worker.records.send(marked, encode(marked), later_ms, is_answered=True)

    assert sent is not None
    assert held(link, record) == sent.entry
    assert link.run([("HGETALL", account)])[0] == state
    entries = link.run([("XRANGE", keys.journal(BUCKET), "-", "+")])[0]
    kinds = [dict(zip(flat[::2], flat[1::2], strict=True))[b"k"] for _, flat in entries]
    assert kinds == journaled


def test_an_earlier_worker_s_records_are_asked_for_and_sent_once(
    start_worker: Callable[[], Worker], link: RedisLink
) -> None:
    first = start_worker()
    records = []
    for number in range(1_200):
        record, body, ticket = first.appended(number)
        if number % 3:
            entry = first.store.commit(record, body, NOW_MS).entry
            if number % 3 == 1:
                first.keeper.spool.confirm(ticket, record.decision.decision_id, entry)
        records.append(record)
    first.keeper.close()

    second = start_worker()
    second.keeper.start()
    wait_until(lambda: all(held(link, record) for record in records), "all are there", 40)
    wait_until(lambda: second.keeper.spool.file.book.waiting_count() == 0, "all are settled", 20)

    entries = link.run([("XRANGE", keys.journal(BUCKET), "-", "+")])[0]
    kinds = [dict(zip(flat[::2], flat[1::2], strict=True))[b"k"] for _, flat in entries]
    assert kinds == [b"decision"] * 1_200


def test_a_content_without_the_mark_never_takes_the_place_of_the_answered_one(
    start_worker: Callable[[], Worker], link: RedisLink
) -> None:
    worker = start_worker()
    unmarked, body, _ = worker.appended(1)
    decision = replace(unmarked.decision, degraded=(DegradedPart.JOURNAL,))
    marked = replace(unmarked, decision=decision)
    first = worker.store.commit(unmarked, body, NOW_MS).entry
    second = worker.store.commit_again(marked, encode(marked), NOW_MS).entry

    third = worker.store.commit_again(unmarked, body, NOW_MS).entry
    fourth = worker.store.commit_again(marked, encode(marked), NOW_MS).entry

    assert first != second == third == fourth
    found = worker.store.find_decision(decision.decision_id)
    assert found is not None
    assert found.decision == decision
    assert link.run([("XLEN", keys.journal(BUCKET))])[0] == 2


def test_a_frame_that_nobody_understands_stops_nobody_and_keeps_its_segment(
    start_worker: Callable[..., Worker], link: RedisLink, tmp_path: Path
) -> None:
    first = start_worker()
    record, _, _ = first.appended(1)
    first.keeper.spool.file.append(RECORD + b"!" * 26 + b"body", waits=True)
    first.keeper.close()
    (segment,) = tmp_path.glob("*.spool")

    second = start_worker(window_ms=1)
    second.keeper.start()
    entry = wait_until(lambda: held(link, record), "the other record is sent", 20)
    later, body, ticket = second.appended(2)
    entry = second.store.commit(later, body, NOW_MS).entry
    second.keeper.spool.confirm(ticket, later.decision.decision_id, entry)
    own = second.keeper.spool.file.book.active.path
    link.run([("SET", keys.archived(BUCKET), entry)])

    wait_until(lambda: not own.exists(), "the worker's own segment goes", 20)
    assert segment.exists()
