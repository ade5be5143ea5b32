"""Which transfers of a batch are judged together, so that each account's own order stays."""

from collections.abc import Sequence
from typing import Final

from fanzha.domain.transfer import Transfer

WAVE_MAX: Final = 64
"""So many transfers a wave holds at most: all of them are judged within one answer's budget."""


def waves(transfers: Sequence[Transfer]) -> list[list[int]]:
    """Return the places of transfers by the wave in which each is judged.

    A wave reads before it commits. So who reads an account that an earlier transfer pays from is in
    a later wave, and who pays from one that an earlier transfer reads is in none before that. What
    a transfer sends to other accounts (receipts, sightings) arrives later in any case.
    """
    found: list[list[int]] = []
    paid: dict[bytes, int] = {}
    read: dict[bytes, int] = {}
    for place, transfer in enumerate(transfers):
        payer = transfer.payer.account
        payee = transfer.payee.account if transfer.payee is not None else b""
        wave = max(paid.get(payer, -1) + 1, paid.get(payee, -1) + 1, read.get(payer, 0))
        while wave < len(found) and len(found[wave]) >= WAVE_MAX:
            wave += 1
        while wave >= len(found):
            found.append([])
        found[wave].append(place)
        paid[payer] = wave
        for account in (payer, payee) if payee else (payer,):
            read[account] = max(wave, read.get(account, 0))
    return found
