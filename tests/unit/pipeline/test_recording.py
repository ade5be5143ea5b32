"""What a decision's record is worth, when a place is slow, full or away."""

import time

import pytest
from tests.fakes import MemoryJournal, MemorySpool
from tests.recording import a_record

from fanzha.adapters.codec import Codec, decode_record
from fanzha.domain.errors import NotRecordedError
from fanzha.domain.vocabulary import DegradedPart
from fanzha.pipeline.record import Recorder, Recording

NOW_MS = 1_790_000_000_000


def recorded(spool: MemorySpool, journal: MemoryJournal) -> tuple[DegradedPart, ...]:
    """Record a decision and return what its answer says was missing."""
    places = Recorder(spool, journal, Codec(), wait_s=0.01)
    recording = Recording(a_record(), places, NOW_MS, time.monotonic() + 0.005)
    (error,) = places.record_all([recording])
    if error is not None:
        raise error
    return recording.finish().degraded


def test_both_places_in_time_leave_no_mark() -> None:
    assert recorded(MemorySpool(), MemoryJournal()) == ()


def test_a_late_disk_leaves_redis_which_holds_what_is_answered() -> None:
    spool, journal = MemorySpool(is_late=True), MemoryJournal()

    assert recorded(spool, journal) == (DegradedPart.JOURNAL,)
    assert journal.records[-1].decision.degraded == (DegradedPart.JOURNAL,)
    # When the disk comes round, it holds that too.
    assert decode_record(spool.bodies[-1]) == journal.records[-1]


def test_a_late_disk_without_redis_is_not_answered() -> None:
    with pytest.raises(NotRecordedError, match="too slow"):
        recorded(MemorySpool(is_late=True), MemoryJournal(is_away=True))


def test_a_full_disk_leaves_redis() -> None:
    assert recorded(MemorySpool(is_full=True), MemoryJournal()) == (DegradedPart.JOURNAL,)


def test_without_redis_the_spool_holds_what_is_answered_and_sends_it_later() -> None:
    spool = MemorySpool()

    assert recorded(spool, MemoryJournal(is_away=True)) == (DegradedPart.JOURNAL,)
    assert spool.later == [decode_record(spool.bodies[-1])]


def test_neither_place_is_no_answer() -> None:
    with pytest.raises(NotRecordedError, match="neither"):
        recorded(MemorySpool(is_full=True), MemoryJournal(is_away=True))
