"""Puts a decision into two places, spool and store, before it is answered."""

from dataclasses import dataclass, replace

import numpy as np

from fanzha.domain.decision import Decision, Score
from fanzha.domain.errors import NotRecordedError, RequestIdReusedError, StoreUnavailableError
from fanzha.domain.evidence import AccountState, Evidence, LinkState
from fanzha.domain.record import DecisionRecord
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DegradedPart
from fanzha.features.facts import UTC_OFFSET_S
from fanzha.pipeline.changes import changes_of
from fanzha.pipeline.ports import Codec, Journal, Spool, StoredRequest

NO_STATE = -1
"""Sequence of a state that was not seen."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """The two places, and the bytes that go there."""

    spool: Spool
    journal: Journal
    codec: Codec

    def has_both_places(self, payer: bytes) -> bool:
        """Say whether both took what they were last given; one that did not may have recovered."""
        return self.spool.is_writable and self.journal.is_available(payer)


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
    utc_offset_s = int(np.frombuffer(scored.facts, np.int64)[UTC_OFFSET_S])
    changes = changes_of(transfer, evidence, decision, utc_offset_s)
    return DecisionRecord(
        transfer=transfer,
        decision=decision,
        list_hits=evidence.list_hits,
        facts=scored.facts,
        vector=scored.vector,
        payer_seq=_seq(evidence.payer),
        payee_seq=_seq(evidence.payee),
        link_seqs=tuple(_seq(link) for link in evidence.links),
        payer_change=changes.payer,
        payee_change=changes.payee,
        payer_sightings=changes.payer_sightings,
        payee_sightings=changes.payee_sightings,
        shadow_reasons=shadow_reasons,
        shadow=shadow,
        step_us=step_us,
    )


def _seq(state: AccountState | LinkState | None) -> int:
    return NO_STATE if state is None else state.seq


class Recording:
    """A decision on its way to both places; `finish` waits until it may be answered."""

    def __init__(
        self, entry: DecisionRecord, places: Recorder, now_ms: int, deadline_s: float
    ) -> None:
        """Send the decision to both places.

        Args:
            entry: the decision's record.
            places: the two places.
            now_ms: the service's clock, milliseconds since 1970 UTC.
            deadline_s: instant of the monotonic clock, in seconds, until which the store may
                confirm.

        Raises:
            RequestIdReusedError: another body came first under the same request id.
            NotRecordedError: neither place took it.
        """
        self._entry = entry
        self._places = places
        self._now_ms = now_ms
        self._deadline_s = deadline_s
        self._ticket: int | None = None
        self._answer: Decision | None = None
        self._begin()

    def _begin(self) -> None:
        entry, places = self._entry, self._places
        body = places.codec.encode(entry)
        try:
            ticket = places.spool.append(body)
        except NotRecordedError:
            self._answer = _store_alone(entry, places, self._now_ms)
            return
        try:
            first = places.journal.commit(entry, body, self._now_ms, self._deadline_s).first
        except StoreUnavailableError:
            self._answer = _spool_alone(entry, places)
            return
        if first is not None:
            places.spool.supersede(entry.decision.decision_id)
            self._answer = _same_body(entry, first)
        else:
            self._ticket = ticket

    def finish(self) -> Decision:
        """Return the decision to answer, once it is on record.

        That is the record's own decision; or, when another attempt with the same request id was
        first, that one's. When one of the two places fails, the other holds the decision, marked as
        degraded.

        Raises:
            RequestIdReusedError: another body came first under the same request id.
            NotRecordedError: neither place took it.
        """
        if self._answer is None:
            spool, entry = self._places.spool, self._entry
            try:
                if self._ticket is not None:
                    spool.wait(self._ticket)
            except NotRecordedError:
                self._answer = _store_alone(entry, self._places, self._now_ms)
            else:
                spool.confirm(entry.decision.decision_id)
                self._answer = entry.decision
        return self._answer


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


def _spool_alone(entry: DecisionRecord, places: Recorder) -> Decision:
    marked = _marked(entry)
    body = places.codec.encode(marked)
    places.spool.wait(places.spool.append(body))
    places.spool.send_later(marked, body)
    return marked.decision


def _store_alone(entry: DecisionRecord, places: Recorder, now_ms: int) -> Decision:
    marked = _marked(entry)
    try:
        committed = places.journal.commit(marked, places.codec.encode(marked), now_ms)
    except StoreUnavailableError as error:
        raise NotRecordedError(
            "neither the spool nor Redis took the decision; free the disk or bring Redis back"
        ) from error
    first = committed.first
    if first is None:
        return marked.decision
    return _same_body(entry, first)
