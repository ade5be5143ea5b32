"""The bank's traffic is valid, skewed, the same for a seed, and follows the answers."""

import random
from collections import Counter

import pytest

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1.scoring_pb2 import Decision, ScoreTransferResponse
from fanzha_loadtest.soak.closed_bank import ClosedBank
from fanzha_loadtest.traffic.afterwards import execution_of, leaves, outcome_of, word_of
from fanzha_loadtest.traffic.attempts import Attempts
from fanzha_loadtest.traffic.bank import Bank, Size
from fanzha_loadtest.traffic.habits import CHANNELS, HABITS, WITH_PAYEE

SIZE = Size(accounts=1_000, skew=1.0, collecting=5, mules=3)


def drawn(bank: Bank, seed: int = 1) -> Attempts:
    return Attempts(bank, random.Random(seed), "t")


def test_frequent_payers_pay_far_more_often() -> None:
    bank, rng = Bank(SIZE), random.Random(2)

    often = Counter(bank.payer(rng) for _ in range(20_000))

    assert sum(often[number] for number in range(10)) > 0.3 * 20_000
    assert all(0 <= number < 1_000 for number in often)


def test_a_bank_without_skew_is_even() -> None:
    bank, rng = Bank(Size(1_000, 0.0, 5, 3)), random.Random(2)

    often = Counter(bank.payer(rng) for _ in range(20_000))

    assert sum(often[number] for number in range(10)) < 0.02 * 20_000


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("bank", [Bank(SIZE), ClosedBank(SIZE)], ids=["open", "closed"])
def test_nobody_pays_an_account_from_itself(channel: str, bank: Bank) -> None:
    attempts = drawn(bank)

    for _ in range(2_000):
        transfer = attempts.honest(channel).request.transfer
        assert transfer.payer.account != transfer.payee.account
        assert (transfer.kind in WITH_PAYEE) == bool(transfer.payee.account)
        assert 0 < transfer.amount.minor_units <= 100 * HABITS[channel].most_yuan


def test_the_same_seed_draws_the_same_transfers() -> None:
    first, second = drawn(Bank(SIZE)), drawn(Bank(SIZE))

    for _ in range(50):
        one, other = first.honest("mobile").request, second.honest("mobile").request
        one.transfer.create_time.CopyFrom(other.transfer.create_time)
        assert one == other


def test_victims_pay_few_mules_with_a_scammer_on_the_line() -> None:
    attempts = drawn(Bank(SIZE))

    wave = [attempts.victim("mobile").request.transfer for _ in range(500)]

    assert len({transfer.payee.account for transfer in wave}) == 3
    assert sum(transfer.session.call_in_progress for transfer in wave) > 300
    assert sum(transfer.session.screen_shared for transfer in wave) > 200


@pytest.mark.parametrize(
    ("decision", "least", "most"),
    [
        (Decision.DECISION_ALLOW, 1.0, 1.0),
        (Decision.DECISION_CONFIRM, 0.85, 0.97),
        (Decision.DECISION_PAUSE, 0.0, 0.0),
        (Decision.DECISION_BLOCK, 0.0, 0.0),
        # What a client does not know counts as PAUSE.
        (9, 0.0, 0.0),
    ],
)
def test_customers_honour_the_decision(
    decision: "Decision.ValueType", least: float, most: float
) -> None:
    response, rng = ScoreTransferResponse(decision_id="d", decision=decision), random.Random(3)

    left = [leaves(response, rng, is_fraud=False) for _ in range(1_000)]

    assert least <= sum(left) / 1_000 <= most
    report = execution_of(response, left=left[0])
    posted = report.status == outcomes.EXECUTION_STATUS_POSTED
    assert posted is left[0]
    assert word_of(response) == ("other" if decision == 9 else word_of(response))


def test_what_was_not_paid_is_no_confirmed_fraud() -> None:
    response = ScoreTransferResponse(decision_id="d", decision=Decision.DECISION_PAUSE)

    stated = outcome_of(response, left=False, is_fraud=True).outcome
    paid = outcome_of(response, left=True, is_fraud=True).outcome

    assert stated.type == outcomes.OUTCOME_TYPE_CUSTOMER_CANCELLED
    assert paid.type == outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD
