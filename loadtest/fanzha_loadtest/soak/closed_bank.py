"""A bank that nobody joins: state per account fills up early, and is a plateau from then on."""

import random

from fanzha.v1 import transfer_pb2 as wire
from fanzha_loadtest.traffic.bank import Bank


class ClosedBank(Bank):
    """Who is paid is always one of the customers, of the hot accounts, or of the mules."""

    def stranger(self, payer: int, rng: random.Random) -> wire.Party:
        """Draw a payee whom this payer may not know, but the bank does."""
        return self.party(self.another(rng.randrange(self.size.accounts), payer))
