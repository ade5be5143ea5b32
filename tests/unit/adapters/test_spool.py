"""The spool: on disk before the answer, torn tails cut, a full disk told."""

import os
import threading
import time
from pathlib import Path

import pytest

from fanzha.adapters.spool import SpoolFile
from fanzha.adapters.spool_frames import HEAD, frame, read_frames, unlocked_segments
from fanzha.adapters.spool_queue import Settles, SpoolLimits
from fanzha.domain.errors import NotRecordedError, SetupError


def now_ms() -> int:
    return 1_790_000_000_000


def test_what_was_waited_for_is_in_the_file(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)

    spool.tickets.wait(spool.append(b"Dfirst"))

    (segment,) = tmp_path.glob("*.spool")
    assert list(read_frames(segment)) == [b"Dfirst"]
    spool.close()


def test_writers_share_one_file_without_mixing_frames(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)

    def write(name: int) -> None:
        for number in range(50):
            spool.tickets.wait(spool.append(f"D{name}-{number}".encode()))

    writers = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    spool.close()

    (segment,) = tmp_path.glob("*.spool")
    frames = list(read_frames(segment))
    assert sorted(frames) == sorted(
        f"D{name}-{number}".encode() for name in range(8) for number in range(50)
    )


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_torn_tail_is_cut_and_nothing_before_it_is_lost(tmp_path: Path, cut: int) -> None:
    whole = HEAD + frame(b"Dfirst") + frame(b"Dsecond-record")
    path = tmp_path / "torn.spool"
    path.write_bytes(whole[:-cut])

    assert list(read_frames(path)) == [b"Dfirst"]


def test_a_segment_in_use_is_left_alone(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)
    assert unlocked_segments(tmp_path) == []

    spool.close()

    assert len(unlocked_segments(tmp_path)) == 1


def test_a_disk_that_refuses_is_told_to_everyone_who_waits(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)
    good = spool.append(b"Dgood")
    spool.tickets.wait(good)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, spool._file.fileno())
    os.close(full)

    ticket = spool.append(b"Dlost")
    with pytest.raises(NotRecordedError):
        spool.tickets.wait(ticket)

    spool.tickets.wait(good)
    assert spool.failure is not None
    with pytest.raises(NotRecordedError):
        spool.append(b"Drefused")
    spool.close()


def test_the_spool_recovers_on_a_new_segment(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, spool._file.fileno())
    os.close(full)
    lost = spool.append(b"Dlost")
    with pytest.raises(NotRecordedError):
        spool.tickets.wait(lost)
    while spool.failure is not None:
        threading.Event().wait(0.05)

    spool.tickets.wait(spool.append(b"Dkept"))

    with pytest.raises(NotRecordedError):
        spool.tickets.wait(lost)
    spool.close()
    kept = [x for path in tmp_path.glob("*.spool") for x in read_frames(path)]
    assert b"Dkept" in kept
    assert b"Dlost" not in kept


def test_a_disk_that_stands_still_counts_as_one_that_refuses(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)
    reader, writer = os.pipe()
    os.dup2(writer, spool._file.fileno())
    os.close(writer)
    ticket = spool.append(b"R" * 2**20, waits=True)

    for _ in range(63):
        spool.append(b"R" * 2**20, waits=True)

    with pytest.raises(NotRecordedError, match="has not taken"):
        spool.append(b"R" * 2**20, waits=True)
    spool.append(b"C", settles=Settles(ticket))
    os.close(reader)
    while spool.failure is not None:
        threading.Event().wait(0.05)
    spool.tickets.wait(spool.append(b"Dkept"))
    spool.close()


def test_an_unwritable_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(SetupError, match="--data-dir"):
        SpoolFile(blocked / "spool", now_ms)


def test_segments_end_by_size_and_by_age(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms, SpoolLimits(segment_bytes=200, segment_s=0.1))

    for number in range(10):
        spool.tickets.wait(spool.append(b"x" * 60 + b"%d" % number))
    by_size = len(spool.book.closed())
    spool.tickets.wait(spool.append(b"last"))
    while len(spool.book.closed()) == by_size:
        threading.Event().wait(0.02)

    assert by_size >= 3
    assert spool.book.active.size == len(HEAD)
    spool.close()


def test_a_ticket_names_its_frame_in_whatever_segment_it_came_to_lie(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms, SpoolLimits(segment_bytes=100))
    tickets = [spool.append(b"R%d" % number * 10, waits=True) for number in range(50)]
    spool.tickets.wait(tickets[-1])
    assert spool.rotate()
    assert spool.book.waiting_count() == 50

    for ticket in tickets[1:]:
        spool.append(b"C", settles=Settles(ticket, 7, (5, ticket)))
    assert spool.rotate()

    assert spool.book.waiting_count() == 1
    first = spool.book.closed()[0]
    assert first.waiting_count == 1
    assert first not in spool.book.archived({7: (5, 1_000)})
    spool.book.settle(tickets[0], 8, (3, 0))
    assert first in spool.book.archived({7: (5, 1_000), 8: (3, 0)})
    assert first not in spool.book.archived({7: (5, 1_000), 8: (2, 9)})
    assert first not in spool.book.archived({7: (5, 1_000)})
    spool.close()


def test_a_full_spool_refuses_until_there_is_room(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms, SpoolLimits(segment_bytes=500, bytes_max=2_000))
    held = 0
    while spool.failure is None:
        held = spool.append(b"x" * 200)
        spool.tickets.wait(held)
        spool.look_for_room()
    with pytest.raises(NotRecordedError, match="2,000 bytes"):
        spool.append(b"refused")
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) < 3_000

    for segment in spool.book.archived({}):
        spool.book.drop(segment)
    spool.look_for_room()

    assert spool.tickets.wait(spool.append(b"kept"))
    spool.close()


def test_a_late_disk_is_told_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = SpoolFile(tmp_path, now_ms)
    may_go = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda _: may_go.wait(20))
    ticket = spool.append(b"slow")

    assert not spool.tickets.wait(ticket, time.monotonic() + 0.05)
    may_go.set()
    assert spool.tickets.wait(ticket, time.monotonic() + 20)
    spool.close()
