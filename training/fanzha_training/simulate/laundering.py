"""What mules do with a victim's money: to a second layer within minutes, then out of the bank."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel, TransferKind, TransferSpeed
from fanzha_training.simulate.mules import Ring
from fanzha_training.simulate.period import HOUR_MS, MINUTE_MS
from fanzha_training.simulate.plan import YUAN, Movement
from fanzha_training.simulate.remarks import remark
from fanzha_training.simulate.world import World

_ATM_LIMIT_MINOR: Final = 5_000 * YUAN
_BAIT_MINOR: Final = 200 * YUAN
_SMALL_MINOR: Final = 1_000 * YUAN
"""Below this a payment is passed on in one piece."""


class Launderer:
    """Passes on what victims paid, layer by layer, until it leaves the bank."""

    def __init__(self, world: World, rng: np.random.Generator, keys: Iterator[int]) -> None:
        """Take the world, chance, and a source of keys for movements."""
        self._world = world
        self._rng = rng
        self._keys = keys

    def pass_on(self, ring: Ring, payment: Movement) -> list[Movement]:
        """Return what the mule does with a victim's payment: 80 to 95 % moves on in minutes.

        Bait is too small to bother, and nothing is seen of mules at other banks.
        """
        mule = payment.payee
        rng = self._rng
        bait = payment.share == 0 and payment.amount_minor < _BAIT_MINOR
        if bait or not self._is_ours(mule):
            return []
        moves = []
        if rng.random() < 0.3:
            moves.append(self._test(ring, payment))
        # A payment in normal speed takes up to two hours to arrive.
        wait = 2 * HOUR_MS if payment.speed == TransferSpeed.NORMAL else 0
        time_ms = payment.time_ms + wait + int(rng.integers(2 * MINUTE_MS, 25 * MINUTE_MS))
        small = payment.share == 0 and payment.amount_minor < _SMALL_MINOR
        parts = 1 if small else int(rng.integers(1, 4))
        weights = rng.dirichlet(np.full(parts, 4.0)) * rng.uniform(0.80, 0.95)
        for weight in weights:
            move = Movement(
                time_ms=time_ms,
                payer=mule,
                payee=ring.second_layer(rng, time_ms),
                share=float(weight),
                share_of=payment.key,
                key=next(self._keys),
                can_cut=True,
                speed=TransferSpeed.REAL_TIME,
                device=self._device(ring),
                remark=int(rng.choice([remark(""), remark("转账"), remark("货款")])),
                is_mule_flow=True,
            )
            moves.append(move)
            moves.extend(self._leave(ring, move))
            time_ms += int(rng.integers(MINUTE_MS // 2, 4 * MINUTE_MS))
        return moves

    def _is_ours(self, account: int) -> bool:
        return bool(self._world.book["ours"][account] == 1)

    def _device(self, ring: Ring) -> int:
        return ring.devices[int(self._rng.integers(len(ring.devices)))]

    def _test(self, ring: Ring, payment: Movement) -> Movement:
        """Send a few yuan minutes before, to see that the account still works."""
        before_ms = int(self._rng.integers(3 * MINUTE_MS, 40 * MINUTE_MS))
        return Movement(
            time_ms=payment.time_ms - before_ms,
            payer=ring.second_layer(self._rng, payment.time_ms),
            payee=payment.payee,
            amount_minor=int(self._rng.integers(1, 10)) * YUAN,
            device=self._device(ring),
            is_mule_flow=True,
        )

    def _leave(self, ring: Ring, source: Movement) -> list[Movement]:
        """Turn money of a second-layer account here into cash, gold or virtual assets."""
        mule = source.payee
        if not self._is_ours(mule):
            return []
        rng = self._rng
        if rng.random() < 0.55:
            return self._draw_cash(source)
        kinds = (TransferKind.TRANSFER, TransferKind.GOLD_PURCHASE, TransferKind.OVERSEAS_USE)
        kind = kinds[int(rng.choice(3, p=[0.7, 0.15, 0.15]))]
        places = self._world.places
        payees = {
            TransferKind.TRANSFER: int(rng.choice(places.coin_merchants)),
            TransferKind.GOLD_PURCHASE: int(rng.choice(places.gold_shops)),
        }
        leaving = Movement(
            time_ms=source.time_ms + int(rng.integers(2 * MINUTE_MS, 40 * MINUTE_MS)),
            payer=mule,
            kind=kind,
            share=float(rng.uniform(0.85, 0.98)),
            share_of=source.key,
            can_cut=True,
            device=self._device(ring),
            is_mule_flow=True,
        )
        if kind in payees:
            leaving.payee = payees[kind]
        return [leaving]

    def _draw_cash(self, source: Movement) -> list[Movement]:
        """Draw cash at a machine, a few thousand yuan at a time, minutes apart."""
        rng = self._rng
        branch = int(rng.integers(self._world.places.branches))
        time_ms = source.time_ms
        moves = []
        draws = int(rng.integers(2, 5))
        for _ in range(draws):
            time_ms += int(rng.integers(MINUTE_MS, 15 * MINUTE_MS))
            moves.append(
                Movement(
                    time_ms=time_ms,
                    payer=source.payee,
                    kind=TransferKind.CASH_WITHDRAWAL,
                    channel=Channel.ATM,
                    share=0.95 / draws,
                    share_of=source.key,
                    amount_minor=_ATM_LIMIT_MINOR,
                    round_minor=100 * YUAN,
                    branch=branch,
                    is_mule_flow=True,
                )
            )
        return moves
