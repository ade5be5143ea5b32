"""What mules do with a victim's money: collected, dispersed within minutes, then out of the bank.

Layer 1 collects and passes on; layer 2 splits, under the limits at which banks look closer; layer 3
turns it into cash, gold, spending abroad or virtual assets. Some rings take hours instead of
minutes, and leave small sums for later.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel, PartyType, TransferKind, TransferSpeed
from fanzha_training.simulate.period import HOUR_MS, MINUTE_MS
from fanzha_training.simulate.plan import NOBODY, YUAN, Movement
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.rings import Ring
from fanzha_training.simulate.world import World

_BAIT_MINOR: Final = 200 * YUAN
_SMALL_MINOR: Final = 1_000 * YUAN
"""Below this a payment is passed on in one piece."""
_UNDER_LIMITS: Final = (49_900, 49_800, 49_500, 48_000, 45_000, 19_900, 9_900)
"""Sums in yuan just under 50,000, 20,000 and 10,000, above which banks ask or report."""
_SPLITS: Final = 0.3
"""Share of payments that are split into many parts, each below a limit."""
_ATM_DRAWS: Final = (2_000, 2_500, 3_000, 5_000)
_SLOW: Final = 0.3
"""Share of payments that a mule sits on for hours."""
_LEFT: Final = 0.08
"""Share of payments that stay in the account: it was frozen, or the mule kept them."""


class Launderer:
    """Passes on what victims paid, layer by layer, until it leaves the bank."""

    def __init__(self, world: World, rng: np.random.Generator, keys: Iterator[int]) -> None:
        """Take the world, chance, and a source of keys for movements."""
        self._world = world
        self._rng = rng
        self._keys = keys

    def pass_on(self, ring: Ring, payment: Movement) -> list[Movement]:
        """Return what the mule does with a victim's payment.

        Bait is too small to bother, cash and gold meet no mule's account, and nothing is seen of
        mules at other banks.
        """
        rng = self._rng
        bait = payment.share == 0 and payment.amount_minor < _BAIT_MINOR
        if bait or payment.kind != TransferKind.TRANSFER or not self._is_ours(payment.payee):
            return []
        moves = []
        if rng.random() < 0.25:
            moves.append(self._test(ring, payment))
        if rng.random() < 0.25:
            other = self._elsewhere_victim(payment)
            moves += [other, *self._collected(ring, other)]
        return moves + self._collected(ring, payment)

    def _collected(self, ring: Ring, payment: Movement) -> list[Movement]:
        """Pass on what the first layer has collected, now, in hours, or not at all."""
        rng = self._rng
        if rng.random() < _LEFT:
            return []
        # A payment in normal speed takes up to two hours to arrive.
        wait_ms = 2 * HOUR_MS if payment.speed == TransferSpeed.NORMAL else 0
        wait_ms += (
            int(rng.uniform(1, 10) * HOUR_MS)
            if rng.random() < _SLOW
            else int(rng.uniform(1, 20) * MINUTE_MS)
        )
        small = payment.share == 0 and payment.amount_minor < _SMALL_MINOR
        return self._layer(ring, payment, payment.time_ms + wait_ms, 2, 1 if small else 3)

    def _layer(
        self, ring: Ring, source: Movement, time_ms: int, layer: int, parts_max: int
    ) -> list[Movement]:
        """Move what `source` brought to accounts of the next layer, and on from there."""
        rng = self._rng
        moves = []
        splits = parts_max > 1 and rng.random() < _SPLITS
        limit = int(rng.choice(_UNDER_LIMITS)) * YUAN if splits else 0
        parts = int(rng.integers(2, 6)) if splits else int(rng.integers(1, parts_max + 1))
        company = self._world.book["type"][source.payee] == PartyType.COMPANY
        for weight in rng.dirichlet(np.full(parts, 4.0)) * rng.uniform(0.80, 0.99):
            move = Movement(
                time_ms=time_ms,
                payer=source.payee,
                payee=ring.behind(rng, time_ms, layer),
                share=float(weight),
                share_of=source.key,
                amount_minor=limit,
                round_minor=int(rng.choice([1, YUAN, 100 * YUAN])),
                key=next(self._keys),
                can_cut=True,
                channel=Channel.ONLINE if company else Channel.MOBILE,
                speed=TransferSpeed.REAL_TIME,
                remark=int(
                    rng.choice([remark(""), remark("转账"), remark("货款"), remark("还款")])
                ),
                is_mule_flow=True,
            )
            if move.payee == move.payer:
                continue
            ring.sign_in(rng, move)
            moves.append(move)
            moves += self._go_on(ring, move, layer)
            time_ms += int(rng.uniform(0.5, 6) * MINUTE_MS)
        return moves

    def _go_on(self, ring: Ring, source: Movement, layer: int) -> list[Movement]:
        """Disperse further, or turn into what banks no longer see."""
        if not self._is_ours(source.payee):
            return []
        time_ms = source.time_ms + int(self._rng.lognormal(2.2, 0.9) * MINUTE_MS)
        if layer == 2 and self._rng.random() < 0.65:
            return self._layer(ring, source, time_ms, 3, 2)
        return self._leave(ring, source, time_ms)

    def _is_ours(self, account: int) -> bool:
        return account != NOBODY and bool(self._world.book["ours"][account] == 1)

    def _test(self, ring: Ring, payment: Movement) -> Movement:
        """Send a few yuan minutes before, to see that the account still works."""
        rng = self._rng
        test = Movement(
            time_ms=payment.time_ms - int(rng.integers(3 * MINUTE_MS, 40 * MINUTE_MS)),
            payer=ring.behind(rng, payment.time_ms, 2),
            payee=payment.payee,
            amount_minor=int(rng.integers(1, 10)) * YUAN,
            is_mule_flow=True,
        )
        ring.sign_in(rng, test)
        return test

    def _elsewhere_victim(self, payment: Movement) -> Movement:
        """Let a victim of another bank pay the same account; this bank sees money come in."""
        rng = self._rng
        return Movement(
            time_ms=payment.time_ms + int(rng.uniform(-6, 6) * HOUR_MS),
            payer=int(rng.choice(self._world.places.strangers)),
            payee=payment.payee,
            amount_minor=max(1, int(rng.lognormal(7.6, 1.2))) * YUAN,
            key=next(self._keys),
            is_mule_flow=True,
        )

    def _leave(self, ring: Ring, source: Movement, time_ms: int) -> list[Movement]:
        """Turn money of a mule's account into cash, gold, spending abroad or virtual assets."""
        rng = self._rng
        if rng.random() < 0.5:
            return self._draw_cash(source, time_ms)
        kinds = (TransferKind.TRANSFER, TransferKind.GOLD_PURCHASE, TransferKind.OVERSEAS_USE)
        kind = kinds[int(rng.choice(3, p=[0.7, 0.15, 0.15]))]
        places = self._world.places
        payees = {
            TransferKind.TRANSFER: int(rng.choice(places.coin_merchants)),
            TransferKind.GOLD_PURCHASE: int(rng.choice(places.gold_shops)),
            TransferKind.OVERSEAS_USE: NOBODY,
        }
        leaving = Movement(
            time_ms=time_ms,
            payer=source.payee,
            payee=payees[kind],
            kind=kind,
            share=float(rng.uniform(0.7, 0.98)),
            share_of=source.key,
            can_cut=True,
            is_mule_flow=True,
        )
        ring.sign_in(rng, leaving)
        return [leaving]

    def _draw_cash(self, source: Movement, time_ms: int) -> list[Movement]:
        """Draw cash at a machine, a few thousand yuan at a time, minutes apart."""
        rng = self._rng
        branch = int(rng.integers(self._world.places.branches))
        draw_minor = int(rng.choice(_ATM_DRAWS)) * YUAN
        draws = int(rng.integers(1, 6))
        moves = []
        for _ in range(draws):
            moves.append(
                Movement(
                    time_ms=time_ms,
                    payer=source.payee,
                    kind=TransferKind.CASH_WITHDRAWAL,
                    channel=Channel.ATM,
                    share=1.0 / draws,
                    share_of=source.key,
                    amount_minor=draw_minor,
                    round_minor=100 * YUAN,
                    can_cut=True,
                    branch=branch,
                    is_mule_flow=True,
                )
            )
            time_ms += int(rng.uniform(0.7, 4) * MINUTE_MS)
        return moves
