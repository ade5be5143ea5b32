"""Slots and keys of commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Scripts
from fanzha.adapters.redis_slots import bucket_of_command, key_of, slot_of, slot_of_command
from fanzha.adapters.redis_wire import Command


@given(st.binary(max_size=40))
def test_slots_are_those_of_redis(key: bytes) -> None:
    assert slot_of(key) == key_slot(key)


@pytest.mark.parametrize("key", [b"{}x", b"{a", b"}{a}", b"{a}{b}", b"{{a}}", b"plain"])
def test_odd_tags_are_read_as_redis_reads_them(key: bytes) -> None:
    assert slot_of(key) == key_slot(key)
    assert slot_of_command(("GET", key)) == key_slot(key)


def test_keys_of_a_bucket_share_its_slot() -> None:
    token = bytes(15) + b"\xc8"
    for key in (keys.account(token), keys.journal(200), keys.epoch(200)):
        assert slot_of_command(("GET", key)) == slot_of(b"{b200}:")
        assert bucket_of_command(("GET", key)) == 200
    assert bucket_of_command(("GET", keys.LIST_IMPORTS)) is None


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("TIME",), None),
        (("INFO", "server"), None),
        (("SCRIPT", "LOAD", b"return 1"), None),
        (("EVALSHA", "0" * 40, 0, "no key"), None),
        (("EVALSHA", "0" * 40, 2, b"{b1}:x", b"{b1}:y", 5), b"{b1}:x"),
        (("XADD", "{b2}:journal", "*", "k", "v"), b"{b2}:journal"),
        (Scripts().call("gather", (b"{b3}:a",), ()), b"{b3}:a"),
    ],
)
def test_the_first_key_of_a_command(command: Command, key: bytes | None) -> None:
    assert key_of(command) == key
