"""The scoring API over real sockets: answers, idempotency, invalid requests, batches."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from tests.builders import PAYEE, PAYER, a_request, a_time, requests, yuan
from tests.conftest import Service

from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc
from fanzha.v1 import transfer_pb2 as wire


@pytest.fixture(scope="module")
def stub(service: Service) -> scoring_pb2_grpc.ScoringServiceStub:
    return scoring_pb2_grpc.ScoringServiceStub(service.channel)


def refused(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Return the status, the reason and the field violations of a call that must fail."""
    with pytest.raises(grpc.RpcError) as failure:
        call()
    status = rpc_status.from_call(failure.value)
    assert status is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status.details[0].Unpack(info)
    if len(status.details) > 1:
        status.details[1].Unpack(bad)
    assert info.domain == "fanzha"
    faults = {violation.field: violation.description for violation in bad.field_violations}
    return failure.value.code(), info.reason, faults


def test_a_request_with_only_the_required_fields_is_scored(stub: Any) -> None:
    answer = stub.ScoreTransfer(a_request())

    assert answer.decision != scoring.DECISION_UNSPECIFIED
    assert answer.alert_level != scoring.ALERT_LEVEL_UNSPECIFIED
    assert 0 <= answer.score <= 1000
    assert answer.versions.model_version
    assert answer.versions.policy_version
    assert list(answer.degraded_parts) == []


@pytest.mark.parametrize(
    "kind",
    [
        wire.TRANSFER_KIND_CASH_WITHDRAWAL,
        wire.TRANSFER_KIND_GOLD_PURCHASE,
        wire.TRANSFER_KIND_OVERSEAS_USE,
    ],
)
def test_cash_gold_and_overseas_use_need_no_payee(stub: Any, kind: wire.TransferKind) -> None:
    answer = stub.ScoreTransfer(a_request(kind=kind, payee="", channel=wire.CHANNEL_COUNTER))

    assert answer.decision != scoring.DECISION_UNSPECIFIED
    assert list(answer.degraded_parts) == []


def test_the_same_request_gets_the_stored_answer(stub: Any) -> None:
    request = a_request()

    first, second = stub.ScoreTransfer(request), stub.ScoreTransfer(request)

    assert first == second


def test_the_same_request_id_with_another_body_is_a_clear_error(stub: Any) -> None:
    first = stub.ScoreTransfer(a_request("reused", amount=1))

    code, reason, _ = refused(lambda: stub.ScoreTransfer(a_request("reused", amount=2)))

    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "ERROR_REASON_REQUEST_ID_REUSED")
    again = stub.GetDecision(scoring.GetDecisionRequest(decision_id=first.decision_id))
    assert again.decision == first


def test_request_ids_are_scoped_to_the_payer(stub: Any) -> None:
    one = stub.ScoreTransfer(a_request("shared", payer="6222000000000000001"))
    other = stub.ScoreTransfer(a_request("shared", payer="6222000000000000002"))

    assert one.decision_id != other.decision_id


def test_concurrent_tries_of_one_request_get_one_answer(stub: Any) -> None:
    for number in range(10):
        request = a_request(f"twice-{number}")
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(stub.ScoreTransfer, [request] * 4))

        assert all(answer == answers[0] for answer in answers)


def test_concurrent_tries_with_two_bodies_give_one_answer_and_one_error(stub: Any) -> None:
    for number in range(10):
        tries = [a_request(f"clash-{number}", amount=amount) for amount in (1, 2)]

        def score(request: scoring.ScoreTransferRequest) -> str:
            try:
                return str(stub.ScoreTransfer(request).decision_id)
            except grpc.RpcError as error:
                return str(error.code())

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(score, tries))

        assert answers[1] == "StatusCode.ALREADY_EXISTS"
        assert len(answers[0]) == 26


def test_a_decision_is_found_again_as_it_was_given(stub: Any) -> None:
    given = stub.ScoreTransfer(a_request())

    found = stub.GetDecision(scoring.GetDecisionRequest(decision_id=given.decision_id))

    assert found.decision == given
    assert found.source == scoring.DECISION_SOURCE_STORE


def test_an_unknown_decision_is_not_found(stub: Any) -> None:
    unknown = scoring.GetDecisionRequest(decision_id="0" * 26)

    code, reason, _ = refused(lambda: stub.GetDecision(unknown))

    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "ERROR_REASON_DECISION_NOT_FOUND")


def test_all_field_violations_come_at_once(stub: Any) -> None:
    code, reason, faults = refused(lambda: stub.ScoreTransfer(scoring.ScoreTransferRequest()))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_INVALID_FIELDS")
    assert set(faults) == {
        "request_id",
        "transfer.transfer_id",
        "transfer.kind",
        "transfer.channel",
        "transfer.create_time",
        "transfer.amount.currency_code",
        "transfer.amount.minor_units",
        "transfer.payer.account",
    }


DAY_MS = 86_400_000
BROKEN: dict[str, tuple[str, wire.Transfer]] = {
    "an absurd amount": (
        "transfer.amount.minor_units",
        wire.Transfer(amount=wire.Money(minor_units=10**15 + 1)),
    ),
    "a negative amount": (
        "transfer.amount.minor_units",
        wire.Transfer(amount=wire.Money(minor_units=-1)),
    ),
    "a currency that is none": (
        "transfer.amount.currency_code",
        wire.Transfer(amount=wire.Money(currency_code="CNX")),
    ),
    "a foreign amount alone": (
        "transfer.base_amount",
        wire.Transfer(amount=wire.Money(currency_code="USD")),
    ),
    "a base amount that differs": (
        "transfer.base_amount.minor_units",
        wire.Transfer(base_amount=yuan(1)),
    ),
    "a balance in another currency": (
        "transfer.balance_before.currency_code",
        wire.Transfer(balance_before=wire.Money(currency_code="USD", minor_units=1)),
    ),
    "a time long ago": ("transfer.create_time", wire.Transfer(create_time=a_time(1000))),
    "a time far ahead": (
        "transfer.create_time",
        wire.Transfer(create_time=Timestamp(seconds=253_402_300_799)),
    ),
    "a time that is none": (
        "transfer.create_time",
        wire.Transfer(create_time=Timestamp(nanos=2_000_000_000)),
    ),
    "an unknown channel": ("transfer.channel", wire.Transfer(channel=99)),  # type: ignore[arg-type]
    "an unknown party type": (
        "transfer.payer.type",
        wire.Transfer(payer=wire.Party(type=77)),  # type: ignore[arg-type]
    ),
    "a megabyte of account": (
        "transfer.payee.account",
        wire.Transfer(payee=wire.Party(account="6" * 2**20)),
    ),
    "a megabyte of remark": ("transfer.remark", wire.Transfer(remark="汇" * 300_000)),
    "an account with blanks": (
        "transfer.payee.account",
        wire.Transfer(payee=wire.Party(account="6222 0202")),
    ),
    "a payee who is the payer": (
        "transfer.payee.account",
        wire.Transfer(payee=wire.Party(account=PAYER)),
    ),
    "a date that is none": (
        "transfer.payee.opening.open_date",
        wire.Transfer(
            payee=wire.Party(
                opening=wire.AccountOpening(open_date=wire.Date(year=2026, month=2, day=30))
            )
        ),
    ),
    "an account opened tomorrow": (
        "transfer.payee.opening.open_date",
        wire.Transfer(
            payee=wire.Party(
                opening=wire.AccountOpening(open_date=wire.Date(year=2099, month=1, day=1))
            )
        ),
    ),
    "a reference that is the account": (
        "transfer.payer.account_ref",
        wire.Transfer(payer=wire.Party(account_ref=f"ref-{PAYER}")),
    ),
    "a reference with an address": (
        "transfer.payer.account_ref",
        wire.Transfer(payer=wire.Party(account_ref="a b")),
    ),
}


@pytest.mark.parametrize("story", BROKEN)
def test_one_broken_field_is_named_alone(stub: Any, story: str) -> None:
    field, change = BROKEN[story]
    request = a_request()
    request.transfer.MergeFrom(change)

    code, _, faults = refused(lambda: stub.ScoreTransfer(request))

    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert list(faults) == [field]


def test_a_transfer_in_foreign_currency_counts_its_base_amount(stub: Any) -> None:
    request = a_request(kind=wire.TRANSFER_KIND_OVERSEAS_USE, payee="", base_amount=yuan(712.3))
    request.transfer.amount.currency_code = "USD"

    answer = stub.ScoreTransfer(request)

    assert answer.decision != scoring.DECISION_UNSPECIFIED


def test_malformed_protobuf_is_refused_and_the_service_lives(service: Service, stub: Any) -> None:
    unary = service.channel.unary_unary("/fanzha.v1.ScoringService/ScoreTransfer")
    stream = service.channel.stream_unary("/fanzha.v1.OutcomeService/RecordOutcomes")
    garbage = b"\xff\xff\xff not a message"

    for call in (lambda: unary(garbage), lambda: stream(iter([garbage]))):
        code, reason, faults = refused(call)
        assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_INVALID_FIELDS")
        assert "no protobuf message" in faults["request"]
    assert stub.ScoreTransfer(a_request()).decision != scoring.DECISION_UNSPECIFIED


def test_a_message_over_the_limit_is_refused(stub: Any) -> None:
    request = a_request()
    request.transfer.remark = "x" * (3 * 2**20)

    with pytest.raises(grpc.RpcError) as failure:
        stub.ScoreTransfer(request)

    assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_batch_answers_in_order_each_with_its_own_status(stub: Any) -> None:
    good, bad = a_request(), a_request(amount=0)
    reused = a_request(good.request_id, amount=7)

    results = stub.ScoreBatch(requests([good, bad, reused, a_request()])).results

    assert [result.WhichOneof("result") for result in results] == [
        "response",
        "error",
        "error",
        "response",
    ]
    assert results[0].response.request_id == good.request_id
    assert results[1].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert [x.field for x in results[1].error.field_violations] == ["transfer.amount.minor_units"]
    assert results[2].error.code == grpc.StatusCode.ALREADY_EXISTS.value[0]


def test_a_batch_of_256_is_answered_and_a_larger_one_refused(stub: Any) -> None:
    answered = stub.ScoreBatch(requests(a_request() for _ in range(256)))

    code, _, faults = refused(lambda: stub.ScoreBatch(requests(a_request() for _ in range(257))))

    assert len(answered.results) == 256
    assert (code, list(faults)) == (grpc.StatusCode.INVALID_ARGUMENT, ["requests"])


def test_health_and_reflection_are_on(service: Service) -> None:
    health = health_pb2_grpc.HealthStub(service.channel)
    reflection = reflection_pb2_grpc.ServerReflectionStub(service.channel)

    state = health.Check(health_pb2.HealthCheckRequest(service="fanzha.v1.ScoringService"))
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    (listed,) = reflection.ServerReflectionInfo(iter([asked]))

    assert state.status == health_pb2.HealthCheckResponse.SERVING
    names = {entry.name for entry in listed.list_services_response.service}
    assert {"fanzha.v1.ScoringService", "fanzha.v1.OutcomeService"} <= names


def test_no_raw_identifier_reaches_redis_or_the_data_folder(service: Service, stub: Any) -> None:
    import redis  # noqa: PLC0415 - only this test looks into the store

    marked = {"account": "6225881234567890", "phone": "13912345678", "person": "110101199003071239"}
    request = a_request(
        payer=marked["account"],
        remark=f"给{marked['phone']}的货款 {PAYEE}",
        session=wire.Session(device_id="device-marked-77"),
    )
    request.transfer.payer.phone = marked["phone"]
    request.transfer.payer.person = marked["person"]
    answer = stub.ScoreTransfer(request)
    assert answer.decision

    client = redis.Redis.from_url(service.redis_url)
    dump = b"".join(key + (client.dump(key) or b"") for key in client.scan_iter(count=1000))
    client.close()
    for path in service.data_dir.rglob("*"):
        if path.is_file():
            dump += path.read_bytes()
    for raw in (*marked.values(), PAYEE, PAYER, "device-marked-77"):
        assert raw.encode() not in dump


def test_the_request_names_itself_in_the_answer(stub: Any) -> None:
    request = a_request()

    answer = stub.ScoreTransfer(request)

    assert answer.request_id == request.request_id
    assert answer.transfer_id == request.transfer.transfer_id
    assert abs(answer.decide_time.ToMilliseconds() - a_time().ToMilliseconds()) < DAY_MS
