"""What this worker answered while Redis was away, so that a retry gets the same answer."""

import threading

from fanzha.domain.record import DecisionRecord
from fanzha.domain.transfer import Transfer
from fanzha.pipeline.ports import StoredRequest

_ANSWERS_MAX = 100_000


class OutageMemory:
    """Answers that Redis does not hold yet, by caller, payer and request id; bounded."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, bytes, str], StoredRequest] = {}
        self._lock = threading.Lock()

    def keep(self, record: DecisionRecord) -> None:
        """Remember an answer."""
        answer = StoredRequest(
            record.transfer.request_digest,
            record.decision.decision_id,
            record.decision.decide_time_ms,
            record.decision,
        )
        with self._lock:
            self._answers[_key(record.transfer)] = answer
            if len(self._answers) > _ANSWERS_MAX:
                del self._answers[next(iter(self._answers))]

    def forget(self, record: DecisionRecord) -> None:
        """Forget an answer that Redis holds by now."""
        with self._lock:
            self._answers.pop(_key(record.transfer), None)

    def find(self, transfer: Transfer) -> StoredRequest | None:
        """Return the answer given to the same request id, None when there is none."""
        return self._answers.get(_key(transfer)) if self._answers else None


def _key(transfer: Transfer) -> tuple[str, bytes, str]:
    return transfer.caller, transfer.payer.account, transfer.request_id
