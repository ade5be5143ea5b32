"""Puts a decision into two places, spool and store, before it is answered."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from struct import Struct
from typing import Final

from fanzha.domain.decision import Decision, Score
from fanzha.domain.errors import (
    FanzhaError,
    NotRecordedError,
    RequestIdReusedError,
    StoreUnavailableError,
)
from fanzha.domain.evidence import AccountState, Evidence
from fanzha.domain.record import DecisionRecord
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DegradedPart
from fanzha.features.facts import UTC_OFFSET_S
from fanzha.pipeline.answer import Repeated
from fanzha.pipeline.changes import changes_of
from fanzha.pipeline.ports import Codec, Committed, Journal, StoredRequest
from fanzha.pipeline.spool_ports import Spool

_FACT: Final = Struct("<q")
NO_STATE = -1
"""Sequence of a state that was not seen."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """The two places, and the bytes that go there."""

    spool: Spool
    journal: Journal
    codec: Codec
    wait_s: float = 2.0
    """So long a record may take to be in one place at least, in seconds."""

    def has_both_places(self, payer: bytes) -> bool:
        """Say whether both took what they were last given; one that did not may have recovered."""
        return self.spool.is_writable and self.journal.is_available(payer)

    def record_all(self, recordings: Sequence["Recording"]) -> list[Exception | None]:
        """Send decisions that are on their way to the store too, in one round trip.

        Returns:
            For each why it must not be answered: RequestIdReusedError, NotRecordedError; or None.
        """
        asked = [(one, entry) for one in recordings if (entry := one.to_commit) is not None]
        errors: dict[int, Exception] = {}
        if asked:
            # While the disk works, the store does.
            self.spool.write()
            entries = [entry for _, entry in asked]
            deadline_s = max(one.deadline_s for one, _ in asked)
            said = self.journal.commit_all(entries, asked[0][0].now_ms, deadline_s)
            for (one, _), what in zip(asked, said, strict=True):
                try:
                    one.committed(what)
                except FanzhaError as error:
                    errors[id(one)] = error
        return [errors.get(id(one)) for one in recordings]

    def repeat(self, answer: Decision, deadline_s: float) -> Repeated:
        """Have this worker's spool hold an answer that Redis says was given, and give it then.

        Who decided may have died, or had to give up, after Redis had the record and before its own
        disk had it. From now on the answer counts, and must not be in Redis alone. A disk that
        refuses or is late leaves it there: an error would only have the bank ask again.

        Args:
            answer: the one that was given.
            deadline_s: instant of time.monotonic() until which the second place is waited for.
        """
        ticket: int | None = None
        held = self.journal.journaled(answer.decision_id, deadline_s)
        if held is not None:
            body, entry = held
            with suppress(NotRecordedError):
                ticket = self.spool.append(answer.decision_id, body, entry=entry)
        return Repeated(answer, self.spool, ticket, deadline_s)


def to_record(
    transfer: Transfer,
    evidence: Evidence,
    scored: Scored,
    decision: Decision,
    shadow_reasons: tuple[str, ...],
    shadow: Score | None,
    step_us: dict[str, int],
) -> DecisionRecord:
    """Return the record of a decision with everything that it stood on and leaves behind."""
    (utc_offset_s,) = _FACT.unpack_from(scored.facts, UTC_OFFSET_S * _FACT.size)
    changes = changes_of(transfer, evidence, decision, utc_offset_s)
    return DecisionRecord(
        transfer=transfer,
        decision=decision,
        list_hits=evidence.list_hits,
        facts=scored.facts,
        vector=scored.vector,
        payer_seq=_seq(evidence.payer),
        payee_seq=_seq(evidence.payee),
        link_seqs=tuple([NO_STATE if link is None else link.seq for link in evidence.links]),
        payer_change=changes.payer,
        payee_change=changes.payee,
        payer_sightings=changes.payer_sightings,
        payee_sightings=changes.payee_sightings,
        shadow_reasons=shadow_reasons,
        shadow=shadow,
        step_us=step_us,
    )


def _seq(state: AccountState | None) -> int:
    return NO_STATE if state is None else state.seq


class Recording:
    """A decision on its way to both places; `finish` waits until it may be answered."""

    def __init__(
        self, entry: DecisionRecord, places: Recorder, now_ms: int, deadline_s: float
    ) -> None:
        """Send the decision to the spool; `Recorder.record_all` goes on from there.

        Args:
            entry: the decision with all that it stood on.
            places: where it goes.
            now_ms: the service's clock, milliseconds since 1970 UTC.
            deadline_s: instant of time.monotonic() until which the store may confirm, and after
                which a disk that is late is not waited for where the store has confirmed.

        Raises:
            NotRecordedError: neither place took it.
        """
        self._entry = entry
        self._places = places
        self.now_ms = now_ms
        self._until_s = time.monotonic() + places.wait_s
        self._ticket: int | None = None
        self._journal_entry: bytes | None = None
        self._answer: Decision | None = None
        self._repeated: Repeated | None = None
        self.deadline_s = deadline_s
        self.body = places.codec.encode(entry)
        try:
            self._ticket = places.spool.append(entry.decision.decision_id, self.body)
        except NotRecordedError:
            self._answer = self._store_alone(None)

    @property
    def to_commit(self) -> tuple[DecisionRecord, bytes] | None:
        """What the store is to take; None when it has been asked already."""
        return None if self._ticket is None else (self._entry, self.body)

    def committed(self, said: Committed | StoreUnavailableError) -> None:
        """Take note of what the store said.

        Raises:
            RequestIdReusedError: another body came first under the same request id.
            NotRecordedError: the store does not confirm, and the disk refuses.
        """
        entry, places = self._entry, self._places
        if isinstance(said, StoreUnavailableError):
            self._mark()
        elif said.first is not None:
            assert self._ticket is not None  # noqa: S101 - for the type checker
            places.spool.supersede(self._ticket, entry.decision.decision_id)
            first = _same_body(entry, said.first)
            self._repeated = places.repeat(first, self.deadline_s)
        else:
            self._journal_entry = said.entry

    def when_ready(self, ready: Callable[[], None], late: Callable[[], None]) -> None:
        """Have one of two functions called; see `Answer`."""
        if self._repeated is not None:
            self._repeated.when_ready(ready, late)
        elif self._answer is not None or self._ticket is None:
            ready()
        else:
            # Without the store the disk alone holds it: then it is waited for longer.
            until_s = self._until_s if self._journal_entry is None else self.deadline_s
            self._places.spool.tell(self._ticket, until_s, ready, late)

    def finish(self) -> Decision:
        """Return the decision to answer, once it is on record.

        That is the record's own decision; or, when another attempt with the same request id was
        first, that one's. When one of the two places fails or is late, the other holds the
        decision, marked as degraded.

        Raises:
            RequestIdReusedError: another body came first under the same request id.
            NotRecordedError: neither place took it in time.
        """
        if self._repeated is not None:
            return self._repeated.finish()
        if self._answer is None:
            is_stored = self._journal_entry is not None
            self._answer = self._stored() if is_stored else self._spool_alone()
        return self._answer

    def _stored(self) -> Decision:
        """Redis has confirmed: wait for the disk, but not past the deadline."""
        spool, decision = self._places.spool, self._entry.decision
        assert self._ticket is not None  # noqa: S101 - for the type checker
        assert self._journal_entry is not None  # noqa: S101
        try:
            if spool.wait(self._ticket, self.deadline_s):
                spool.confirm(self._ticket, decision.decision_id, self._journal_entry)
                return decision
            self._mark()
        except NotRecordedError:
            return self._store_alone(None)
        return self._store_alone(self._ticket)

    def _mark(self) -> None:
        """Have the spool hold what will be answered: the decision with the mark.

        Raises:
            NotRecordedError: the disk refuses.
        """
        self._entry = _marked(self._entry)
        decision_id = self._entry.decision.decision_id
        body = self._places.codec.encode(self._entry)
        spool, unmarked = self._places.spool, self._ticket
        try:
            self._ticket = spool.append(decision_id, body, unmarked)
        except NotRecordedError:
            if unmarked is not None and self._journal_entry is None:
                spool.supersede(unmarked, decision_id)
            raise

    def _spool_alone(self) -> Decision:
        """Redis has not confirmed: nothing is answered before the disk has it."""
        entry, spool, ticket = self._entry, self._places.spool, self._ticket
        assert ticket is not None  # noqa: S101 - for the type checker
        if not spool.wait(ticket, self._until_s):
            spool.supersede(ticket, entry.decision.decision_id)
            raise NotRecordedError(
                "Redis is away, and the disk of the spool is too slow; send the request again"
            )
        first = spool.send_later(ticket, entry, self._places.codec.encode(entry))
        if first is None:
            return entry.decision
        # Its own record must not look as if it had been answered too.
        spool.supersede(ticket, entry.decision.decision_id)
        return _same_body(entry, first)

    def _store_alone(self, ticket: int | None) -> Decision:
        """Have Redis hold what is answered, marked: the disk refuses, or is late."""
        places, entry = self._places, _marked(self._entry)
        body = places.codec.encode(entry)
        try:
            committed = places.journal.commit(entry, body, self.now_ms)
        except StoreUnavailableError as error:
            if ticket is not None:
                return self._spool_alone()
            raise NotRecordedError(
                "neither the spool nor Redis took the decision; free the disk or bring Redis back"
            ) from error
        if committed.first is not None:
            return _same_body(entry, committed.first)
        if self._ticket is not None:
            # Also where the disk refused the mark: what it took before may lie there some day.
            places.spool.confirm(self._ticket, entry.decision.decision_id, committed.entry)
        return entry.decision


def _same_body(entry: DecisionRecord, first: StoredRequest) -> Decision:
    if first.request_digest != entry.transfer.request_digest:
        raise RequestIdReusedError(first.decision_id)
    if first.decision is None:
        raise NotRecordedError(
            f"decision {first.decision_id} holds this request_id in a form that this version "
            "cannot read; send a new request_id"
        )
    return first.decision


def _marked(entry: DecisionRecord) -> DecisionRecord:
    degraded = tuple(sorted({*entry.decision.degraded, DegradedPart.JOURNAL}))
    return replace(entry, decision=replace(entry.decision, degraded=degraded))
