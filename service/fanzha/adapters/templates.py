"""Commands that every decision sends, packed once for each bucket.

What differs from call to call has the same length each time, so that only it has to be filled in.
Packing the reads of a decision anew takes hiredis as long as Redis takes to answer them.
"""

from collections.abc import Callable
from typing import Final

from fanzha.adapters import keys
from fanzha.adapters.redis_wire import Command, Packed, pack
from fanzha.domain.ids import BUCKETS

_TOKEN_BYTES: Final = 16
_STATE: Final = ("seq", "out", "in", "reports", "days")


class Template:
    """Commands on keys of one bucket, each of which ends with a token in hexadecimal."""

    def __init__(self, commands_of: Callable[[int, bytes], list[Command]]) -> None:
        """Pack them for each bucket.

        Args:
            commands_of: returns the commands for a bucket and a token of it.
        """
        self._by_bucket = [self._packed(bucket, commands_of) for bucket in range(BUCKETS)]

    @staticmethod
    def _packed(
        bucket: int, commands_of: Callable[[int, bytes], list[Command]]
    ) -> tuple[int, bytes]:
        # Stands where the tokens go, and nowhere else.
        stand_in = b"\xee" * (_TOKEN_BYTES - 1) + bytes([bucket])
        commands = commands_of(bucket, stand_in)
        form = pack(commands).replace(b"%", b"%%").replace(stand_in.hex().encode(), b"%b")
        return len(commands), form

    def fill(self, bucket: int, *tokens: bytes) -> Packed:
        """Return the commands of a bucket.

        Args:
            bucket: of all the keys.
            tokens: in hexadecimal, one for each key that ends with one, in their order.
        """
        count, form = self._by_bucket[bucket]
        return bucket, count, form % tokens


def _payer(bucket: int, token: bytes) -> list[Command]:
    epoch = keys.epoch(bucket)
    return [
        ("MGET", epoch, keys.tag(bucket) + b"request:" + token.hex().encode()),
        ("HMGET", keys.account(token), *_STATE, "hours", "pairs"),
        ("HGETALL", keys.list_entries(token)),
        ("GET", epoch),
    ]


def _payee(bucket: int, token: bytes) -> list[Command]:
    epoch = keys.epoch(bucket)
    return [
        ("GET", epoch),
        ("HMGET", keys.account(token), *_STATE),
        ("HGETALL", keys.list_entries(token)),
        ("GET", epoch),
    ]


def contact(token: bytes) -> Command:
    """Return the command of which `CONTACT` is the template."""
    return ("HGETALL", keys.list_entries(token))


def link(token: bytes) -> Command:
    """Return the command of which `LINK` is the template."""
    return ("HMGET", keys.link(token), "seq", "seen")


PAYER: Final = Template(_payer)
"""Reads epoch and stored request; seq, out, in, reports, days, hours and pairs; list entries; epoch
again. Filled with the digest of the request, and twice with the account."""
PAYEE: Final = Template(_payee)
"""Reads epoch; seq, out, in, reports and days; list entries; epoch again. Filled with the account,
twice."""
CONTACT: Final = Template(lambda _bucket, token: [contact(token)])
"""Reads the list entries on a token."""
LINK: Final = Template(lambda _bucket, token: [link(token)])
"""Reads seq and seen of a link."""
