"""What a rebuild brings back of recent decisions, and for how long."""

from dataclasses import replace

from tests.fuzz.records import a_record

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.reads import request_digest
from fanzha.adapters.redis_commit import Lives, answer_of
from fanzha.archive import schema
from fanzha.archive.rebuild_recent import Recent
from fanzha.domain.ids import new_decision_id
from fanzha.domain.record import DecisionRecord, ReconciliationRecord

LIVES = Lives(window_ms=1_000, memory_ms=10_000)
MADE_MS = 1_790_000_000_000


def a_decision(number: int) -> DecisionRecord:
    record = a_record()
    name = new_decision_id(MADE_MS, record.transfer.payer.account[-1], bytes([number]) * 9)
    decision = replace(record.decision, decision_id=name, decide_time_ms=MADE_MS)
    return replace(record, decision=decision)


def of_decision(
    recent: Recent, record: DecisionRecord, kind: str = schema.KIND_DECISION
) -> dict[object, tuple[object, ...]]:
    row = {"kind": kind, "stream_id": "7-1", "record_time_ms": MADE_MS, "seq": 1}
    return {write[1]: write[2:] for write in recent.writes(row, encode(record))}


def test_an_answer_lives_as_long_as_it_would_have() -> None:
    record = a_decision(1)
    name, transfer = record.decision.decision_id, record.transfer

    found = of_decision(Recent(LIVES, MADE_MS + 400), record)

    held = transfer.request_digest + name.encode() + b"%d" % MADE_MS
    assert found == {
        keys.decision(name): (answer_of(record), "PX", 600),
        keys.recorded(name): ("7-1", "PX", 9_600),
        keys.request(transfer.payer.account, request_digest(transfer)): (held, "PX", 9_600),
    }


def test_after_its_window_only_the_request_id_is_remembered() -> None:
    record = a_decision(1)
    found = of_decision(Recent(LIVES, MADE_MS + 1_000), record)
    assert keys.decision(record.decision.decision_id) not in found
    assert len(found) == 2


def test_the_stricter_of_two_answers_stands_again() -> None:
    recent = Recent(LIVES, MADE_MS + 400)
    first, second = a_decision(1), a_decision(2)
    one, other = first.decision.decision_id, second.decision.decision_id
    own = keys.request(first.transfer.payer.account, request_digest(first.transfer))
    of_decision(recent, first)
    assert own not in of_decision(recent, second, schema.KIND_CONFLICT)
    settled = ReconciliationRecord("r", one, other, other, True, MADE_MS + 300)

    row = {"kind": schema.KIND_RECONCILIATION, "record_time_ms": MADE_MS + 300, "seq": None}
    found = {write[1]: write[2:] for write in recent.writes(row, encode(settled))}

    held = first.transfer.request_digest + other.encode() + b"%d" % MADE_MS
    assert found == {
        keys.reconciled(one): (f"{other}1", "PX", 9_900),
        keys.reconciled(other): (f"{other}1", "PX", 9_900),
        own: (held, "PX", 9_900),
    }
