"""What happened after a decision: to the money, and in truth. Feeds history, journal, training."""

import logging
import time
from dataclasses import dataclass

from fanzha.domain.errors import (
    DecisionNotFoundError,
    DecisionNotYetKnownError,
    FieldFault,
    InvalidFieldsError,
    NotRecordedError,
    OutcomeNotFoundError,
    StoreUnavailableError,
)
from fanzha.domain.ids import is_decision_id, time_ms_of_decision
from fanzha.domain.outcomes import OutcomeHistory, may_withdraw
from fanzha.domain.record import (
    DecisionOnRecord,
    ExecutionRecord,
    OutcomeRecord,
    Subject,
    WithdrawalRecord,
)
from fanzha.domain.transfer import AMOUNT_MINOR_MAX
from fanzha.domain.vocabulary import (
    DecisionSource,
    ExecutionStatus,
    OutcomeSource,
    OutcomeType,
)
from fanzha.features.layout import pack_execution
from fanzha.pipeline.ports import Added, Aftermath, Clock, Decisions, Taken
from fanzha.pipeline.reports import report_changes
from fanzha.pipeline.spool_ports import ReportSpool
from fanzha.pipeline.validate import FUTURE_MS_MAX, ID, ID_RULE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Takes reports about decisions; built once by `app`."""

    clock: Clock
    decisions: Decisions
    aftermath: Aftermath
    spool: ReportSpool
    wait_s: float = 2.0
    """So long the disk may take for a report that Redis holds, in seconds."""
    window_ms: int = 7_200_000
    """So long a decision that is not on record may still be on its way from another worker's spool,
    in milliseconds: the idempotency window."""

    def get_decision(self, decision_id: str) -> tuple[DecisionOnRecord, DecisionSource]:
        """Return a decision given before, and where it was found.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, DecisionNotYetKnownError,
            StoreUnavailableError.
        """
        _check({"decision_id": (is_decision_id(decision_id), _DECISION_RULE)}, ())
        return self._find(decision_id)

    def report_execution(
        self, report: ExecutionRecord, faults: tuple[FieldFault, ...] = ()
    ) -> bool:
        """Take what the bank did with the money; return whether that was new.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, DecisionNotYetKnownError,
            StoreUnavailableError.
        """
        _check(
            {
                "decision_id": (is_decision_id(report.decision_id), _DECISION_RULE),
                "status": (report.status != ExecutionStatus.UNSPECIFIED, "must be given"),
                "execute_time": (self._is_past(report.execute_time_ms), _TIME_RULE),
            },
            faults,
        )
        found, _ = self._find(report.decision_id)
        change = pack_execution(found.payer_change, report.status)
        taken = self.aftermath.execute(found, report, change)
        self._keep(found, report, taken)
        return taken.added is Added.NEW

    def begin_outcome(
        self, outcome: OutcomeRecord, faults: tuple[FieldFault, ...] = ()
    ) -> tuple[bool, int | None]:
        """Take an outcome, and return whether it was new and what `wait` waits for.

        So a stream of outcomes waits for the disk once, not once an outcome. It is on record when
        `wait` returns.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, DecisionNotYetKnownError,
            StoreUnavailableError.
        """
        _check(
            {
                "outcome.outcome_id": (ID.match(outcome.outcome_id) is not None, ID_RULE),
                "outcome.decision_id": (is_decision_id(outcome.decision_id), _DECISION_RULE),
                "outcome.type": (outcome.type != OutcomeType.UNSPECIFIED, "must be given"),
                "outcome.source": (outcome.source != OutcomeSource.UNSPECIFIED, "must be given"),
                "outcome.loss.minor_units": (_is_amount(outcome.loss_minor), _AMOUNT_RULE),
                "outcome.recovered.minor_units": (
                    _is_amount(outcome.recovered_minor),
                    _AMOUNT_RULE,
                ),
                "outcome.report_time": (self._is_past(outcome.report_time_ms), _TIME_RULE),
            },
            faults,
        )
        found, _ = self._find(outcome.decision_id)
        taken = self._add(found, outcome, self.decisions.outcomes(outcome.decision_id))
        return taken.added is Added.NEW, self._begin_keeping(found, outcome, taken)

    def withdraw_outcome(
        self, withdrawal: WithdrawalRecord, faults: tuple[FieldFault, ...] = ()
    ) -> bool:
        """Take an outcome back; return whether that was new.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, DecisionNotYetKnownError,
            OutcomeNotFoundError, StoreUnavailableError.
        """
        _check(
            {
                "decision_id": (is_decision_id(withdrawal.decision_id), _DECISION_RULE),
                "outcome_id": (ID.match(withdrawal.outcome_id) is not None, ID_RULE),
                "source": (withdrawal.source != OutcomeSource.UNSPECIFIED, "must be given"),
                "report_time": (self._is_past(withdrawal.report_time_ms), _TIME_RULE),
            },
            faults,
        )
        found, _ = self._find(withdrawal.decision_id)
        known = self.decisions.outcomes(withdrawal.decision_id)
        outcome = known.outcome(withdrawal.outcome_id)
        if outcome is None:
            raise OutcomeNotFoundError(withdrawal.decision_id, withdrawal.outcome_id)
        _check({"source": (may_withdraw(outcome.source, withdrawal.source), _WITHDRAW_RULE)}, ())
        taken = self._add(found, withdrawal, known)
        self._keep(found, withdrawal, taken)
        return taken.added is Added.NEW

    def list_outcomes(self, decision_id: str) -> OutcomeHistory:
        """Return the history of a decision's outcomes.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, DecisionNotYetKnownError,
            StoreUnavailableError.
        """
        _check({"decision_id": (is_decision_id(decision_id), _DECISION_RULE)}, ())
        self._find(decision_id)
        return self.decisions.outcomes(decision_id)

    def wait(self, ticket: int | None) -> None:
        """Return when a report is on disk, or when the disk has had its time.

        A disk that refuses or is late leaves the report to Redis alone, which holds it: an error
        would only have the bank send it again.
        """
        if ticket is None:
            return
        try:
            if not self.spool.wait(ticket, time.monotonic() + self.wait_s):
                log.warning("the disk is late: a report is in Redis alone so far")
        except NotRecordedError:
            log.warning("the disk refuses: a report is in Redis alone")

    def _keep(
        self,
        subject: Subject,
        record: ExecutionRecord | OutcomeRecord | WithdrawalRecord,
        taken: Taken,
    ) -> None:
        """Have a report that Redis holds on disk too."""
        self.wait(self._begin_keeping(subject, record, taken))

    def _begin_keeping(
        self,
        subject: Subject,
        record: ExecutionRecord | OutcomeRecord | WithdrawalRecord,
        taken: Taken,
    ) -> int | None:
        try:
            return self.spool.keep(subject, record, taken.entry)
        except NotRecordedError:
            log.warning("the disk refuses: a report is in Redis alone")
            return None

    def _add(
        self, subject: Subject, record: OutcomeRecord | WithdrawalRecord, known: OutcomeHistory
    ) -> Taken:
        return add_to_history(self.decisions, self.aftermath, subject, record, known)

    def _find(self, decision_id: str) -> tuple[DecisionOnRecord, DecisionSource]:
        found = self.decisions.find(decision_id)
        if found is None:
            if self.clock.now_ms() - time_ms_of_decision(decision_id) < self.window_ms:
                raise DecisionNotYetKnownError(decision_id)
            raise DecisionNotFoundError(decision_id)
        return found

    def _is_past(self, time_ms: int) -> bool:
        return 0 < time_ms <= self.clock.now_ms() + FUTURE_MS_MAX


def add_to_history(
    decisions: Decisions,
    aftermath: Aftermath,
    subject: Subject,
    record: OutcomeRecord | WithdrawalRecord,
    known: OutcomeHistory,
) -> Taken:
    """Add a record to a history; judge it again when another one came in between.

    Raises:
        StoreUnavailableError: Redis did not confirm, or others came faster each time.
    """
    for _ in range(_TRIES_MAX):
        changes = report_changes(subject, known, known.plus(record))
        taken = aftermath.add_outcome(subject, record, known, changes)
        if taken.added is not Added.OVERTAKEN:
            return taken
        known = decisions.outcomes(record.decision_id)
    raise StoreUnavailableError(f"outcomes of {record.decision_id} came faster than one by one")


_DECISION_RULE = "must be the 26 characters of a decision id, as an answer gave it"
_TIME_RULE = "must be given, at most 10 minutes after the service's clock"
_WITHDRAW_RULE = "must be the outcome's own source, POLICE or BANK_REVIEW"
_TRIES_MAX = 100
_AMOUNT_RULE = f"must be 0 to {AMOUNT_MINOR_MAX}"


def _is_amount(minor: int | None) -> bool:
    return minor is None or 0 <= minor <= AMOUNT_MINOR_MAX


def _check(rules: dict[str, tuple[bool, str]], faults: tuple[FieldFault, ...]) -> None:
    named = {fault.field for fault in faults}
    broken = [
        FieldFault(field, rule)
        for field, (valid, rule) in rules.items()
        if not valid and field not in named
    ]
    if broken or faults:
        raise InvalidFieldsError((*faults, *broken))
