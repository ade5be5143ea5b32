"""Amounts at the edge of int64, unknown values and kinds: kernel, oracle and plain numbers."""

from dataclasses import fields, replace
from fractions import Fraction

import pytest
from tests.oracle.features import FEATURES
from tests.oracle.records import Event, Request
from tests.oracle.time import DAY_MS, HOUR_MS
from tests.oracle.value import Value
from tests.oracle_streams import AMOUNTS
from tests.oracle_world import World

from fanzha.domain.vocabulary import Channel, ExecutionStatus, TransferKind

NOW_MS = 1_795_000_000_000
PAYER, PAYEE, OTHER = 1, 2, 3
MOST = 2**63 - 1
ASKED = Request(
    NOW_MS, 0, 1000, TransferKind.TRANSFER, Channel.ONLINE, payer_id=PAYER, payee_id=PAYEE
)


def judged(world: World, **changed: int) -> dict[str, Value]:
    """Return what the oracle says, once the kernel has said the same."""
    said = world.judge(replace(ASKED, **changed))
    assert world.differences() == []
    return said


def event(number: int, amount: int, other: int = OTHER, ago_ms: int = HOUR_MS) -> Event:
    return Event(number, NOW_MS - ago_ms, amount, other)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_amounts_are_rounded_once(amount: int) -> None:
    world = World()
    world.attempt(PAYER, event(1, amount))
    world.receive(PAYER, event(1, amount))
    world.receive(PAYEE, event(1, amount))

    said = judged(world, amount_minor=amount, balance_before_minor=MOST)

    assert said["amount_minor"] == said["out_sum_24h"] == said["out_sum_31d"] == amount
    assert said["in_sum_31d"] == said["payee_in_sum_today"] == amount
    assert said["balance_left_minor"] == MOST - amount
    assert said["out_mean_30d"] == amount
    assert said["amount_over_least_24h"] == 1


@pytest.mark.parametrize("amount", AMOUNTS)
def test_the_balance_left_may_be_below_zero(amount: int) -> None:
    said = judged(World(), amount_minor=amount, balance_before_minor=0)

    assert said["balance_left_minor"] == -amount
    assert said["balance_share"] is None


def test_sums_of_payments_stay_at_the_most() -> None:
    world = World()
    for number, amount in enumerate((2**62, 2**62 - 1, 2)):
        world.attempt(PAYER, event(number, amount))
        world.receive(PAYER, replace(event(number, amount), same_owner=True))
        world.receive(PAYEE, event(number, amount))
        said = judged(world, balance_before_minor=MOST)
        paid = min((2**62, MOST, MOST + 2)[number], MOST)

        assert said["out_sum_1h"] == said["out_sum_7d"] == said["out_sum_31d"] == paid
        assert said["payee_in_sum_24h"] == said["payee_in_sum_31d"] == paid
        assert said["inflow_own_24h"] == paid
        assert said["drained_24h"] == Fraction(paid + 1000, paid + MOST)

    # What is taken back is taken from where it stayed.
    world.executed_out(PAYER, event(0, 2**62), ExecutionStatus.REVERSED)
    said = judged(world)
    assert said["out_sum_today"] == MOST - 2**62
    assert said["out_sum_24h"] == 2**62 + 1


def test_sums_never_fall_below_zero() -> None:
    world = World()
    world.attempt(PAYER, event(1, MOST), event(2, MOST))
    for number in (1, 2):
        world.executed_out(PAYER, event(number, MOST), ExecutionStatus.FAILED)
        assert judged(world)["out_sum_today"] == 0
    assert judged(world)["out_count_today"] == 0


def test_days_together_stay_at_the_most() -> None:
    world = World()
    for number, days in enumerate((0, 1, 2)):
        world.attempt(PAYER, event(number, MOST, ago_ms=days * DAY_MS))

    said = judged(world)

    assert (said["out_sum_31d"], said["out_count_31d"], said["out_days_31d"]) == (MOST, 3, 2)


@pytest.mark.parametrize(
    ("paid", "balance", "drained"),
    [(0, 0, None), (0, 2000, Fraction(1, 2)), (500, 0, 3), (500, 1500, Fraction(3, 4))],
)
def test_drained(paid: int, balance: int, drained: Fraction | None) -> None:
    world = World()
    if paid:
        world.attempt(PAYER, event(1, paid))

    assert judged(world, balance_before_minor=balance)["drained_24h"] == drained


@pytest.mark.parametrize("kind", list(TransferKind)[1:])
@pytest.mark.parametrize("same_owner", [None, False, True])
def test_inflow_by_kind_and_owner(kind: TransferKind, same_owner: bool | None) -> None:  # noqa: FBT001
    world = World()
    world.receive(PAYER, replace(event(1, 700), kind=kind, same_owner=same_owner))

    said = judged(world)

    deposit = kind == TransferKind.DEPOSIT_BREAK
    assert said["inflow_loan_24h"] == 700 * (kind == TransferKind.LOAN_PAYOUT)
    assert said["inflow_deposit_24h"] == 700 * deposit
    assert said["inflow_own_24h"] == 700 * (same_owner is True and not deposit)
    assert said["inflow_over_amount_24h"] == Fraction(7, 10)


def test_payments_without_a_payee_are_one_payee_but_no_new_one() -> None:
    world = World()
    world.attempt(PAYER, event(1, 100, 0), event(2, 100, 0), event(3, 100))

    said = judged(world)

    assert (said["out_payees_24h"], said["out_new_payees_24h"]) == (2, 1)


def test_numbers_of_accounts_may_be_any() -> None:
    world = World()
    for number, other in enumerate((1, -1, MOST, -MOST, 2**32, -(2**32))):
        world.attempt(9, event(number, 100, other))
        world.receive(9, event(number, 100, other))

    said = judged(world, payer_id=9, payee_id=-MOST)

    assert said["out_payees_24h"] == said["payer_in_payers_24h"] == 6
    assert said["pair_attempts_24h"] == said["pair_back_count_30d"] == 1


def test_what_was_not_said_is_unknown() -> None:
    bare = Request(NOW_MS, 0, 1000, TransferKind.TRANSFER, Channel.ATM)
    world = World()
    said = world.judge(bare, read_payer=False)
    assert world.differences() == []
    known = {name for name, value in said.items() if value is not None}
    assert known == {
        "amount_minor", "amount_trailing_zeros", "kind", "channel", "hour", "weekday", "month_day",
    }  # fmt: skip


@pytest.mark.parametrize("fact", [field.name for field in fields(Request) if field.default is None])
def test_each_fact_alone_becomes_known(fact: str) -> None:
    world = World()
    world.judge(ASKED)
    said = world.judge(replace(ASKED, **{fact: 1}))

    assert world.differences() == []
    assert list(said) == list(FEATURES)


@pytest.mark.parametrize(
    ("amount", "zeros"),
    [(1, 0), (10, 1), (100, 2), (101, 0), (10**15, 15), (10**18, 18), (MOST, 0)],
)
def test_trailing_zeros(amount: int, zeros: int) -> None:
    assert judged(World(), amount_minor=amount)["amount_trailing_zeros"] == zeros
