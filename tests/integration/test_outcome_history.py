"""Late, repeated, contradicting and withdrawn outcomes through a real service, and what stands."""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import redis
from tests.builders import a_request, a_time
from tests.conftest import Service
from tests.contract.test_served_parity import archive, wait_until_relayed

from fanzha.adapters import keys
from fanzha.domain.vocabulary import Answer, OutcomeSource, OutcomeType
from fanzha.features.layout import ReportRole
from fanzha.transport.identity import Tokens
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc
from fanzha.v1 import transfer_pb2 as wire

DAY_MS = 86_400_000
FRAUD, LEGITIMATE = OutcomeType.CONFIRMED_FRAUD, OutcomeType.CONFIRMED_LEGITIMATE
MULE, INSISTED = OutcomeType.MULE_CONFIRMED, OutcomeType.CUSTOMER_INSISTED
POLICE, REVIEW, CUSTOMER = OutcomeSource.POLICE, OutcomeSource.BANK_REVIEW, OutcomeSource.CUSTOMER
YES, NO, UNDECIDED, NOTHING = Answer.YES, Answer.NO, Answer.UNDECIDED, Answer.UNSPECIFIED
_numbers = itertools.count(1)


@dataclass
class Case:
    """One decision, told of by outcomes; times are days before `now_ms`."""

    service: Service
    now_ms: int
    decision_id: str = ""
    told: int = 0

    def __post_init__(self) -> None:
        number = next(_numbers)
        self.payer, self.payee = f"62220202{number:011}", f"62170000{number:011}"
        scoring = scoring_pb2_grpc.ScoringServiceStub(self.service.channel)
        request = a_request(payer=self.payer, payee=self.payee, time_ms=self.now_ms)
        self.decision_id = str(scoring.ScoreTransfer(request).decision_id)
        self.stub: Any = outcomes_pb2_grpc.OutcomeServiceStub(self.service.channel)

    def tell(self, kind: OutcomeType, source: OutcomeSource, days: float, name: str = "") -> str:
        self.told += 1
        outcome = outcomes.Outcome(
            outcome_id=name or f"o-{self.told}",
            decision_id=self.decision_id,
            type=int(kind),  # type: ignore[arg-type]
            source=int(source),  # type: ignore[arg-type]
            fraud_type=wire.FRAUD_TYPE_ROMANCE,
            report_time=a_time(round(self.now_ms - days * DAY_MS)),
        )
        self.stub.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=outcome))
        return outcome.outcome_id

    def withdraw(self, outcome_id: str, source: OutcomeSource, days: float = 0) -> bool:
        request = outcomes.WithdrawOutcomeRequest(
            decision_id=self.decision_id,
            outcome_id=outcome_id,
            source=int(source),  # type: ignore[arg-type]
            reason="the call was about another payment, 13800138000",
            report_time=a_time(round(self.now_ms - days * DAY_MS)),
        )
        return bool(self.stub.WithdrawOutcome(request).withdrawn)

    def listed(self) -> outcomes.ListOutcomesResponse:
        answer: outcomes.ListOutcomesResponse = self.stub.ListOutcomes(
            outcomes.ListOutcomesRequest(decision_id=self.decision_id)
        )
        return answer

    def answers(self) -> tuple[Answer, Answer]:
        listed = self.listed()
        return Answer(listed.payer_deceived.answer), Answer(listed.payee_mule.answer)

    def reports(self) -> list[tuple[str, ReportRole]]:
        """Return which reports the accounts hold, once all of them have arrived."""
        wait_until_relayed(self.service.redis_url)
        client = redis.Redis.from_url(self.service.redis_url)
        tokens = Tokens((self.service.data_dir / "token.key").read_bytes())
        found = []
        for name, number in (("payer", self.payer), ("payee", self.payee)):
            ring = client.hget(keys.account(tokens.account(number)), "reports") or b""
            found += [(name, ReportRole(ring[at + 17])) for at in range(0, len(ring), 40)]
        client.close()
        return found


NAMED = [("payer", ReportRole.VICTIM), ("payee", ReportRole.MULE)]


@pytest.fixture
def case(service: Service) -> Case:
    return Case(service, time.time_ns() // 1_000_000)


def test_a_fraud_that_is_told_again_counts_once(case: Case) -> None:
    case.tell(FRAUD, CUSTOMER, 5)
    case.tell(FRAUD, POLICE, 3)
    case.tell(MULE, POLICE, 2)
    case.tell(FRAUD, POLICE, 3, name="o-2")

    assert case.answers() == (YES, YES)
    assert [entry.outcome.outcome_id for entry in case.listed().entries] == ["o-1", "o-2", "o-3"]
    assert case.listed().payer_deceived.outcome_id == "o-2"
    assert case.listed().payer_deceived.since_time == a_time(case.now_ms - 5 * DAY_MS)
    assert case.reports() == NAMED


def test_the_newest_decision_wins_whenever_it_arrives(case: Case) -> None:
    case.tell(FRAUD, POLICE, 3)
    before = case.reports()
    case.tell(LEGITIMATE, REVIEW, 1)
    case.tell(FRAUD, REVIEW, 2)  # Arrives late: it was known before.

    assert before == NAMED
    assert case.answers() == (NO, NO)
    assert case.reports() == []


def test_nothing_that_a_customer_says_later_overrides_a_decision(case: Case) -> None:
    case.tell(FRAUD, CUSTOMER, 5)
    claimed = case.reports()
    case.tell(LEGITIMATE, POLICE, 4)
    case.tell(FRAUD, CUSTOMER, 1)

    assert claimed == NAMED
    assert case.answers() == (NO, NO)
    assert case.reports() == []


def test_who_is_not_entitled_is_heard_and_changes_nothing(case: Case) -> None:
    case.tell(MULE, CUSTOMER, 5)
    case.tell(FRAUD, OutcomeSource.CHANNEL, 4)

    assert [entry.entitled for entry in case.listed().entries] == [False, False]
    assert case.answers() == (NOTHING, NOTHING)
    assert case.reports() == []


def test_a_mule_says_nothing_sure_of_its_payer(case: Case) -> None:
    case.tell(INSISTED, CUSTOMER, 6)
    case.tell(MULE, OutcomeSource.OTHER_BANK, 5)

    assert case.answers() == (UNDECIDED, YES)
    assert case.reports() == NAMED[1:]


def test_what_stood_before_a_withdrawn_outcome_stands_again(case: Case) -> None:
    case.tell(FRAUD, CUSTOMER, 5)
    wrong = case.tell(LEGITIMATE, REVIEW, 4)
    between = case.reports()

    withdrawn = [case.withdraw(wrong, REVIEW), case.withdraw(wrong, POLICE)]

    assert withdrawn == [True, False]
    assert between == []
    assert case.answers() == (YES, YES)
    assert case.reports() == NAMED
    entry = case.listed().entries[1]
    assert entry.withdrawal.source == outcomes.OUTCOME_SOURCE_BANK_REVIEW
    assert "13800138000" not in entry.withdrawal.reason
    assert entry.withdrawal.reason.startswith("the call was about another payment")


def test_a_withdrawn_fraud_leaves_both_accounts(case: Case) -> None:
    only = case.tell(FRAUD, POLICE, 5)
    assert case.reports() == NAMED

    case.withdraw(only, POLICE)

    assert case.answers() == (NOTHING, NOTHING)
    assert case.reports() == []


def test_withdrawals_are_for_the_source_itself_and_for_those_who_decide(case: Case) -> None:
    outcome = case.tell(FRAUD, POLICE, 5)

    with pytest.raises(grpc.RpcError) as refused:
        case.withdraw(outcome, CUSTOMER)
    with pytest.raises(grpc.RpcError) as unknown:
        case.withdraw("o-9", POLICE)
    with pytest.raises(grpc.RpcError) as empty:
        case.stub.WithdrawOutcome(outcomes.WithdrawOutcomeRequest())

    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    assert all(
        field in str(empty.value.details())
        for field in ("decision_id", "outcome_id", "source", "report_time")
    )
    assert case.answers() == (YES, YES)


def test_outcomes_told_at_once_leave_what_their_history_says(case: Case) -> None:
    def tell(number: int) -> None:
        kind, source = ((FRAUD, POLICE), (LEGITIMATE, REVIEW), (FRAUD, CUSTOMER))[number % 3]
        name = case.tell(kind, source, 8 - number / 10, name=f"at-once-{number}")
        if number % 4 == 0:
            case.withdraw(name, REVIEW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(32)))

    assert len(case.listed().entries) == 32
    # 31 is the newest decision: legitimate.
    assert case.answers() == (NO, NO)
    assert case.reports() == []
    case.withdraw("at-once-31", REVIEW)
    # 30 is the police's fraud.
    assert case.answers() == (YES, YES)
    assert case.reports() == NAMED


def test_outcomes_that_redis_forgot_are_read_from_the_archive(
    start_service: Callable[..., Service],
) -> None:
    service = start_service("--clock", "event")
    now_ms = time.time_ns() // 1_000_000
    case = Case(service, now_ms - 420 * DAY_MS)
    case.tell(FRAUD, CUSTOMER, 9)
    case.tell(FRAUD, POLICE, 9)
    assert case.reports() == NAMED
    archive(service.redis_url, service.data_dir / "archive")
    # 400 days after the last of them Redis forgets; the service's clock follows the transfers.
    client = redis.Redis.from_url(service.redis_url)
    client.delete(keys.outcomes(case.decision_id))
    client.close()
    Case(service, now_ms)

    listed = [entry.outcome.outcome_id for entry in case.listed().entries]
    case.withdraw("o-2", POLICE)
    one_left = case.answers(), case.reports()
    case.withdraw("o-1", CUSTOMER)

    assert listed == ["o-1", "o-2"]
    assert one_left == ((YES, YES), NAMED)
    assert case.answers() == (NOTHING, NOTHING)
    assert case.reports() == []
    assert len(case.listed().entries) == 2
