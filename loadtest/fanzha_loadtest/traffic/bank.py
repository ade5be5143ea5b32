"""Customers and those they pay: a few accounts pay often, and a few collect from very many.

Facts of an account follow from its number alone, so that users in several processes, and repeated
runs, meet the same bank.
"""

import bisect
import random
import zlib
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from fanzha.v1 import transfer_pb2 as wire

_KNOWN: Final = 6
"""Payees whom a customer pays again and again."""
_SEGMENTS: Final = (
    *(wire.CUSTOMER_SEGMENT_WORKER,) * 11,
    *(wire.CUSTOMER_SEGMENT_RETIRED,) * 3,
    *(wire.CUSTOMER_SEGMENT_STUDENT,) * 2,
    *(wire.CUSTOMER_SEGMENT_SHOP_KEEPER,) * 2,
    wire.CUSTOMER_SEGMENT_UNEMPLOYED,
    wire.CUSTOMER_SEGMENT_OTHER,
)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the bank is, and how uneven."""

    accounts: int
    skew: float
    """Zipf's exponent of how often an account pays: 0 is even, 1 as with words of a language."""
    collecting: int
    """Hot accounts that collect from very many: utilities, marketplaces."""
    mules: int
    """Accounts that collect what victims pay."""


class Bank:
    """The accounts of a bank that never was."""

    def __init__(self, size: Size) -> None:
        self.size = size
        weights = (1 / (rank + 1) ** size.skew for rank in range(size.accounts))
        self._often = list(accumulate(weights))
        weights = (1 / (rank + 1) for rank in range(size.collecting))
        self._collecting = list(accumulate(weights))

    def payer(self, rng: random.Random) -> int:
        """Draw who pays, the frequent payers more often."""
        return bisect.bisect(self._often, rng.random() * self._often[-1])

    def collecting(self, rng: random.Random) -> wire.Party:
        """Draw a hot account that is paid; the hottest gets the largest share."""
        number = bisect.bisect(self._collecting, rng.random() * self._collecting[-1])
        kind = wire.PARTY_TYPE_BILLER if number % 2 else wire.PARTY_TYPE_PAYMENT_INSTITUTION
        return wire.Party(account=f"9558{number:08d}", type=kind)

    def mule(self, rng: random.Random) -> wire.Party:
        """Draw an account of the gang; a few of them take most."""
        number = int(self.size.mules * rng.random() ** 2)
        return wire.Party(account=f"6217{number:012d}", type=wire.PARTY_TYPE_PERSON)

    def stranger(self, _payer: int, rng: random.Random) -> wire.Party:
        """Draw a payee whom nobody knows yet."""
        account = f"6228{rng.getrandbits(40):013d}"
        return wire.Party(account=account, type=wire.PARTY_TYPE_PERSON)

    def known(self, payer: int, rng: random.Random) -> wire.Party:
        """Draw one of those whom a payer pays again and again, mostly the first of them."""
        which = int(_KNOWN * rng.random() ** 2)
        return self.party(self.another(facts_of(payer * 31 + which) % self.size.accounts, payer))

    def another(self, number: int, payer: int) -> int:
        """Return a customer, who is not the payer: nobody pays an account from itself."""
        return number if number != payer else (number + 1) % self.size.accounts

    def party(self, number: int) -> wire.Party:
        """Return a customer as one side of a transfer."""
        facts = facts_of(number)
        return wire.Party(
            account=account_of(number),
            person=f"P{number:010d}",
            phone=f"138{number:08d}",
            type=wire.PARTY_TYPE_PERSON,
            segment=_SEGMENTS[facts % len(_SEGMENTS)],
            opening=wire.AccountOpening(
                open_date=wire.Date(
                    year=2008 + facts % 17, month=1 + facts % 12, day=1 + facts % 28
                )
            ),
        )


def account_of(number: int) -> str:
    """Return the account of a customer."""
    return f"6222{number:012d}"


def device_of(number: int) -> str:
    """Return the device on which a customer banks."""
    return f"dev-{facts_of(number):08x}-{number}"


def facts_of(number: int) -> int:
    """Return 32 bits that belong to a number."""
    return zlib.crc32(number.to_bytes(8, "little"))
