"""What Redis remembers of recent decisions: answers, request ids, executions, outcomes."""

from dataclasses import dataclass
from typing import Any, Final

from fanzha.adapters import keys
from fanzha.adapters.codec import decode, decode_record, encode
from fanzha.adapters.outcome_history import field_of
from fanzha.adapters.reads import ANSWER_HEAD, request_digest
from fanzha.adapters.redis_link import Command
from fanzha.adapters.redis_store import EXECUTION_LIFE_MS, OUTCOME_LIFE_MS, Lives
from fanzha.adapters.relay import RECEIVED_LIFE_MS
from fanzha.archive import schema
from fanzha.domain.ids import bucket_of
from fanzha.domain.record import DecisionRecord, ExecutionRecord, OutcomeRecord, WithdrawalRecord
from fanzha.features.layout import EVENT_ID, Change

Row = dict[str, Any]

NEEDS_BODY: Final = (*schema.DECISION_KINDS, *schema.OUTCOME_KINDS, schema.KIND_EXECUTION)


@dataclass(frozen=True, slots=True)
class Recent:
    """Turns rows of the archive into the commands that bring back what is still remembered."""

    lives: Lives
    now_ms: int

    def life_ms(self, kind: str) -> int:
        """Return for how long after its recording a row of a kind matters, in milliseconds."""
        if kind in schema.DECISION_KINDS:
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
        if body is None:
            return []
        if kind in schema.DECISION_KINDS:
            return self._decision(kind, row, decode_record(body))
        left = row["record_time_ms"] + self.life_ms(kind) - self.now_ms
        if kind == schema.KIND_EXECUTION:
            if row["seq"] is None:
                return []
            report = decode(body, ExecutionRecord)
            key = keys.execution(report.decision_id)
            return [("SET", key, f"{int(report.status)}{report.execute_time_ms}", "PX", left)]
        record: OutcomeRecord | WithdrawalRecord
        if kind == schema.KIND_OUTCOME:
            record = decode(body, OutcomeRecord)
        else:
            record = decode(body, WithdrawalRecord)
        key = keys.outcomes(record.decision_id)
        # Whatever order they come in, they live as long as the last of them lets them.
        return [
            ("HSET", key, field_of(record), body),
            ("PEXPIRE", key, left, "NX"),
            ("PEXPIRE", key, left, "GT"),
        ]

    def _decision(self, kind: str, row: Row, record: DecisionRecord) -> list[Command]:
        transfer, decision = record.transfer, record.decision
        age_ms = self.now_ms - decision.decide_time_ms
        window, memory = self.lives.window_ms - age_ms, self.lives.memory_ms - age_ms
        payer = transfer.payer.account
        payee = transfer.payee.account if transfer.payee is not None else b""
        answer = ANSWER_HEAD.pack(payer, payee, record.payer_change) + encode(decision)
        writes: list[Command] = []
        if window > 0:
            writes.append(("SET", keys.decision(decision.decision_id), answer, "PX", window))
        if memory > 0:
            marker = keys.recorded(decision.decision_id)
            writes.append(("SET", marker, row["stream_id"], "PX", memory))
            if kind == schema.KIND_DECISION:
                held = transfer.request_digest + decision.decision_id.encode()
                held += b"%d" % decision.decide_time_ms
                own = keys.request(payer, request_digest(transfer))
                writes.append(("SET", own, held, "PX", memory))
        return writes

    def _received(self, row: Row) -> list[Command]:
        if row["change"] != Change.RECEIVE:
            return []
        event = row["change_columns"][EVENT_ID].to_bytes(8, "little", signed=True)
        left = row["record_time_ms"] + RECEIVED_LIFE_MS - self.now_ms
        return [("SET", keys.received(bucket_of(row["account"]), event), 1, "PX", left)]
