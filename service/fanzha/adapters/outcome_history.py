"""How Redis holds the outcomes of one decision: a hash, a field for each outcome and withdrawal."""

from collections.abc import Iterable

from fanzha.adapters.codec import decode
from fanzha.domain.outcomes import OutcomeHistory
from fanzha.domain.record import OutcomeRecord, WithdrawalRecord

_OUTCOME, _WITHDRAWAL = b"o", b"w"


def field_of(record: OutcomeRecord | WithdrawalRecord) -> bytes:
    """Return the field that holds a record; a withdrawal lies beside what it takes back."""
    kind = _OUTCOME if isinstance(record, OutcomeRecord) else _WITHDRAWAL
    return kind + record.outcome_id.encode()


def history_of(held: Iterable[tuple[bytes, bytes]]) -> OutcomeHistory:
    """Return records of a decision's outcomes, given by their fields, in the order of recording."""
    return in_order(
        decode(body, OutcomeRecord) if field[:1] == _OUTCOME else decode(body, WithdrawalRecord)
        for field, body in held
    )


def in_order(records: Iterable[OutcomeRecord | WithdrawalRecord]) -> OutcomeHistory:
    """Return a decision's records as they were recorded; by their ids within a millisecond."""
    history = OutcomeHistory()
    for record in sorted(records, key=lambda one: (one.record_time_ms, one.outcome_id)):
        history = history.plus(record)
    return history
