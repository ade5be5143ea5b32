"""What the spool asks of Redis: is it still there, send it again, which of two answers stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fanzha.adapters import keys
from fanzha.adapters.codec import encode
from fanzha.adapters.reads import request_digest
from fanzha.adapters.redis_commit import Lives, answer_of
from fanzha.adapters.redis_link import Command
from fanzha.adapters.redis_store import RedisStore
from fanzha.adapters.spool_book import Place, place_of
from fanzha.domain.decision import Decision
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import BUCKETS, bucket_of
from fanzha.domain.record import (
    DecisionRecord,
    ExecutionRecord,
    OutcomeRecord,
    ReconciliationRecord,
    Subject,
    WithdrawalRecord,
)
from fanzha.features.layout import pack_execution
from fanzha.pipeline.aftermath import add_to_history
from fanzha.pipeline.ports import Decisions, StoredRequest

_TRIES_MAX: Final = 10
_EPOCH_UNIT: Final = 2**20
_CLOCKS_APART_S: Final = 2


@dataclass(slots=True)
class SpoolCounts:
    """What happened to this worker's records since it started; for health and metrics."""

    sent_again: int = 0
    """Records that Redis lacked, or might have, and has now."""
    contradicted: int = 0
    """Requests that got two different answers, reconciled to the stricter."""
    answered_twice: int = 0
    """Requests that got the same answer twice, under two decision ids."""
    other_bodies: int = 0
    """Request ids that came with two bodies during an outage: both answers are kept."""
    never_answered: int = 0
    """Spooled decisions that were not answered and gave way to the one that was."""
    torn_bytes: int = 0
    damaged_segments: int = 0
    dropped_segments: int = 0
    lineage_changes: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """One bucket's cursor of the archive, and its epoch; None: there is none."""

    archived: Place | None
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a decision that was sent: its journal entry, and what stands."""

    entry: bytes
    standing: Decision


class SpoolStore:
    """Redis as the spool sees it."""

    def __init__(self, store: RedisStore, lives: Lives, decisions: Decisions) -> None:
        self.outage = store.outage
        self.window_ms = lives.window_ms
        self._link = store.link
        self._store = store
        self._lives = lives
        self._decisions = decisions
        self.counts = SpoolCounts()

    @property
    def marker_life_ms(self) -> int:
        """How long Redis remembers that a decision was recorded, in milliseconds."""
        return self._lives.memory_ms

    def cursors(self) -> dict[int, Cursor]:
        """Return what all buckets say.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        reads: list[Command] = [
            ("MGET", keys.archived(bucket), keys.epoch(bucket)) for bucket in range(BUCKETS)
        ]
        return {
            bucket: Cursor(
                place_of(archived) if archived is not None else None,
                int(float(epoch)) if epoch is not None else None,
            )
            for bucket, (archived, epoch) in enumerate(self._link.run(reads))
        }

    def entries(self, decision_ids: Sequence[str]) -> list[bytes | None]:
        """Return the journal entry of each decision, None for those that Redis does not know.

        Raises:
            StoreUnavailableError: Redis did not answer.
        """
        reads: list[Command] = [("GET", keys.recorded(one)) for one in decision_ids]
        return self._link.run(reads) if reads else []

    def send(
        self, record: DecisionRecord, body: bytes, now_ms: int, *, is_answered: bool
    ) -> Sent | None:
        """Have Redis hold a decision.

        Args:
            record: the decision.
            body: its bytes.
            now_ms: the service's clock, milliseconds since 1970 UTC.
            is_answered: whether it is certain that it was answered.

        Returns:
            None for a decision that was never answered, as another one holds its request.

        Raises:
            StoreUnavailableError: Redis did not confirm.
        """
        for _ in range(_TRIES_MAX):
            committed = self._store.commit_again(record, body, now_ms)
            if committed.first is None:
                self.counts.sent_again += 1
                return Sent(committed.entry, record.decision)
            if not is_answered and not self._has_forgotten(record):
                self.counts.never_answered += 1
                return None
            sent = self._reconcile(record, body, committed.first, now_ms)
            if sent is not None:
                self.counts.sent_again += 1
                return sent
        raise StoreUnavailableError("the request's decision changed faster than it was reconciled")

    def report(
        self, subject: Subject, report: ExecutionRecord | OutcomeRecord | WithdrawalRecord
    ) -> bytes:
        """Have Redis hold a report; return its journal entry, or a newer one's.

        Raises:
            StoreUnavailableError: Redis did not confirm.
        """
        if isinstance(report, ExecutionRecord):
            change = pack_execution(subject.payer_change, report.status)
            return self._store.execute(subject, report, change).entry
        known = self._decisions.outcomes(report.decision_id)
        return add_to_history(self._decisions, self._store, subject, report, known).entry

    def _has_forgotten(self, record: DecisionRecord) -> bool:
        """Say whether Redis may have lost something since a decision was made.

        If not, a decision that it does not know was never committed, and so not answered.
        """
        bucket = bucket_of(record.transfer.payer.account)
        epoch = self._link.run([("GET", keys.epoch(bucket))])[0]
        began_s = int(float(epoch or 0)) // _EPOCH_UNIT
        return began_s + _CLOCKS_APART_S >= record.decision.decide_time_ms // 1000

    def _reconcile(
        self, record: DecisionRecord, body: bytes, first: StoredRequest, now_ms: int
    ) -> Sent | None:
        """Keep a second answer; return None when the first one moved on."""
        transfer, decision = record.transfer, record.decision
        bucket = bucket_of(transfer.payer.account)
        is_same = first.request_digest == transfer.request_digest
        settled = reconcile(first, decision, now_ms)
        own_keys = (
            keys.request(transfer.payer.account, request_digest(transfer)),
            keys.decision(decision.decision_id),
            keys.recorded(decision.decision_id),
            keys.journal(bucket),
            keys.epoch(bucket),
            keys.reconciled(first.decision_id),
            keys.reconciled(decision.decision_id),
        )
        args = (
            first.decision_id,
            self._lives.window_ms,
            self._lives.memory_ms,
            answer_of(record),
            body,
            transfer.payer.account,
            f"{settled.stands}{int(settled.contradicted)}",
            encode(settled) if is_same else b"",
            int(settled.stands == decision.decision_id),
            decision.decision_id,
        )
        reply = self._link.run([self._link.scripts.call("reconcile", own_keys, args)])[0]
        if reply[0] == b"moved":
            return None
        if reply[0] == b"kept":
            if not is_same:
                self.counts.other_bodies += 1
            elif settled.contradicted:
                self.counts.contradicted += 1
            else:
                self.counts.answered_twice += 1
        stands = first.decision if settled.stands == first.decision_id else decision
        return Sent(reply[1], stands or decision)


def reconcile(first: StoredRequest, second: Decision, now_ms: int) -> ReconciliationRecord:
    """Return which of two answers to one request stands: the stricter, of equals the first.

    Stricter is the more severe decision, and of two that hold the money the longer one. A first
    answer that this version cannot read gives way.
    """
    one = first.decision
    is_stricter = one is None or _severity(second) > _severity(one)
    return ReconciliationRecord(
        request_id=second.request_id,
        first_id=first.decision_id,
        second_id=second.decision_id,
        stands=second.decision_id if is_stricter else first.decision_id,
        contradicted=one is None or one.kind != second.kind,
        record_time_ms=now_ms,
    )


def _severity(decision: Decision) -> tuple[int, int]:
    return int(decision.kind), decision.hold_until_ms or 0
