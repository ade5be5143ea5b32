"""Draws attempts to move money: an honest customer's, or a victim's with a scammer on the line."""

import random
import time
from dataclasses import dataclass
from typing import Final

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire
from fanzha_loadtest.traffic.bank import Bank, device_of
from fanzha_loadtest.traffic.habits import ELECTRONIC, HABITS, WITH_PAYEE, Habits

_YUAN: Final = 100
_CALL: Final = 0.006
"""Share of honest sessions with a call in progress."""
_NEW_DEVICE: Final = 0.004
_VICTIM_MEDIAN_YUAN: Final = 28_000
_VICTIM_CALL: Final = 0.8
_VICTIM_SCREEN: Final = 0.55
_VICTIM_REMOTE: Final = 0.1
_VICTIM_LIMIT: Final = 0.25
_BRANCHES: Final = 40


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, and what only the one who drew it knows."""

    request: scoring.ScoreTransferRequest
    channel: str
    is_fraud: bool
    payer: int


class Attempts:
    """Draws attempts of one bank; each instance names its requests apart from all others."""

    def __init__(self, bank: Bank, rng: random.Random, name: str) -> None:
        """Say who draws.

        Args:
            bank: whose customers they are.
            rng: the same gives the same attempts, their times aside.
            name: begins the request ids; unique among all that draw for one service.

        """
        self._bank, self._rng, self._name = bank, rng, name
        self._count = 0

    def honest(self, channel: str) -> Attempt:
        """Draw what an honest customer asks for at a channel."""
        rng, habits = self._rng, HABITS[channel]
        payer = self._bank.payer(rng)
        kind = _one_of(rng, habits)
        amount_yuan = min(
            habits.most_yuan, habits.median_yuan * rng.lognormvariate(0, habits.sigma)
        )
        transfer = self._transfer(payer, channel, max(1, int(amount_yuan * _YUAN)))
        transfer.kind = kind
        if kind == wire.TRANSFER_KIND_DEPOSIT_BREAK:
            transfer.payee.CopyFrom(transfer.payer)
            transfer.payer.account = f"D{transfer.payer.account}"
            transfer.payee_same_owner = True
        elif kind == wire.TRANSFER_KIND_LOAN_PAYOUT:
            transfer.payee.CopyFrom(transfer.payer)
            transfer.payer.CopyFrom(wire.Party(account="LENDER-1", type=wire.PARTY_TYPE_COMPANY))
        elif kind in WITH_PAYEE:
            self._pay_somebody(transfer, payer, habits)
        if channel in ELECTRONIC:
            transfer.session.call_in_progress = rng.random() < _CALL
            transfer.session.screen_shared = False
            transfer.session.new_device = rng.random() < _NEW_DEVICE
        return self._attempt(transfer, channel, payer, is_fraud=False)

    def victim(self, channel: str) -> Attempt:
        """Draw what a victim pays to a mule while a scammer listens."""
        rng = self._rng
        # Victims are anybody: the frequent payers not more than others.
        payer = rng.randrange(self._bank.size.accounts)
        amount_yuan = _VICTIM_MEDIAN_YUAN * rng.lognormvariate(0, 0.7)
        transfer = self._transfer(payer, channel, max(1, int(amount_yuan) * _YUAN))
        transfer.kind = wire.TRANSFER_KIND_TRANSFER
        transfer.payee.CopyFrom(self._bank.mule(rng))
        transfer.payee_same_bank = rng.random() < 0.3
        transfer.speed = wire.TRANSFER_SPEED_REAL_TIME
        transfer.balance_before.currency_code = "CNY"
        transfer.balance_before.minor_units = int(transfer.amount.minor_units * 1.1)
        if channel in ELECTRONIC:
            session = transfer.session
            session.call_in_progress = rng.random() < _VICTIM_CALL
            session.screen_shared = rng.random() < _VICTIM_SCREEN
            session.remote_control = rng.random() < _VICTIM_REMOTE
            session.limit_just_raised = rng.random() < _VICTIM_LIMIT
        return self._attempt(transfer, channel, payer, is_fraud=True)

    def _pay_somebody(self, transfer: wire.Transfer, payer: int, habits: Habits) -> None:
        rng = self._rng
        if rng.random() < habits.collecting:
            transfer.payee.CopyFrom(self._bank.collecting(rng))
        elif rng.random() < habits.known:
            transfer.payee.CopyFrom(self._bank.known(payer, rng))
            transfer.payee_name_match = wire.NAME_MATCH_MATCH
        else:
            transfer.payee.CopyFrom(self._bank.stranger(payer, rng))
            transfer.payee_same_bank = False

    def _transfer(self, payer: int, channel: str, amount_minor: int) -> wire.Transfer:
        transfer = wire.Transfer(
            channel=HABITS[channel].channel,
            amount=wire.Money(currency_code="CNY", minor_units=amount_minor),
            payer=self._bank.party(payer),
        )
        if channel in ELECTRONIC:
            transfer.session.device_id = device_of(payer)
        else:
            branch = payer % _BRANCHES
            transfer.branch_id = f"B{branch:03d}"
            transfer.terminal_id = f"T{branch:03d}-{payer % 4}"
        return transfer

    def _attempt(
        self, transfer: wire.Transfer, channel: str, payer: int, *, is_fraud: bool
    ) -> Attempt:
        self._count += 1
        transfer.transfer_id = f"t-{self._name}-{self._count}"
        transfer.create_time.FromMilliseconds(time.time_ns() // 1_000_000)
        request = scoring.ScoreTransferRequest(
            request_id=f"{self._name}-{self._count}", transfer=transfer
        )
        return Attempt(request, channel, is_fraud, payer)


def _one_of(rng: random.Random, habits: Habits) -> "wire.TransferKind.ValueType":
    left = rng.random()
    for kind, share in habits.kinds:
        left -= share
        if left < 0:
            return kind
    return habits.kinds[0][0]
