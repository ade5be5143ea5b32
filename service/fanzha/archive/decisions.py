"""Finds a decision and its outcomes again: in Redis, or in the archive."""

from collections.abc import Callable

from fanzha.adapters.codec import decode, decode_record
from fanzha.adapters.outcome_history import in_order
from fanzha.adapters.redis_store import OUTCOME_LIFE_MS, RedisStore, on_record
from fanzha.archive.find import find_decision_body, find_outcome_bodies, find_reconciliation_bodies
from fanzha.archive.log import ArchiveLog
from fanzha.archive.schema import KIND_OUTCOME
from fanzha.archive.storage import Place
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.ids import time_ms_of_decision
from fanzha.domain.outcomes import OutcomeHistory
from fanzha.domain.record import (
    DecisionOnRecord,
    OutcomeRecord,
    Reconciled,
    ReconciliationRecord,
    WithdrawalRecord,
)
from fanzha.domain.vocabulary import DecisionSource


class FoundDecisions:
    """Meets the port `Decisions`."""

    def __init__(self, store: RedisStore, archive: Place, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._archive = ArchiveLog(archive)
        self._now_ms = now_ms

    def find(self, decision_id: str) -> tuple[DecisionOnRecord, DecisionSource] | None:
        """Return a decision and where it was found; see the port."""
        away: StoreUnavailableError | None = None
        try:
            found = self._store.find_decision(decision_id)
        except StoreUnavailableError as error:
            found, away = None, error
        if found is not None:
            return found, DecisionSource.STORE
        body = find_decision_body(self._archive, decision_id)
        if body is not None:
            reconciled = self._reconciled(decision_id)
            return on_record(decode_record(body), reconciled), DecisionSource.ARCHIVE
        if away is not None:
            raise away
        return None

    def _reconciled(self, decision_id: str) -> Reconciled | None:
        """Return what stands of two answers to one request; the last reconciliation counts."""
        stands, contradicted = "", False
        names = {decision_id}
        for body in find_reconciliation_bodies(self._archive, decision_id):
            record = decode(body, ReconciliationRecord)
            if names & {record.first_id, record.second_id}:
                # A third answer may have been stricter than what stood of two.
                names.add(record.stands)
                stands, contradicted = record.stands, contradicted or record.contradicted
        return Reconciled(stands, contradicted) if stands else None

    def outcomes(self, decision_id: str) -> OutcomeHistory:
        """Return a decision's outcomes; see the port.

        Redis forgets them a long time after the last one. Only then is the archive searched: an
        outcome lies under the day of its recording, so that every day since has to be looked at.
        """
        held = self._store.outcomes(decision_id)
        if held.records or self._now_ms() - time_ms_of_decision(decision_id) <= OUTCOME_LIFE_MS:
            return held
        return in_order(
            decode(body, OutcomeRecord) if kind == KIND_OUTCOME else decode(body, WithdrawalRecord)
            for kind, body in find_outcome_bodies(self._archive, decision_id)
        )
