"""The relay with a real Redis: what is no message keeps no other one waiting."""

from tests.redis_processes import wait_until

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.relay import Relay
from fanzha.features.layout import Change, pack_event

SUBJECT = bytes(15) + b"\x05"


def test_what_is_no_message_keeps_no_other_one_waiting(link: RedisLink) -> None:
    link.run([("XADD", keys.outbox(3), "1-1", "x", "y"), ("XADD", keys.outbox(3), "1-2", "t", "")])
    change = pack_event(7, 1_790_000_000_000, 100, 8, 0)
    good = ("XADD", keys.outbox(3), "1-3", "t", SUBJECT, "o", int(Change.RECEIVE), "c", change)
    link.run([good])
    relay = Relay(link)
    relay.start()

    relay.hint(3, b"1-1")
    wait_until(lambda: link.run([("HGET", keys.account(SUBJECT), "in")]) == [change], "received")

    relay.close()
    assert link.run([("XLEN", keys.outbox(3))]) == [2]
