"""What segments say about each other's records."""

from pathlib import Path

from fanzha.adapters.spool_book import SETTLED, VOID, WAITS
from fanzha.adapters.spool_contents import Contents, body_at, contents_of, superseded_in
from fanzha.adapters.spool_frames import CONFIRMED, HEAD, MARKED, RECORD, SUPERSEDED, frame

A, B, C, D = (letter * 26 for letter in (b"A", b"B", b"C", b"D"))


def a_segment(folder: Path, name: str, *payloads: bytes) -> Contents:
    path = folder / f"{name}.spool"
    path.write_bytes(HEAD + b"".join(frame(payload) for payload in payloads))
    return contents_of(path)


def test_notes_count_here_and_in_the_segments_after(tmp_path: Path) -> None:
    records = [RECORD + name + b"body" for name in (A, B, C, D)]
    first = a_segment(tmp_path, "1", *records, CONFIRMED + A + b"5-0")
    second = a_segment(tmp_path, "2", SUPERSEDED + B)
    third = a_segment(tmp_path, "3", CONFIRMED + C + b"7-1")

    assert first.states([]) == bytes([SETTLED, WAITS, WAITS, WAITS, VOID])
    assert first.states([second, third]) == bytes([SETTLED, VOID, SETTLED, WAITS, VOID])
    assert first.confirmed == {A.decode(): (5, 0)}


def test_what_was_given_up_and_then_repeated_from_redis_counts_as_answered(tmp_path: Path) -> None:
    given_up = [RECORD + A + b"old", SUPERSEDED + A, RECORD + B + b"old", SUPERSEDED + B]
    first = a_segment(tmp_path, "1", *given_up, MARKED + A + b"old", RECORD + C + b"old")
    second = a_segment(tmp_path, "2", MARKED + B + b"old", SUPERSEDED + C)

    assert first.states([second]) == bytes([VOID] * 4 + [WAITS, VOID])
    assert second.states([]) == bytes([WAITS, VOID])
    assert superseded_in([first, second]) == {C.decode()}


def test_frames_that_nobody_understands_hide_nothing_and_are_counted(tmp_path: Path) -> None:
    odd = [RECORD + b"!" * 26 + b"body", RECORD, b"D" + b"old", b"Z" + A, CONFIRMED + b"x" * 26]
    found = a_segment(tmp_path, "1", *odd, RECORD + B + b"body")

    assert found.unreadable == len(odd)
    assert found.states([]) == bytes([VOID] * len(odd) + [WAITS])


def test_a_marked_record_takes_the_place_of_the_unmarked_one(tmp_path: Path) -> None:
    first = a_segment(tmp_path, "1", RECORD + A + b"old", MARKED + A + b"new", RECORD + B + b"old")
    second = a_segment(tmp_path, "2", MARKED + B + b"new")

    assert first.states([second]) == bytes([VOID, WAITS, VOID])
    assert second.states([]) == bytes([WAITS])
    assert first.decisions[A.decode()].is_marked
    assert body_at(first.path, first.decisions[A.decode()].at) == b"new"
