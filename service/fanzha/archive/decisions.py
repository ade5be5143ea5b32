"""Finds a decision again: in Redis, or in the archive."""

from pathlib import Path

from fanzha.adapters.codec import decode_record
from fanzha.adapters.redis_store import RedisStore, on_record
from fanzha.archive.find import find_decision_body
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.record import DecisionOnRecord
from fanzha.domain.vocabulary import DecisionSource


class FoundDecisions:
    """Meets the port `Decisions`."""

    def __init__(self, store: RedisStore, archive: Path) -> None:
        self._store = store
        self._archive = archive

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
            return on_record(decode_record(body)), DecisionSource.ARCHIVE
        if away is not None:
            raise away
        return None
