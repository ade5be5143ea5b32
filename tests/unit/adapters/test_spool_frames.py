"""The format of segments: damage hides itself and nothing else."""

import struct
import zlib
from pathlib import Path

import pytest

from fanzha.adapters.spool_frames import (
    HEAD,
    cut_torn,
    frame,
    located_frames,
    read_at,
    read_frames,
    survey,
)

PAYLOADS = [b"Rfirst-record", b"Cnote", b"", b"M" + bytes(range(256)), b"Rlast"]
SEGMENT = HEAD + b"".join(frame(payload) for payload in PAYLOADS)


def a_segment(folder: Path, content: bytes) -> Path:
    path = folder / "some.spool"
    path.write_bytes(content)
    return path


def old_frame(payload: bytes) -> bytes:
    """A frame as the first version wrote it."""
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def frame_around(position: int) -> int | None:
    """Return which frame of SEGMENT a byte belongs to, None for the head."""
    end = len(HEAD)
    if position < end:
        return None
    for number, payload in enumerate(PAYLOADS):
        end += len(frame(payload))
        if position < end:
            return number
    raise AssertionError(position)


@pytest.mark.parametrize("position", range(len(SEGMENT)))
def test_a_flipped_byte_costs_its_own_frame_alone(tmp_path: Path, position: int) -> None:
    hit = frame_around(position)
    rest = [payload for number, payload in enumerate(PAYLOADS) if number != hit]

    for flip in (0x01, 0x80, 0xFF):
        damaged = bytearray(SEGMENT)
        damaged[position] ^= flip
        path = a_segment(tmp_path, damaged)

        assert list(read_frames(path)) == rest
        seen = survey(path)
        assert seen.damaged + seen.tail > 0


@pytest.mark.parametrize("length", range(len(SEGMENT)))
def test_a_torn_tail_is_cut_and_kept_and_nothing_before_it_is_lost(
    tmp_path: Path, length: int
) -> None:
    path = a_segment(tmp_path, SEGMENT[:length])
    before = list(read_frames(path))

    assert survey(path).is_cut_off
    removed = cut_torn(path)

    aside = tmp_path / "some.spool.torn"
    assert path.read_bytes() + (aside.read_bytes() if removed else b"") == SEGMENT[:length]
    assert list(read_frames(path)) == before
    assert survey(path).tail == 0
    assert cut_torn(path) == 0


def test_zeros_behind_the_last_frame_are_a_torn_tail(tmp_path: Path) -> None:
    path = a_segment(tmp_path, SEGMENT + bytes(4096))

    assert survey(path).is_cut_off
    assert cut_torn(path) == 4096
    assert path.read_bytes() == SEGMENT


def test_a_last_frame_that_is_whole_but_damaged_is_no_torn_tail(tmp_path: Path) -> None:
    path = a_segment(tmp_path, SEGMENT[:-1] + b"?")

    assert not survey(path).is_cut_off


def test_what_is_no_segment_is_left_as_it_is(tmp_path: Path) -> None:
    path = a_segment(tmp_path, b"somebody's letter")

    assert cut_torn(path) == 0
    assert path.read_bytes() == b"somebody's letter"


def test_frames_are_found_again_behind_damage_across_the_reader_s_chunks(tmp_path: Path) -> None:
    whole = HEAD + frame(b"Rfirst") + b"\xf5" * (2**20 - 40) + frame(b"Rsecond")

    for shift in range(40):
        path = a_segment(tmp_path, whole[: len(HEAD) + 20] + bytes(shift) + whole[30:])
        assert list(read_frames(path))[-1] == b"Rsecond"


def test_a_frame_is_read_again_at_its_place(tmp_path: Path) -> None:
    path = a_segment(tmp_path, SEGMENT)

    assert [read_at(path, at) for at, _ in located_frames(path)] == PAYLOADS
    assert read_at(path, 3) is None
    assert read_at(path, len(SEGMENT) + 7) is None


def test_segments_of_the_first_version_are_read_up_to_their_damage(tmp_path: Path) -> None:
    whole = old_frame(b"Dfirst") + old_frame(b"Cnote") + old_frame(b"Dlast")
    path = a_segment(tmp_path, whole)
    assert [read_at(path, at) for at, _ in located_frames(path)] == [b"Dfirst", b"Cnote", b"Dlast"]
    assert survey(path).tail == 0

    path = a_segment(tmp_path, whole[:-2])

    assert cut_torn(path) == len(old_frame(b"Dlast")) - 2
    assert list(read_frames(path)) == [b"Dfirst", b"Cnote"]
