"""Real Redis frozen under a real service: every channel and amount gets what the policy says."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.builders import PAYEE, a_request
from tests.conftest import Service
from tests.redis_processes import RedisProcess, wait_until

from fanzha.domain.vocabulary import Channel, DecisionKind, DegradedPart
from fanzha.policy.load import load_policy
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc, watchlists_pb2_grpc
from fanzha.v1 import watchlists_pb2 as watchlists

INVOLVED = "6217000099999999991"
BILLER = "6217000099999999992"
LIFTED = "6217000099999999993"
AMOUNTS = (100.0, 49_999.99, 50_000.0, 299_999.99, 300_000.0, 900_000.0)
BOUND_S = 2.0
"""Generous: the budget is 50 ms, and the machine may be busy."""
TRIES_MAX = 20
AWAY = {
    DegradedPart.PAYER_HISTORY,
    DegradedPart.PAYEE_HISTORY,
    DegradedPart.LISTS,
    DegradedPart.JOURNAL,
}
GAPS = load_policy().gaps


class Bank:
    """One service over one Redis, and its clients."""

    def __init__(self, service: Service, store: RedisProcess) -> None:
        self.service = service
        self.store = store
        self.scoring: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
        self._lists: Any = watchlists_pb2_grpc.WatchlistServiceStub(service.channel)
        self._health: Any = health_pb2_grpc.HealthStub(service.channel)

    def ask(self, **wanted: Any) -> scoring.ScoreTransferResponse:
        """Return an answer that came in time; a busy machine may refuse some first."""
        request = a_request(**wanted)
        for _ in range(TRIES_MAX):
            before = time.monotonic()
            try:
                answer: scoring.ScoreTransferResponse = self.scoring.ScoreTransfer(request)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                time.sleep(0.2)
                continue
            assert time.monotonic() - before < BOUND_S
            return answer
        raise AssertionError("the service refuses everything")

    def bring(self, *entries: tuple[str, int, int]) -> str:
        """Bring list entries into effect: number, kind, grade."""
        header = watchlists.ImportHeader(proposed_by="zhang.wei", approved_by="li.na")
        listed = [
            watchlists.WatchlistEntry(
                kind=kind,
                identifier=number,
                grade=grade,
                source="公安机关",
                case_number="A-1",
                legal_basis="反电信网络诈骗法第二十条",
                valid_until_time={"seconds": 4_000_000_000},
            )
            for number, kind, grade in entries
        ]
        requests = (
            watchlists.ImportEntriesRequest(header=header),
            watchlists.ImportEntriesRequest(entries=watchlists.WatchlistEntries(entries=listed)),
        )
        version: str = self._lists.ImportEntries(iter(requests)).lists_version
        return version

    def parts(self) -> dict[str, bool]:
        """Return the health of each part."""
        return {name: self.is_well(f"fanzha.{name}") for name in PARTS}

    def is_well(self, name: str) -> bool:
        answer = self._health.Check(health_pb2.HealthCheckRequest(service=name))
        return answer.status == health_pb2.HealthCheckResponse.SERVING

    def wait_until_whole(self) -> None:
        wait_until(lambda: not self.ask().degraded_parts, "answers with nothing missing")


PARTS = ("history", "lists", "model", "journal")


@pytest.fixture
def bank(tmp_path: Path, start_service: Callable[..., Service]) -> Iterator[Bank]:
    with RedisProcess(tmp_path / "redis") as store:
        bank = Bank(start_service(*options_of(store)), store)
        bank.bring(
            (INVOLVED, watchlists.WATCHLIST_KIND_ACCOUNT, watchlists.WATCHLIST_GRADE_INVOLVED),
            (LIFTED, watchlists.WATCHLIST_KIND_ACCOUNT, watchlists.WATCHLIST_GRADE_INVOLVED),
            (BILLER, watchlists.WATCHLIST_KIND_VERIFIED_BILLER, 0),
        )
        bank.bring((LIFTED, watchlists.WATCHLIST_KIND_ACCOUNT, watchlists.WATCHLIST_GRADE_WATCH))
        bank.wait_until_whole()
        yield bank
        store.resume()


def options_of(store: RedisProcess) -> tuple[str, ...]:
    """Return the options of a service with the budgets that ship."""
    return ("--redis", store.url, "--redis-timeout-ms", "20", "--budget-ms", "50")


def missing(answer: scoring.ScoreTransferResponse) -> set[DegradedPart]:
    return {DegradedPart(part) for part in answer.degraded_parts}


def codes(answer: scoring.ScoreTransferResponse) -> set[str]:
    return {reason.code for reason in answer.internal_reasons}


def test_a_frozen_redis_is_answered_as_the_policy_says(bank: Bank) -> None:
    bank.store.freeze()

    answers = {
        (channel, amount): bank.ask(channel=int(channel), amount=amount)
        for channel in list(Channel)[1:]
        for amount in AMOUNTS
    }

    for (channel, amount), answer in answers.items():
        wanted = max(GAPS[part].answer(channel, round(amount * 100)).answer for part in AWAY)
        said = (channel.name, amount, DecisionKind(answer.decision).name)
        assert missing(answer) == AWAY, said
        assert answer.decision >= wanted, said
        assert answer.decision < DecisionKind.BLOCK, said
        if wanted > DecisionKind.ALLOW:
            assert any(code.endswith("_MISSING") for code in codes(answer)), said
    small = answers[Channel.COUNTER, 100.0]
    large = answers[Channel.MOBILE, 900_000.0]
    assert DecisionKind(small.decision) is DecisionKind.ALLOW
    assert DecisionKind(large.decision) is DecisionKind.PAUSE


def test_involved_accounts_block_while_redis_is_frozen(bank: Bank) -> None:
    bank.store.freeze()

    as_payee, as_payer = bank.ask(payee=INVOLVED), bank.ask(payer=INVOLVED)
    lifted, biller = bank.ask(payee=LIFTED), bank.ask(payee=BILLER, amount=900_000.0)

    for answer in (as_payee, as_payer):
        assert DecisionKind(answer.decision) is DecisionKind.BLOCK
        assert missing(answer) == AWAY
        version, _, age = answer.versions.lists_version.partition("+copy.")
        assert version == "lists-000002"
        assert age.removesuffix("s").isdigit()
    assert DecisionKind(lifted.decision) is DecisionKind.ALLOW
    assert "ESSENTIAL_PAYMENT" in codes(biller)
    assert DecisionKind(biller.decision) is DecisionKind.CONFIRM


def test_health_tells_the_parts_and_all_is_whole_again(bank: Bank) -> None:
    assert bank.parts() == dict.fromkeys(PARTS, True)
    bank.store.freeze()
    given = bank.ask(amount=120.0)
    assert DegradedPart.JOURNAL in missing(given)

    away = {"history": False, "lists": False, "model": True, "journal": False}
    wait_until(lambda: bank.parts() == away, "health names what is missing")
    assert bank.is_well("")
    assert bank.is_well("fanzha.v1.ScoringService")
    server = bank.store.url.partition("://")[2].partition("/")[0]
    said = (bank.service.data_dir / "serve.log").read_text()
    assert f"part missing, and answers say so: history (Redis {server}: " in said

    bank.store.resume()
    bank.wait_until_whole()
    wait_until(lambda: bank.parts() == dict.fromkeys(PARTS, True), "all parts are well")

    def found() -> bool:
        wanted = scoring.GetDecisionRequest(decision_id=given.decision_id)
        try:
            return bool(bank.scoring.GetDecision(wanted).decision == given)
        except grpc.RpcError:
            return False

    wait_until(found, "what was answered meanwhile is on record")


def test_a_redis_that_forgot_the_lists_excuses_nobody(bank: Bank) -> None:
    bank.store.kill()
    bank.store.restart(empty=True)

    def blocks() -> bool:
        answer = bank.ask(payee=INVOLVED)
        is_read = DegradedPart.PAYEE_HISTORY not in missing(answer)
        return is_read and DecisionKind(answer.decision) is DecisionKind.BLOCK

    wait_until(blocks, "the copy blocks, although Redis answers")
    # Of other accounts it is known when the imports in effect are looked at next.
    wait_until(lambda: DegradedPart.LISTS in missing(bank.ask(payee=PAYEE)), "lists are missing")

    bank.bring((BILLER, watchlists.WATCHLIST_KIND_VERIFIED_BILLER, 0))

    bank.wait_until_whole()
    assert DecisionKind(bank.ask(payee=INVOLVED).decision) is DecisionKind.ALLOW


def test_a_worker_that_starts_later_blocks_as_well(
    bank: Bank, start_service: Callable[..., Service], tmp_path: Path
) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    own_key = ("--token-key-file", str(bank.service.data_dir / "token.key"))
    second = Bank(start_service(*options_of(bank.store), *own_key, data_dir=folder), bank.store)
    second.wait_until_whole()
    bank.store.freeze()

    assert DecisionKind(second.ask(payee=INVOLVED).decision) is DecisionKind.BLOCK
    assert DecisionKind(second.ask(payee=LIFTED).decision) is DecisionKind.ALLOW
