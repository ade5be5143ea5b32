"""Decision ids sort by time and carry their bucket."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanzha.domain import ids

TIMES = st.integers(0, ids.TIME_MS_MAX - 1)
BUCKETS = st.integers(0, 255)
RANDOM = st.binary(min_size=9, max_size=9)


@given(TIMES, BUCKETS, RANDOM)
def test_an_id_gives_back_its_time_and_bucket(time_ms: int, bucket: int, randomness: bytes) -> None:
    decision_id = ids.new_decision_id(time_ms, bucket, randomness)

    assert ids.is_decision_id(decision_id)
    assert ids.time_ms_of_decision(decision_id) == time_ms
    assert ids.bucket_of_decision(decision_id) == bucket
    assert ids.event_id_of_decision(decision_id) == int.from_bytes(randomness[1:], signed=True)


@given(st.lists(st.tuples(TIMES, BUCKETS, RANDOM), min_size=2, max_size=20))
def test_ids_sort_as_their_times_do(parts: list[tuple[int, int, bytes]]) -> None:
    made = sorted((ids.new_decision_id(*part), part[0]) for part in parts)

    assert [time_ms for _, time_ms in made] == sorted(time_ms for _, time_ms in made)


def test_the_day_is_the_utc_day() -> None:
    midnight_in_shanghai_ms = 1_790_006_400_000 - 8 * 3_600_000

    decision_id = ids.new_decision_id(midnight_in_shanghai_ms, 7, bytes(9))

    assert ids.day_of_decision(decision_id) == date(2026, 9, 21)


@given(st.text(max_size=30).filter(lambda text: len(text) != 26))
def test_texts_of_another_length_are_no_ids(text: str) -> None:
    assert not ids.is_decision_id(text)


@pytest.mark.parametrize(
    "text",
    ["I" * 26, "0" * 25 + "!", "8" + "0" * 25, "7" + "Z" * 25, "0" * 25 + "a"],
    ids=["letter I", "sign", "over 128 bits", "year 10889", "lower case"],
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert not ids.is_decision_id(text)


@pytest.mark.parametrize(
    "text", ["I" * 26, "0" * 25 + "_", " " + "0" * 25, "0" * 25 + "a", "０" * 26, "é" * 26]
)
def test_what_is_no_id_is_in_no_bucket(text: str) -> None:
    """`int` would read some of them."""
    with pytest.raises(ValueError, match="invalid literal"):
        ids.bucket_of_decision(text)
