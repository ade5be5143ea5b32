"""What one decision pays for plain Python around its two round trips, its kernel and its model.

Four steps, each over requests that differ from call to call, beside what protobuf itself takes to
read and write the same messages, in the same rounds. Seconds are the thread's processor time, so
that a busy neighbour shows less.
"""

from collections.abc import Callable
from time import thread_time

import numpy as np
from tests.bench.machine import Spread, spread

from fanzha.adapters.codec import encode
from fanzha.adapters.redis_commit import answer_of
from fanzha.domain.decision import Decision, HeadScore, Score, Versions
from fanzha.domain.evidence import AccountState, Evidence, LinkState
from fanzha.domain.ids import new_decision_id
from fanzha.domain.record import DecisionRecord
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer, TransferDraft
from fanzha.domain.vocabulary import DecisionKind
from fanzha.features.facts import FACTS, UTC_OFFSET_S
from fanzha.features.manifest import FEATURES
from fanzha.pipeline.record import to_record
from fanzha.pipeline.validate import Rules, validate
from fanzha.transport.convert import to_draft, to_response
from fanzha.transport.identity import Tokens
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire

REQUESTS = 1_000
ROUNDS = 15
NOW_MS = 1_790_000_000_000
_CALLER = "bench"
_CHINA_S = 28_800


def measure() -> dict[str, Spread]:
    """Return microseconds a decision of each step, and their sum as a ratio to protobuf's own."""
    tokens, rules = Tokens(bytes(range(32))), Rules()
    requests = [a_request(number) for number in range(REQUESTS)]
    bodies = [request.SerializeToString() for request in requests]
    drafts = [to_draft(request, _CALLER, tokens) for request in requests]
    judged = [an_entry(draft.transfer, number) for number, draft in enumerate(drafts)]
    responses = [to_response(decision) for _, _, decision in judged]
    answers = [response.SerializeToString() for response in responses]

    def protobuf() -> None:
        for body, answer in zip(bodies, answers, strict=True):
            scoring.ScoreTransferRequest.FromString(body).SerializeToString()
            scoring.ScoreTransferResponse.FromString(answer).SerializeToString()

    steps: dict[str, Callable[[], object]] = {
        "protobuf": protobuf,
        "convert_in": lambda: [to_draft(request, _CALLER, tokens) for request in requests],
        "validate": lambda: [validate(draft, rules, NOW_MS) for draft in drafts],
        "record": lambda: [
            _recorded(draft, *rest) for draft, rest in zip(drafts, judged, strict=True)
        ],
        "convert_out": lambda: [to_response(decision) for _, _, decision in judged],
    }
    for work in steps.values():
        work()
    rounds = [{name: _seconds(work) for name, work in steps.items()} for _ in range(ROUNDS)]
    own = [name for name in steps if name != "protobuf"]
    ratios = [sum(seconds[name] for name in own) / seconds["protobuf"] for seconds in rounds]
    return {"plain_python_over_protobuf": spread(ratios)} | {
        f"{name}_us": spread([1e6 * seconds[name] / REQUESTS for seconds in rounds])
        for name in steps
    }


def a_request(number: int) -> scoring.ScoreTransferRequest:
    """Return a request as mobile banking sends it: both accounts, who pays, from which device."""
    transfer = wire.Transfer(
        transfer_id=f"20260921-{number:08d}",
        kind=wire.TRANSFER_KIND_TRANSFER,
        channel=wire.CHANNEL_MOBILE,
        amount=wire.Money(currency_code="CNY", minor_units=1_000 + number * 7919 % 90_000_000),
        speed=wire.TRANSFER_SPEED_REAL_TIME,
        payer=wire.Party(
            account=f"622202020{number * 104_729 % 10**10:010d}",
            person=f"11010119{number * 15_485_863 % 10**10:010d}",
            phone=f"138{number * 49_979_687 % 10**8:08d}",
            type=wire.PARTY_TYPE_PERSON,
            segment=wire.CUSTOMER_SEGMENT_WORKER,
            anti_fraud_app=bool(number & 1),
        ),
        payee=wire.Party(
            account=f"621700001{number * 611_953 % 10**10:010d}", type=wire.PARTY_TYPE_PERSON
        ),
        payee_same_bank=bool(number & 2),
        payee_name_match=wire.NAME_MATCH_MATCH,
        balance_before=wire.Money(currency_code="CNY", minor_units=100_000_000),
        session=wire.Session(
            device_id=f"device-{number * 7919 % 10**9:09d}",
            call_in_progress=False,
            screen_shared=False,
            new_device=bool(number & 4),
        ),
    )
    transfer.create_time.FromMilliseconds(NOW_MS - number)
    return scoring.ScoreTransferRequest(request_id=f"mobile-{number:012d}", transfer=transfer)


def an_entry(transfer: Transfer, number: int) -> tuple[Evidence, Scored, Decision]:
    """Return what was found and decided about a transfer: usual ones pass."""
    head = HeadScore(-4.5 - number / 1e5, 0.011, 248)
    score = Score(-6.0 - number / 1e5, 0.002, 162, "bench/1", head, head)
    evidence = Evidence(AccountState(seq=number), AccountState(seq=3), (), "1-0", _links(number))
    facts = np.arange(len(FACTS), dtype=np.int64)
    facts[UTC_OFFSET_S] = _CHINA_S
    vector = np.arange(len(FEATURES), dtype=np.float32)
    decision = Decision(
        decision_id=new_decision_id(NOW_MS, number % 256, number.to_bytes(9)),
        request_id=transfer.request_id,
        transfer_id=transfer.transfer_id,
        kind=DecisionKind.ALLOW,
        score=score,
        reasons=(),
        prompt=None,
        notice=None,
        hold_until_ms=None,
        versions=Versions("bench/1", "2026-11", "1-0", "0.1"),
        degraded=(),
        decide_time_ms=NOW_MS,
    )
    return evidence, Scored(facts.tobytes(), vector.tobytes(), score), decision


def _links(number: int) -> tuple[LinkState | None, ...]:
    """Return links that know another account already, and so much as nothing of this one."""
    row = np.array([(number + 1, NOW_MS, 0)], np.int64).tobytes()
    return LinkState(1, row), LinkState(1, row), LinkState(1, row), None, None


def _recorded(
    draft: TransferDraft, evidence: Evidence, scored: Scored, decision: Decision
) -> tuple[bytes, bytes]:
    """Build a decision's record, and both texts that the store takes of it."""
    entry: DecisionRecord = to_record(
        draft.transfer, evidence, scored, decision, (), None, {"validate": 5}
    )
    return encode(entry), answer_of(entry)


def _seconds(work: Callable[[], object]) -> float:
    began = thread_time()
    work()
    return thread_time() - began
