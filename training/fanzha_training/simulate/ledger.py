"""Plays all planned movements in the order of time and keeps the balances of this bank's accounts.

No balance ever falls below zero: what cannot be paid is cut, fails, or is given up by its planner.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import ExecutionStatus, TransferKind, TransferSpeed
from fanzha_training.simulate.accounts import AccountBook
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.period import DAY_MS, HOUR_MS, MINUTE_MS
from fanzha_training.simulate.plan import NOBODY, UNKNOWN, YUAN, Bools, Ints, Plan

_TRIES_ANYWAY: Final = 0.05
"""Share of unaffordable payments that are tried and fail; the others are not even tried."""
_TECHNICAL_FAILURE: Final = 0.002
_REVERSAL: Final = 0.0004
_CUT_LEAST_MINOR: Final = 100 * YUAN
"""Below this nothing is left worth paying."""


@dataclass(frozen=True, slots=True)
class Played:
    """What became of the plan: one entry for each movement that was tried, in order of time."""

    plan: Plan
    amount_minor: Ints
    balance_before_minor: Ints
    """UNKNOWN for accounts at other banks, and where the channel did not say."""
    execution: Ints
    execution_time_ms: Ints
    given_up: int
    """Movements that were planned and never tried."""


def play(plan: Plan, book: AccountBook, rng: np.random.Generator) -> Played:
    """Play the plan. The book's balances are left as they were at the start."""
    plan = plan.rows(np.argsort(plan.ints("time_ms"), kind="stable"))
    count = len(plan)
    delay_ms = _delays(plan, rng)
    fate = np.full(count, ExecutionStatus.POSTED, dtype=np.int64)
    fate[happens(rng, _TECHNICAL_FAILURE, count)] = ExecutionStatus.FAILED
    transfers = plan.ints("kind") == TransferKind.TRANSFER
    fate[happens(rng, _REVERSAL, count) & transfers] = ExecutionStatus.REVERSED
    settled = plan.ints("fate") != ExecutionStatus.UNSPECIFIED
    fate[settled] = plan.ints("fate")[settled]
    tries_anyway = happens(rng, _TRIES_ANYWAY, count)
    amount, before = _settle(plan, book, delay_ms, fate, tries_anyway)
    tried = amount > 0
    # Money that comes back was away for hours; its way is not followed in the balances.
    reversed_later = fate == ExecutionStatus.REVERSED
    delay_ms[reversed_later] += rng.integers(HOUR_MS, DAY_MS, size=int(reversed_later.sum()))
    before[happens(rng, 0.06, count)] = UNKNOWN
    return Played(
        plan=plan.rows(tried),
        amount_minor=amount[tried],
        balance_before_minor=before[tried],
        execution=fate[tried],
        execution_time_ms=(plan.ints("time_ms") + delay_ms)[tried],
        given_up=int(count - tried.sum()),
    )


def _delays(plan: Plan, rng: np.random.Generator) -> Ints:
    """Return after how long (ms) each movement is executed."""
    count = len(plan)
    speed = plan.ints("speed")
    soon = rng.integers(1_000, 6_000, size=count)
    normal = rng.integers(MINUTE_MS, 2 * HOUR_MS, size=count)
    later = DAY_MS + rng.integers(0, 2 * HOUR_MS, size=count)
    return np.select(
        [speed == TransferSpeed.NEXT_DAY, speed == TransferSpeed.NORMAL], [later, normal], soon
    )


class _Ledger:
    """Balances while the plan is played. Plain lists: numpy is slow for one element at a time."""

    def __init__(self, plan: Plan, book: AccountBook, fate: Ints, tries_anyway: Bools) -> None:
        self._payer: list[int] = plan.ints("payer").tolist()
        self._payee: list[int] = plan.ints("payee").tolist()
        self._asked: list[int] = plan.ints("amount_minor").tolist()
        self._share: list[float] = plan.floats("share").tolist()
        self._share_of: list[int] = plan.ints("share_of").tolist()
        self._key: list[int] = plan.ints("key").tolist()
        self._round: list[int] = plan.ints("round_minor").tolist()
        self._can_cut: list[bool] = plan.bools("can_cut").tolist()
        self._tries_anyway: list[bool] = tries_anyway.tolist()
        self._ours: list[bool] = (book["ours"] == 1).tolist()
        self._balance: list[int] = book["balance_minor"].tolist()
        self._paid_by_key: dict[int, int] = {}
        self.fate: list[int] = fate.tolist()
        self.amount = [0] * len(plan)
        self.before = [UNKNOWN] * len(plan)

    def pay(self, index: int) -> None:
        """Let the payer try the movement."""
        payer = self._payer[index]
        wanted = self._wanted(index)
        if not self._ours[payer]:
            self._record(index, wanted)
            return
        balance = self._balance[payer]
        self.before[index] = balance
        if wanted > balance:
            if self._can_cut[index]:
                rest = balance // _CUT_LEAST_MINOR * _CUT_LEAST_MINOR
                wanted = min(wanted, rest)
            elif self._tries_anyway[index] and self._share[index] == 0:
                self.fate[index] = ExecutionStatus.FAILED
            else:
                wanted = 0
        self._record(index, wanted)
        if self.fate[index] == ExecutionStatus.POSTED:
            self._balance[payer] -= wanted

    def arrive(self, index: int) -> None:
        """Let the money arrive that left with the movement."""
        payee = self._payee[index]
        if payee != NOBODY and self.fate[index] == ExecutionStatus.POSTED:
            self._balance[payee] += self.amount[index]

    def _wanted(self, index: int) -> int:
        share = self._share[index]
        asked = self._asked[index]
        if share <= 0:
            return asked
        source = self._share_of[index]
        whole = (
            self._balance[self._payer[index]]
            if source == NOBODY
            else self._paid_by_key.get(source, 0)
        )
        step = self._round[index]
        wanted = int(whole * share) // step * step
        return min(wanted, asked) if asked else wanted

    def _record(self, index: int, amount: int) -> None:
        self.amount[index] = amount
        key = self._key[index]
        if key != NOBODY and self.fate[index] == ExecutionStatus.POSTED:
            self._paid_by_key[key] = amount


def _settle(
    plan: Plan, book: AccountBook, delay_ms: Ints, fate: Ints, tries_anyway: Bools
) -> tuple[Ints, Ints]:
    """Return what was tried (0: nothing) and the balance before; writes failures to `fate`."""
    count = len(plan)
    ledger = _Ledger(plan, book, fate, tries_anyway)
    time_ms = plan.ints("time_ms")
    # Entries below `count` are payments, the others the arrival of their money.
    order = np.argsort(np.concatenate([time_ms, time_ms + delay_ms]), kind="stable")
    for entry in order.tolist():
        if entry < count:
            ledger.pay(entry)
        else:
            ledger.arrive(entry - count)
    fate[:] = ledger.fate
    return np.array(ledger.amount, dtype=np.int64), np.array(ledger.before, dtype=np.int64)
