"""Warnings that people meet before they pay, and what they do then.

The obvious are warned more often. Of victims who were warned some 60 % still pay (Alipay, 2019):
some insist, some were coached and come back in smaller parts or by another way, the others stop,
and so does their story. Honest people meet warnings as well, and mostly insist.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import (
    Channel,
    ExecutionStatus,
    FraudType,
    OutcomeType,
    PartyType,
    TransferKind,
)
from fanzha_training.simulate.accounts import AccountBook
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.period import MINUTE_MS
from fanzha_training.simulate.plan import UNSET, YUAN, Movement, Plan
from fanzha_training.simulate.scripts.stage import Stage

NOT_WARNED, STOPPED, COACHED, INSISTED = "not warned", "stopped", "coached", "insisted"
_STAFFED: Final = (Channel.COUNTER, Channel.SMART_TELLER)
_SIGNALS: Final = ("call_in_progress", "screen_shared", "remote_control", "new_device")
_QUIET: Final = 0.3
"""How much less likely a payment without signals is to be warned of."""
_MOST: Final = 0.5
# Scripts whose victims are told beforehand what the bank will ask.
_COACHING: Final = frozenset(
    {
        FraudType.IMPERSONATED_AUTHORITY,
        FraudType.CASH_OR_GOLD_HANDOVER,
        FraudType.FAKE_INVESTMENT,
        FraudType.ROMANCE,
    }
)
_HONEST_STOPS: Final = 0.07
"""Share of honest people who give up a payment after a warning."""


def warn_victim(stage: Stage, fraud_type: FraudType, rng: np.random.Generator) -> str:
    """Let the victim meet warnings; changes the movements on the stage.

    Returns:
        What came of the last warning: STOPPED, COACHED, INSISTED or NOT_WARNED.
    """
    kept: list[Movement] = []
    response = NOT_WARNED
    step = 0
    for movement in sorted(stage.movements, key=lambda movement: movement.time_ms):
        if not movement.is_fraud:
            kept.append(movement)
            continue
        warned = rng.random() < _obviousness(movement, step, quiet=stage.quiet)
        step += 1
        if not warned:
            kept.append(movement)
            continue
        response = _response(fraud_type, rng)
        if response == INSISTED:
            advised = rng.random() < 0.3
            movement.warning = (
                OutcomeType.VICTIM_REFUSED_ADVICE if advised else OutcomeType.CUSTOMER_INSISTED
            )
            kept.append(movement)
            continue
        parts = _again(stage, movement, rng) if response == COACHED else []
        _give_up(movement, by_teller=response == STOPPED)
        kept.append(movement)
        kept.extend(parts)
        if response == STOPPED:
            kept = [earlier for earlier in kept if earlier.time_ms <= movement.time_ms]
            break
    stage.movements = kept
    return response


def _obviousness(movement: Movement, step: int, *, quiet: bool) -> float:
    """Return how likely this attempt meets a warning."""
    likely: float = 0.02 + 0.02 * step
    likely += 0.08 * sum(getattr(movement, signal) == 1 for signal in _SIGNALS)
    if movement.channel in _STAFFED:
        likely += 0.15
    large = movement.share >= 0.6 if movement.share else movement.amount_minor >= 20_000 * YUAN
    if large:
        likely += 0.10
    return min(_MOST, likely * (_QUIET if quiet else 1.0))


def _response(fraud_type: FraudType, rng: np.random.Generator) -> str:
    coached = 0.45 if fraud_type in _COACHING else 0.2
    return str(rng.choice([STOPPED, COACHED, INSISTED], p=[0.4, coached, 0.6 - coached]))


def _give_up(movement: Movement, *, by_teller: bool) -> None:
    movement.fate = ExecutionStatus.FAILED
    staffed = movement.channel in _STAFFED
    movement.warning = (
        OutcomeType.STOPPED_BY_TELLER if by_teller and staffed else OutcomeType.CUSTOMER_CANCELLED
    )


def _again(stage: Stage, movement: Movement, rng: np.random.Generator) -> list[Movement]:
    """Return the attempts with which a coached victim comes back minutes later."""
    parts = int(rng.integers(1, 4))
    channel = movement.channel
    if movement.kind == TransferKind.TRANSFER and (channel in _STAFFED or rng.random() < 0.2):
        channel = Channel.ONLINE if channel == Channel.MOBILE else Channel.MOBILE
    time_ms = movement.time_ms
    again = []
    for _ in range(parts):
        time_ms += int(rng.uniform(3, 25) * MINUTE_MS)
        again.append(
            replace(
                movement,
                time_ms=time_ms,
                key=next(stage.keys),
                channel=channel,
                share=movement.share / parts,
                amount_minor=-(-movement.amount_minor // (parts * YUAN)) * YUAN,
                # "Hang up, and use the other telephone."
                call_in_progress=UNSET if rng.random() < 0.5 else movement.call_in_progress,
            )
        )
    return again


def warn_honest(plan: Plan, book: AccountBook, rng: np.random.Generator) -> None:
    """Let honest people meet warnings, in place: large sums, calls, shared screens, new devices."""
    count = len(plan)
    payer = plan.ints("payer")
    asked = plan.ints("amount_minor")
    share = plan.floats("share")
    of_balance = (share * book["balance_minor"][payer]).astype(np.int64)
    amount = np.where(
        share == 0, asked, np.where(asked == 0, of_balance, np.minimum(asked, of_balance))
    )
    likely = np.select(
        [amount >= 50_000 * YUAN, amount >= 10_000 * YUAN, amount >= 2_000 * YUAN],
        [0.06, 0.02, 0.004],
        0.0001,
    )
    signals = np.zeros(count, dtype=np.int64)
    for signal in _SIGNALS:
        signals += plan.ints(signal) == 1
    likely *= 1.0 + 6.0 * signals
    likely *= np.where(np.isin(plan.ints("channel"), _STAFFED), 2.0, 1.0)
    asked_of = np.isin(
        plan.ints("kind"),
        [TransferKind.TRANSFER, TransferKind.CASH_WITHDRAWAL, TransferKind.GOLD_PURCHASE],
    )
    # Tax, power and hospitals are never asked about (反电信网络诈骗法 protects basic payments).
    essential = book["type"][plan.ints("payee")] == PartyType.BILLER
    honest = ~plan.bools("is_fraud") & ~plan.bools("is_mule_flow") & (book["ours"][payer] == 1)
    warned = honest & asked_of & ~essential & happens(rng, np.minimum(_MOST, likely), count)
    stops = warned & happens(rng, _HONEST_STOPS, count)
    plan.ints("warning")[warned] = OutcomeType.CUSTOMER_INSISTED
    plan.ints("warning")[stops] = OutcomeType.CUSTOMER_CANCELLED
    plan.ints("fate")[stops] = ExecutionStatus.FAILED
