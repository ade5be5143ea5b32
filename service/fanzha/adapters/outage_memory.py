"""What this worker answered while Redis was away, so that a retry gets the same answer."""

import threading
from dataclasses import dataclass
from typing import Final

from fanzha.adapters.codec import decode_decision, encode
from fanzha.domain.decision import Decision
from fanzha.domain.record import DecisionRecord
from fanzha.domain.transfer import Transfer
from fanzha.pipeline.ports import StoredRequest

_BYTES_MAX: Final = 64 * 2**20
_Key = tuple[str, bytes, str]


@dataclass(frozen=True, slots=True)
class _Answer:
    request_digest: bytes
    decision_id: str
    decide_time_ms: int
    body: bytes
    is_settled: bool = False
    """Whether Redis holds it by now. It counts still where Redis cannot be asked: the link of
    decisions may find Redis away for a while longer than the one that sent the record."""


class OutageMemory:
    """Answers that Redis did not hold when they were given, by caller, payer and request id.

    Bounded: of more than 64 MiB of answers the oldest are forgotten. A retry of theirs is decided
    anew, and the two answers are reconciled.
    """

    def __init__(self, window_ms: int, bytes_max: int = _BYTES_MAX) -> None:
        """Remember nothing yet.

        Args:
            window_ms: idempotency window; an answer that was given before it is none to a request
                that comes now.
            bytes_max: of all answers together.
        """
        self._window_ms = window_ms
        self._answers: dict[_Key, _Answer] = {}
        self._bytes = 0
        self._bytes_max = bytes_max
        self._lock = threading.Lock()

    def keep(self, record: DecisionRecord) -> StoredRequest | None:
        """Remember an answer, unless another one was given to the same request: return that."""
        decision = record.decision
        answer = _Answer(
            record.transfer.request_digest,
            decision.decision_id,
            decision.decide_time_ms,
            encode(decision),
        )
        key = _key(record.transfer)
        with self._lock:
            held = self._answers.get(key)
            ended_ms = decision.decide_time_ms - self._window_ms
            if held is not None and held.decide_time_ms <= ended_ms:
                self._bytes -= len(self._answers.pop(key).body)
            held = self._answers.setdefault(key, answer)
            if held is not answer:
                return None if held.decision_id == answer.decision_id else _stored(held)
            self._bytes += len(answer.body)
            while self._bytes > self._bytes_max:
                self._bytes -= len(self._answers.pop(next(iter(self._answers))).body)
        return None

    def settle(self, record: DecisionRecord, standing: Decision) -> None:
        """Note that Redis holds an answer by now, and which decision stands for its request."""
        key = _key(record.transfer)
        with self._lock:
            held = self._answers.get(key)
            if held is not None and held.decision_id == record.decision.decision_id:
                settled = _Answer(
                    held.request_digest,
                    standing.decision_id,
                    standing.decide_time_ms,
                    encode(standing),
                    is_settled=True,
                )
                self._bytes += len(settled.body) - len(held.body)
                self._answers[key] = settled

    def answer(self, transfer: Transfer, stored: StoredRequest | None) -> StoredRequest | None:
        """Return the answer given to a request.

        Args:
            transfer: the attempt.
            stored: what Redis says; None also when it could not be asked.
        """
        held = self._answers.get(_key(transfer)) if self._answers else None
        if held is None or (held.is_settled and stored is not None):
            return stored
        return _stored(held)


def _stored(answer: _Answer) -> StoredRequest:
    return StoredRequest(
        answer.request_digest,
        answer.decision_id,
        answer.decide_time_ms,
        decode_decision(answer.body),
    )


def _key(transfer: Transfer) -> _Key:
    return transfer.caller, transfer.payer.account, transfer.request_id
