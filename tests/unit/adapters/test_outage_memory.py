"""What a worker remembers of its answers while Redis cannot be asked."""

from dataclasses import replace

from tests.recording import a_record

from fanzha.adapters.codec import encode
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.domain.record import DecisionRecord
from fanzha.pipeline.ports import StoredRequest

OTHER_ID = "0" * 25 + "1"


def a_record_of(request_id: str, decision_id: str) -> DecisionRecord:
    record = a_record()
    return replace(
        record,
        transfer=replace(record.transfer, request_id=request_id),
        decision=replace(record.decision, decision_id=decision_id),
    )


def stored(record: DecisionRecord) -> StoredRequest:
    return StoredRequest(
        record.transfer.request_digest,
        record.decision.decision_id,
        record.decision.decide_time_ms,
        record.decision,
    )


FIRST, SECOND = a_record_of("r-1", "A" * 26), a_record_of("r-1", "B" * 26)


def test_the_first_of_two_answers_of_one_worker_is_the_answer() -> None:
    memory = OutageMemory(7_200_000)

    assert memory.keep(FIRST) is None
    assert memory.keep(FIRST) is None
    assert memory.keep(SECOND) == stored(FIRST)
    assert memory.answer(FIRST.transfer, stored(SECOND)) == stored(FIRST)


def test_what_redis_holds_by_now_counts_only_where_redis_cannot_be_asked() -> None:
    memory = OutageMemory(7_200_000)
    memory.keep(FIRST)
    memory.settle(FIRST, SECOND.decision)

    assert memory.answer(FIRST.transfer, None) == stored(SECOND)
    assert memory.answer(FIRST.transfer, stored(FIRST)) == stored(FIRST)


def test_an_answer_of_before_the_window_is_none_to_a_request_of_a_later_outage() -> None:
    memory = OutageMemory(7_200_000)
    memory.keep(FIRST)
    memory.settle(FIRST, FIRST.decision)
    time_ms = FIRST.decision.decide_time_ms + 7_200_000
    later = replace(SECOND, decision=replace(SECOND.decision, decide_time_ms=time_ms))

    assert memory.keep(later) is None
    assert memory.answer(later.transfer, None) == stored(later)


def test_another_request_is_not_answered_from_it() -> None:
    memory = OutageMemory(7_200_000)
    memory.keep(FIRST)

    assert memory.answer(a_record_of("r-2", OTHER_ID).transfer, None) is None


def test_it_is_bounded_and_forgets_the_oldest() -> None:
    size = len(encode(FIRST.decision))
    memory = OutageMemory(7_200_000, bytes_max=3 * size)
    records = [a_record_of(f"r-{number}", f"{number:026d}") for number in range(5)]
    for record in records:
        memory.keep(record)

    held = [memory.answer(record.transfer, None) is not None for record in records]
    assert held == [False, False, True, True, True]
