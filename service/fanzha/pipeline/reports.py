"""What outcomes change of the accounts that they name: a REPORT, or the RETRACT of one."""

from fanzha.domain.ids import counterparty_of
from fanzha.domain.outcomes import OutcomeHistory, Question, Stand, standing
from fanzha.domain.record import Subject
from fanzha.domain.vocabulary import Answer
from fanzha.features.layout import Change, ReportRole, pack_report, unpack_record
from fanzha.pipeline.ports import ReportChanges


def report_changes(found: Subject, before: OutcomeHistory, after: OutcomeHistory) -> ReportChanges:
    """Return what changes of payer and payee when a decision's history grows.

    An account is named once, however many outcomes say the same, and no longer when what named it
    no longer stands.
    """
    was, now = standing(before.statements()), standing(after.statements())
    newest_ms = max(record.report_time_ms for record in after.records)
    event_id, happened_ms, *_ = unpack_record(found.payer_change)

    def change(question: Question, role: ReportRole, other: bytes) -> tuple[int, bytes]:
        stood, stands = was.of(question), now.of(question)
        if _names(stood) == _names(stands):
            return 0, b""
        kind, known_ms, fraud = Change.RETRACT, newest_ms, stood.fraud_type
        if _names(stands):
            kind, known_ms, fraud = Change.REPORT, stands.since_ms, stands.fraud_type
        packed = pack_report(event_id, happened_ms, fraud, role, counterparty_of(other), known_ms)
        return int(kind), packed

    payer = change(Question.PAYER_DECEIVED, ReportRole.VICTIM, found.payee)
    payee = (0, b"")
    if found.payee:
        payee = change(Question.PAYEE_MULE, ReportRole.MULE, found.payer)
    return ReportChanges(*payer, *payee)


def _names(stand: Stand) -> bool:
    return stand.answer is Answer.YES
