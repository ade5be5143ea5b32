"""Reads everything that is known about a transfer, in one round trip. Decides nothing."""

from collections.abc import Sequence

from fanzha.domain.errors import RequestIdReusedError
from fanzha.domain.evidence import Evidence, ListHit
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DegradedPart
from fanzha.pipeline.ports import Findings, Store


def gather(
    transfer: Transfer, store: Store, now_ms: int, window_ms: int, deadline_s: float
) -> Evidence:
    """Return the evidence about a transfer; what could not be read is None in it.

    Args:
        transfer: a valid transfer.
        store: where history, lists and answers lie.
        now_ms: the service's clock, milliseconds since 1970 UTC.
        window_ms: idempotency window in milliseconds.
        deadline_s: instant of the monotonic clock, in seconds; what is later is left out.

    Raises:
        RequestIdReusedError: the request id was used in the window with another body.
    """
    return _evidence(transfer, store.find(transfer, deadline_s), now_ms, window_ms)


def gather_all(
    transfers: Sequence[tuple[Transfer, int]], store: Store, window_ms: int, deadline_s: float
) -> list[Evidence | RequestIdReusedError]:
    """Return for each transfer what `gather` returns or raises, after one round trip for all.

    Args:
        transfers: each with the service's clock at its turn, milliseconds since 1970 UTC.
        store: where history, lists and answers lie.
        window_ms: idempotency window in milliseconds.
        deadline_s: instant of the monotonic clock, in seconds; what is later is left out.
    """
    found = store.find_all([transfer for transfer, _ in transfers], deadline_s)
    gathered: list[Evidence | RequestIdReusedError] = []
    for (transfer, now_ms), findings in zip(transfers, found, strict=True):
        try:
            gathered.append(_evidence(transfer, findings, now_ms, window_ms))
        except RequestIdReusedError as error:
            gathered.append(error)
    return gathered


def _evidence(transfer: Transfer, findings: Findings, now_ms: int, window_ms: int) -> Evidence:
    hits = None
    if findings.entries is not None:
        # Of those in force the newest of a kind counts: one that is not yet or no longer in force
        # must not hide an older one that is.
        in_force = {
            (subject, entry.kind): ListHit(subject, entry)
            for subject, entry in findings.entries
            if entry.valid_from_ms <= now_ms < entry.valid_until_ms
        }
        hits = tuple(in_force.values())
    stored, answer, earlier = findings.stored, None, ""
    if stored is not None:
        if now_ms - stored.decide_time_ms >= window_ms or stored.decision is None:
            earlier = stored.decision_id
        elif stored.request_digest != transfer.request_digest:
            raise RequestIdReusedError(stored.decision_id)
        else:
            answer = stored.decision
    return Evidence(
        payer=findings.payer,
        payee=findings.payee,
        list_hits=hits,
        lists_version=findings.lists_version,
        links=findings.links,
        has_all_lists=findings.has_all_lists,
        stored=answer,
        earlier_decision_id=earlier,
    )


def missing_parts(transfer: Transfer, evidence: Evidence) -> tuple[DegradedPart, ...]:
    """Return the parts of the evidence that should be there and are not."""
    missing = []
    if evidence.payer is None:
        missing.append(DegradedPart.PAYER_HISTORY)
    if evidence.payee is None and transfer.payee is not None and transfer.payee.account:
        missing.append(DegradedPart.PAYEE_HISTORY)
    if evidence.list_hits is None or not evidence.has_all_lists:
        missing.append(DegradedPart.LISTS)
    return tuple(missing)
