"""The spool: on disk before the answer, torn tails cut, a full disk told."""

import os
import threading
from pathlib import Path

import pytest

from fanzha.adapters.spool import SpoolFile
from fanzha.adapters.spool_frames import HEAD, frame, read_frames, unlocked_segments
from fanzha.domain.errors import NotRecordedError, SetupError


def now_ms() -> int:
    return 1_790_000_000_000


def test_what_was_waited_for_is_in_the_file(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)

    spool.wait(spool.append(b"Dfirst"))

    (segment,) = tmp_path.glob("*.spool")
    assert list(read_frames(segment)) == [b"Dfirst"]
    spool.close()


def test_writers_share_one_file_without_mixing_frames(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path, now_ms)

    def write(name: int) -> None:
        for number in range(50):
            spool.wait(spool.append(f"D{name}-{number}".encode()))

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
    spool.wait(good)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, spool._file.fileno())
    os.close(full)

    ticket = spool.append(b"Dlost")
    with pytest.raises(NotRecordedError):
        spool.wait(ticket)

    spool.wait(good)
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
        spool.wait(lost)
    while spool.failure is not None:
        threading.Event().wait(0.05)

    spool.wait(spool.append(b"Dkept"))

    with pytest.raises(NotRecordedError):
        spool.wait(lost)
    spool.close()
    kept = [x for path in tmp_path.glob("*.spool") for x in read_frames(path)]
    assert b"Dkept" in kept
    assert b"Dlost" not in kept


def test_an_unwritable_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(SetupError, match="--data-dir"):
        SpoolFile(blocked / "spool", now_ms)
