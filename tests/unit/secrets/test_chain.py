"""Tokens of tokens: what is stored and what the door makes later are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanzha.domain.ids import bucket_of, counterparty_of
from fanzha.secrets.chain import Successor
from fanzha.secrets.digests import Algorithm
from fanzha.secrets.token_key import DataKey, plain_key
from fanzha.transport.identity import Tokens

RAW = "6222020200112233445"
OLD = plain_key(bytes(range(32)))
SUCCESSORS = [Successor(DataKey(algorithm, b"n" * 32)) for algorithm in Algorithm]


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_door_makes_what_a_re_keying_made_of_what_is_stored(algorithm: Algorithm) -> None:
    new = OLD.with_new(algorithm)
    newer = new.with_new(algorithm)
    old, door, later_door = Tokens(OLD), Tokens(new), Tokens(newer)
    first, second = Successor(new.keys[1]), Successor(newer.keys[2])

    for kind in ("account", "person", "phone", "device"):
        stored = getattr(old, kind)(RAW)
        assert getattr(door, kind)(RAW) == first.token(stored) != stored
        assert getattr(later_door, kind)(RAW) == second.token(first.token(stored))
    body = old.body(b"a body")
    assert door.body(b"a body") == first.body(body) != body
    assert later_door.body(b"a body") == second.body(first.body(body))


@given(st.binary(min_size=16, max_size=16))
def test_numbers_follow_from_numbers_and_buckets_stay(token: bytes) -> None:
    for successor in SUCCESSORS:
        new = successor.token(token)
        assert counterparty_of(new) == successor.number(counterparty_of(token))
        assert bucket_of(new) == bucket_of(token)
        assert len(new) == 16


@given(st.sets(st.binary(min_size=16, max_size=16), min_size=2, max_size=20))
def test_different_tokens_stay_different(tokens: set[bytes]) -> None:
    for successor in SUCCESSORS:
        assert len({successor.token(token) for token in tokens}) == len(tokens)


def test_tokens_that_differ_in_any_byte_stay_different() -> None:
    one = bytes(range(1, 17))
    for successor in SUCCESSORS:
        made = {successor.token(one)}
        for at in range(16):
            made.add(successor.token(one[:at] + b"\xff" + one[at + 1 :]))
        assert len(made) == 17


def test_nobody_stays_nobody() -> None:
    for successor in SUCCESSORS:
        assert successor.token(b"") == b""
        assert successor.number(0) == 0


def test_no_token_of_another_length_is_taken_for_one() -> None:
    with pytest.raises(ValueError, match="16 bytes, not 8"):
        SUCCESSORS[0].token(bytes(8))
