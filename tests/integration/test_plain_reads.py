"""Plain commands read of an account what the script reads in one step."""

import time
from dataclasses import replace
from random import Random

import pytest
from tests.decision_inputs import a_transfer

from fanzha.adapters import keys
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.reads import pair_of
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_store import Lives, RedisStore
from fanzha.adapters.relay import Relay
from fanzha.domain.evidence import AccountState
from fanzha.domain.transfer import Party

PAYEE = b"\x01\x02" * 8
PARTS = {"seq": 1, "out": 40, "in": 40, "reports": 40, "hours": 40, "days": 40, "pairs": 32}


@pytest.fixture
def store(link: RedisLink) -> RedisStore:
    link.run([("TIME",)])
    lives = Lives(7_200_000, 86_400_000)
    lists = CommittedLists(link)
    lists.refresh()
    return RedisStore(link, lists, Relay(link), lives, OutageMemory(lives.window_ms))


@pytest.mark.parametrize("seed", range(4))
def test_plain_commands_and_the_script_read_the_same(
    store: RedisStore, link: RedisLink, seed: int
) -> None:
    rng = Random(seed)
    payer = rng.randbytes(16)
    bucket = payer[-1]
    held = {
        name: rng.randbytes(width * rng.randrange(9)) for name, width in PARTS.items()
        if rng.random() < 0.7
    }  # fmt: skip
    held["seq"] = b"%d" % rng.randrange(1, 2**52)
    held["pairs"] = rng.randbytes(32 * 5 + 8) + PAYEE[:8] + rng.randbytes(16) + (
        b"" if seed == 0 else PAYEE[:8] + rng.randbytes(24)
    )  # fmt: skip
    link.run([("HSET", keys.account(payer), *(x for pair in held.items() for x in pair))])
    transfer = replace(a_transfer(), payer=Party(payer), payee=Party(PAYEE))
    names = (
        keys.account(payer), keys.list_entries(payer), keys.epoch(bucket),
        keys.tag(bucket) + b"request:none",
    )  # fmt: skip
    script = link.scripts.call("gather", names, (PAYEE[:8], keys.decision_prefix(bucket)))

    found = store.find(transfer, time.monotonic() + 60)

    reply = link.run([script])[0]
    assert found.payer == AccountState(int(reply[0]), *reply[1:7])
    assert found.payee == AccountState()
    assert (found.payer.pair != b"") == (seed != 0)


def test_an_account_in_a_bucket_without_an_epoch_is_not_read_as_an_empty_one(
    store: RedisStore, link: RedisLink
) -> None:
    # As while it is rebuilt: no epoch begins there.
    link.run([("DEL", keys.epoch(PAYEE[-1])), ("SET", keys.rebuilding(PAYEE[-1]), "1")])
    link.run([("DEL", keys.epoch(0)), ("SET", keys.rebuilding(0), "1")])
    transfer = replace(a_transfer(), payer=Party(bytes(16)), payee=Party(PAYEE))

    found = store.find(transfer, time.monotonic() + 60)

    assert (found.payer, found.payee, found.stored) == (None, None, None)


def test_a_pair_is_found_only_where_a_record_begins() -> None:
    pairs = bytes(8) + b"payee-01" + bytes(16) + b"payee-01" + bytes(24)

    assert pair_of(pairs, b"payee-01") == pairs[32:]
    assert pair_of(pairs, b"payee-02") == b""
    assert pair_of(pairs, bytes(8)) == pairs[:32]
    assert pair_of(pairs, b"") == b""
