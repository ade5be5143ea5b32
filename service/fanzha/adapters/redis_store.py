"""History, lists, stored answers and the journal, in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

from fanzha.adapters import keys
from fanzha.adapters.codec import decode_decision, decode_record, encode
from fanzha.adapters.commits import commit_call, messages_of
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.outcome_history import field_of, history_of
from fanzha.adapters.reads import ANSWER_HEAD, Reads, replies_to, stored_request
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.relay import Relay
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import bucket_of, bucket_of_decision, time_ms_of_decision
from fanzha.domain.outcomes import OutcomeHistory
from fanzha.domain.record import (
    DecisionOnRecord,
    DecisionRecord,
    ExecutionRecord,
    OutcomeRecord,
    Reconciled,
    Subject,
    WithdrawalRecord,
)
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DegradedPart
from fanzha.pipeline.ports import Added, Committed, Findings, ReportChanges, Taken

_NO_PAYEE = bytes(16)
_DECISION_KINDS = (b"decision", b"decision_update", b"conflict")
_CLOCKS_APART_MS = 10_000
_JOURNAL_LOOK = 2_000
_ANSWERS_MAX = 8
"""So many answers to one request are followed to the one that stands."""
_DAY_MS = 86_400_000
EXECUTION_LIFE_MS = 7 * _DAY_MS
"""How long the newest status of an execution is remembered. What is reported later changes history
only while the ring holds the event: else nobody knows any more what it counted for."""
OUTCOME_LIFE_MS = 400 * _DAY_MS
"""How long Redis holds a decision's outcomes after the last of them; the archive keeps them."""
_OUTCOME_KIND, _WITHDRAWAL_KIND = "outcome", "withdrawal"


@dataclass(frozen=True, slots=True)
class Lives:
    """How long answers and request ids are held, in milliseconds."""

    window_ms: int
    """Idempotency window: the same request id gets the stored answer."""
    memory_ms: int
    """For this long a later request with the same id is told of the earlier decision."""


class RedisStore:
    """Meets the ports `Store` and `Journal`."""

    def __init__(
        self,
        link: RedisLink,
        lists: CommittedLists,
        relay: Relay,
        lives: Lives,
        outage: OutageMemory,
    ) -> None:
        self.link = self._link = link
        self._lists = lists
        self._relay = relay
        self._lives = lives
        self.outage = self._outage = outage

    def find(self, transfer: Transfer, deadline_s: float) -> Findings:
        """Read everything about a transfer in one round trip; see the port.

        What a server that is away, or late, holds is None; the others' parts are there.
        """
        return self.find_all((transfer,), deadline_s)[0]

    def find_all(self, transfers: Sequence[Transfer], deadline_s: float) -> list[Findings]:
        """Read everything about several transfers in one round trip; see the port."""
        reads = [Reads(transfer) for transfer in transfers]
        replies = replies_to(reads, self._link, deadline_s)
        starts = accumulate([each.count for each in reads], initial=0)
        return [
            each.findings(start, replies, self._lists, self._outage)
            for start, each in zip(starts, reads, strict=False)
        ]

    def is_available(self, payer: bytes) -> bool:
        """Say whether the server of a payer's account answered when it was last asked."""
        return self._link.is_available(bucket_of(payer))

    def commit(
        self, record: DecisionRecord, body: bytes, now_ms: int, deadline_s: float | None = None
    ) -> Committed:
        """Store a decision if its request id is free; see the port."""
        return self._commit(record, body, now_ms, deadline_s, b"")

    def commit_again(self, record: DecisionRecord, body: bytes, now_ms: int) -> Committed:
        """Do as `commit` with a decision that was sent before; its journal entry says so.

        A content without the mark JOURNAL never takes the place of another one: it is the older.
        """
        is_marked = DegradedPart.JOURNAL in record.decision.degraded
        return self._commit(record, body, now_ms, None, b"1" if is_marked else b"2")

    def commit_all(
        self, records: Sequence[tuple[DecisionRecord, bytes, int]], deadline_s: float
    ) -> list[Committed | StoreUnavailableError]:
        """Store several decisions in one round trip; see the port."""
        calls = [self._call(record, body, now_ms, b"") for record, body, now_ms in records]
        replies = self._link.try_run(calls, deadline_s=deadline_s)
        return [
            reply if isinstance(reply, StoreUnavailableError) else self._committed(record, reply)
            for (record, _, _), reply in zip(records, replies, strict=True)
        ]

    def _commit(
        self,
        record: DecisionRecord,
        body: bytes,
        now_ms: int,
        deadline_s: float | None,
        again: bytes,
    ) -> Committed:
        call = self._call(record, body, now_ms, again)
        return self._committed(record, self._link.run([call], deadline_s=deadline_s)[0])

    def _call(self, record: DecisionRecord, body: bytes, now_ms: int, again: bytes) -> Command:
        lives = (self._lives.window_ms, self._lives.memory_ms)
        answer = answer_of(record)
        return commit_call(self._link.scripts, record, answer, body, now_ms, lives, again)

    def _committed(self, record: DecisionRecord, reply: list[Any]) -> Committed:
        if reply[0] == b"first":
            return Committed(stored_request(reply[1], reply[2]))
        for message in messages_of(record, reply[2:]):
            self._relay.tell(message)
        return Committed(entry=reply[1])

    def journaled(self, decision_id: str, deadline_s: float) -> tuple[bytes, bytes] | None:
        """Return a decision's record, and the id of its journal entry; see the port."""
        journal = keys.journal(bucket_of_decision(decision_id))
        try:
            (entry,) = self._link.run([("GET", keys.recorded(decision_id))], deadline_s=deadline_s)
            look = ("XRANGE", journal, entry, entry)
            found = self._link.run([look], deadline_s=deadline_s)[0] if entry else []
        except StoreUnavailableError:
            return None
        for _, flat in found:
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            if fields[b"k"] in _DECISION_KINDS:
                return fields[b"b"], entry
        return None

    def find_decision(self, decision_id: str) -> DecisionOnRecord | None:
        """Return a decision that Redis holds: its answer, or its record in the journal.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        answer, settled = self._link.run(
            [("GET", keys.decision(decision_id)), ("GET", keys.reconciled(decision_id))]
        )
        reconciled = self._reconciled(settled) if settled else None
        if answer:
            payer, payee, change = ANSWER_HEAD.unpack_from(answer)
            decision = decode_decision(answer[ANSWER_HEAD.size :])
            # A token may end with zero bytes, so nothing less than all of them means "no payee".
            payee = b"" if payee == _NO_PAYEE else payee
            return DecisionOnRecord(payer, payee, change, decision, reconciled)
        journal = keys.journal(bucket_of_decision(decision_id))
        # Entry ids are Redis's own time; clocks may differ by a few seconds.
        start = max(0, time_ms_of_decision(decision_id) - _CLOCKS_APART_MS)
        rows = self._link.run([("XRANGE", journal, start, "+", "COUNT", _JOURNAL_LOOK)])[0]
        for _, flat in reversed(rows):
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            if fields[b"k"] in _DECISION_KINDS and decision_id.encode() in fields[b"b"]:
                record = decode_record(fields[b"b"])
                if record.decision.decision_id == decision_id:
                    return on_record(record, reconciled)
        return None

    def _reconciled(self, settled: bytes) -> Reconciled:
        """Return what stands; a third answer may have been stricter than what stood of two."""
        stands, contradicted = settled[:26].decode(), settled[26:] == b"1"
        for _ in range(_ANSWERS_MAX):
            later = self._link.run([("GET", keys.reconciled(stands))])[0]
            if not later or later[:26].decode() == stands:
                break
            stands, contradicted = later[:26].decode(), contradicted or later[26:] == b"1"
        return Reconciled(stands, contradicted)

    def execute(self, subject: Subject, report: ExecutionRecord, change: bytes) -> Taken:
        """Take an execution report; see the port."""
        bucket = bucket_of_decision(report.decision_id)
        args = (
            change,
            int(report.status),
            encode(report),
            subject.payee,
            EXECUTION_LIFE_MS,
            subject.payer,
            subject.payer[:8],
            report.execute_time_ms,
            int(
                report.record_time_ms - time_ms_of_decision(report.decision_id) > EXECUTION_LIFE_MS
            ),
        )
        reply = self._run(
            "execution", subject.payer, keys.execution(report.decision_id), bucket, args
        )
        if reply[0] == b"same":
            return Taken(Added.REPEATED, reply[2])
        self._hint(bucket, reply[1])
        return Taken(Added.NEW, reply[2])

    def outcomes(self, decision_id: str) -> OutcomeHistory:
        """Return what Redis holds of a decision's outcomes.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        flat = self._link.run([("HGETALL", keys.outcomes(decision_id))])[0]
        return history_of(zip(flat[::2], flat[1::2], strict=True))

    def add_outcome(
        self,
        subject: Subject,
        record: OutcomeRecord | WithdrawalRecord,
        known: OutcomeHistory,
        changes: ReportChanges,
    ) -> Taken:
        """Take an outcome or a withdrawal; see the port."""
        bucket = bucket_of_decision(record.decision_id)
        args = (
            field_of(record),
            encode(record),
            _OUTCOME_KIND if isinstance(record, OutcomeRecord) else _WITHDRAWAL_KIND,
            OUTCOME_LIFE_MS,
            subject.payer,
            len(known.records),
            changes.payer_kind,
            changes.payer,
            subject.payee,
            changes.payee_kind,
            changes.payee,
            *chain.from_iterable((field_of(one), encode(one)) for one in known.records),
        )
        own_key = keys.outcomes(record.decision_id)
        reply = self._run("outcome", subject.payer, own_key, bucket, args)
        if reply[0] == b"overtaken":
            return Taken(Added.OVERTAKEN)
        if reply[0] == b"repeated":
            return Taken(Added.REPEATED, reply[2])
        self._hint(bucket, reply[1])
        return Taken(Added.NEW, reply[2])

    def _run(
        self, script: str, payer: bytes, own_key: bytes, bucket: int, args: tuple[object, ...]
    ) -> list[Any]:
        script_keys = (
            keys.account(payer),
            own_key,
            keys.journal(bucket),
            keys.outbox(bucket),
            keys.epoch(bucket),
        )
        reply: list[Any] = self._link.run([self._link.scripts.call(script, script_keys, args)])[0]
        return reply

    def _hint(self, bucket: int, outbox_id: bytes) -> None:
        if outbox_id:
            self._relay.hint(bucket, outbox_id)


def on_record(record: DecisionRecord, reconciled: Reconciled | None = None) -> DecisionOnRecord:
    """Return what a later report needs to know of a decision's record."""
    transfer = record.transfer
    payee = transfer.payee.account if transfer.payee is not None else b""
    payer = transfer.payer.account
    return DecisionOnRecord(payer, payee, record.payer_change, record.decision, reconciled)


def answer_of(record: DecisionRecord) -> bytes:
    """Return what is held under a decision's key."""
    transfer = record.transfer
    payee = transfer.payee.account if transfer.payee is not None else b""
    head = ANSWER_HEAD.pack(transfer.payer.account, payee, record.payer_change)
    return head + encode(record.decision)
