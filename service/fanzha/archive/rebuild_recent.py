"""What Redis remembers of recent decisions: answers, request ids, executions, outcomes."""

from dataclasses import dataclass, field
from typing import Any, Final

from fanzha.adapters import keys
from fanzha.adapters.codec import decode, decode_record
from fanzha.adapters.outcome_history import field_of
from fanzha.adapters.reads import request_digest
from fanzha.adapters.redis_commit import Lives, answer_of
from fanzha.adapters.redis_link import Command
from fanzha.adapters.redis_store import EXECUTION_LIFE_MS, OUTCOME_LIFE_MS
from fanzha.adapters.relay import RECEIVED_LIFE_MS
from fanzha.archive import schema
from fanzha.domain.ids import bucket_of, time_ms_of_decision
from fanzha.domain.record import (
    DecisionRecord,
    ExecutionRecord,
    OutcomeRecord,
    ReconciliationRecord,
    WithdrawalRecord,
)
from fanzha.features.layout import EVENT_ID, Change

Row = dict[str, Any]

NEEDS_BODY: Final = (
    *schema.DECISION_KINDS,
    *schema.OUTCOME_KINDS,
    schema.KIND_EXECUTION,
    schema.KIND_RECONCILIATION,
)


@dataclass(frozen=True, slots=True)
class Recent:
    """Turns rows of the archive into the commands that bring back what is still remembered."""

    lives: Lives
    now_ms: int
    _beside: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Second answers that wait for their reconciliation: key of the request, digest of its body."""

    def life_ms(self, kind: str) -> int:
        """Return for how long after its recording a row of a kind matters, in milliseconds."""
        if kind in schema.DECISION_KINDS or kind == schema.KIND_RECONCILIATION:
            return max(self.lives.memory_ms, self.lives.window_ms)
        if kind in schema.OUTCOME_KINDS:
            return OUTCOME_LIFE_MS
        return {
            schema.KIND_EXECUTION: EXECUTION_LIFE_MS,
            schema.KIND_CHANGE: RECEIVED_LIFE_MS,
        }.get(kind, 0)

    def writes(self, row: Row, body: bytes | None) -> list[Command]:
        """Return the commands for one row, whose kind's life is not over."""
        kind = row["kind"]
        if kind == schema.KIND_CHANGE:
            return self._received(row)
        if body is None or (kind == schema.KIND_EXECUTION and row["seq"] is None):
            return []
        if kind in schema.DECISION_KINDS:
            return self._decision(kind, row, decode_record(body))
        if kind == schema.KIND_RECONCILIATION:
            return self._reconciled(decode(body, ReconciliationRecord))
        left = row["record_time_ms"] + self.life_ms(kind) - self.now_ms
        if kind == schema.KIND_EXECUTION:
            report = decode(body, ExecutionRecord)
            key = keys.execution(report.decision_id)
            return [("SET", key, f"{int(report.status)}{report.execute_time_ms}", "PX", left)]
        return _outcome(kind, body, left)

    def _decision(self, kind: str, row: Row, record: DecisionRecord) -> list[Command]:
        transfer, decision = record.transfer, record.decision
        age_ms = self.now_ms - decision.decide_time_ms
        window, memory = self.lives.window_ms - age_ms, self.lives.memory_ms - age_ms
        payer = transfer.payer.account
        writes: list[Command] = []
        if window > 0:
            writes.append(
                ("SET", keys.decision(decision.decision_id), answer_of(record), "PX", window)
            )
        if memory > 0:
            marker = keys.recorded(decision.decision_id)
            writes.append(("SET", marker, row["stream_id"], "PX", memory))
            own = keys.request(payer, request_digest(transfer))
            if kind == schema.KIND_CONFLICT:
                self._beside[decision.decision_id] = (own, transfer.request_digest)
            if kind == schema.KIND_DECISION:
                held = transfer.request_digest + decision.decision_id.encode()
                held += b"%d" % decision.decide_time_ms
                writes.append(("SET", own, held, "PX", memory))
        return writes

    def _reconciled(self, record: ReconciliationRecord) -> list[Command]:
        """Return what brings back which of two answers to one request stands."""
        left = self.lives.memory_ms - (self.now_ms - record.record_time_ms)
        if left <= 0:
            return []
        said = f"{record.stands}{int(record.contradicted)}"
        both = (record.first_id, record.second_id)
        writes: list[Command] = [("SET", keys.reconciled(one), said, "PX", left) for one in both]
        second = self._beside.pop(record.second_id, None)
        if second is not None and record.stands == record.second_id:
            own, digest = second
            at = b"%d" % time_ms_of_decision(record.first_id)
            writes.append(("SET", own, digest + record.second_id.encode() + at, "PX", left))
        return writes

    def _received(self, row: Row) -> list[Command]:
        if row["change"] != Change.RECEIVE:
            return []
        event = row["change_columns"][EVENT_ID].to_bytes(8, "little", signed=True)
        left = row["record_time_ms"] + RECEIVED_LIFE_MS - self.now_ms
        return [("SET", keys.received(bucket_of(row["account"]), event), 1, "PX", left)]


def _outcome(kind: str, body: bytes, left_ms: int) -> list[Command]:
    record: OutcomeRecord | WithdrawalRecord
    if kind == schema.KIND_OUTCOME:
        record = decode(body, OutcomeRecord)
    else:
        record = decode(body, WithdrawalRecord)
    key = keys.outcomes(record.decision_id)
    # Whatever order they come in, they live as long as the last of them lets them.
    return [
        ("HSET", key, field_of(record), body),
        ("PEXPIRE", key, left_ms, "NX"),
        ("PEXPIRE", key, left_ms, "GT"),
    ]
