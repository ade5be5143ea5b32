"""Permits come back at their rate, and what is owed has to come back first."""

import pytest

from fanzha.access.rates import Bucket, Buckets


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_and_then_the_rate() -> None:
    hand = Hand()
    bucket = Bucket(10.0, 3, hand)

    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == pytest.approx(0.1)
    hand.now += 0.1
    assert bucket.take() == 0
    assert bucket.take() > 0
    hand.now += 1_000
    assert [bucket.take() for _ in range(4)][:3] == [0, 0, 0]


def test_a_batch_is_owed() -> None:
    hand = Hand()
    bucket = Bucket(10.0, 5, hand)

    assert bucket.take() == 0
    bucket.owe(99)

    assert bucket.take() == pytest.approx(9.6)


def test_the_share_that_is_let_in_is_the_rate() -> None:
    hand = Hand()
    bucket = Bucket(50.0, 5, hand)
    taken = 0
    for _ in range(10_000):
        hand.now += 0.001
        taken += bucket.take() == 0

    assert taken == pytest.approx(505, abs=1)


def test_another_rate_begins_a_new_bucket_and_others_go_on() -> None:
    buckets = Buckets(Hand())
    first = buckets.of("a", 1.0, 1)

    assert buckets.of("a", 1.0, 1) is first
    assert buckets.of("b", 1.0, 1) is not first
    assert buckets.of("a", 2.0, 1) is not first
