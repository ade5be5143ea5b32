"""What happened after a decision: to the money, and in truth. Feeds history, journal, training."""

from dataclasses import dataclass

from fanzha.domain.decision import Decision
from fanzha.domain.errors import (
    DecisionNotFoundError,
    FieldFault,
    InvalidFieldsError,
    OutcomeNotFoundError,
    StoreUnavailableError,
)
from fanzha.domain.ids import is_decision_id
from fanzha.domain.outcomes import OutcomeHistory, may_withdraw
from fanzha.domain.record import (
    DecisionOnRecord,
    ExecutionRecord,
    OutcomeRecord,
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
from fanzha.pipeline.ports import Added, Aftermath, Clock, Decisions
from fanzha.pipeline.reports import report_changes
from fanzha.pipeline.validate import FUTURE_MS_MAX, ID, ID_RULE


@dataclass(frozen=True, slots=True)
class Reporter:
    """Takes reports about decisions; built once by `app`."""

    clock: Clock
    decisions: Decisions
    aftermath: Aftermath

    def get_decision(self, decision_id: str) -> tuple[Decision, DecisionSource]:
        """Return a decision given before, and where it was found.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, StoreUnavailableError.
        """
        _check({"decision_id": (is_decision_id(decision_id), _DECISION_RULE)}, ())
        found, source = self._find(decision_id)
        return found.decision, source

    def report_execution(
        self, report: ExecutionRecord, faults: tuple[FieldFault, ...] = ()
    ) -> bool:
        """Take what the bank did with the money; return whether that was new.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, StoreUnavailableError.
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
        return self.aftermath.execute(found, report, change)

    def record_outcome(self, outcome: OutcomeRecord, faults: tuple[FieldFault, ...] = ()) -> bool:
        """Take what a transfer turned out to be; return whether that was new.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, StoreUnavailableError.
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
        return self._add(found, outcome, self.decisions.outcomes(outcome.decision_id))

    def withdraw_outcome(
        self, withdrawal: WithdrawalRecord, faults: tuple[FieldFault, ...] = ()
    ) -> bool:
        """Take an outcome back; return whether that was new.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, OutcomeNotFoundError, StoreUnavailableError.
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
        return self._add(found, withdrawal, known)

    def list_outcomes(self, decision_id: str) -> OutcomeHistory:
        """Return the history of a decision's outcomes.

        Raises:
            InvalidFieldsError, DecisionNotFoundError, StoreUnavailableError.
        """
        _check({"decision_id": (is_decision_id(decision_id), _DECISION_RULE)}, ())
        self._find(decision_id)
        return self.decisions.outcomes(decision_id)

    def _add(
        self,
        found: DecisionOnRecord,
        record: OutcomeRecord | WithdrawalRecord,
        known: OutcomeHistory,
    ) -> bool:
        """Add a record to a history; judge it again when another one came in between."""
        for _ in range(_TRIES_MAX):
            changes = report_changes(found, known, known.plus(record))
            added = self.aftermath.add_outcome(found, record, known, changes)
            if added is not Added.OVERTAKEN:
                return added is Added.NEW
            known = self.decisions.outcomes(record.decision_id)
        raise StoreUnavailableError(f"outcomes of {record.decision_id} came faster than one by one")

    def _find(self, decision_id: str) -> tuple[DecisionOnRecord, DecisionSource]:
        found = self.decisions.find(decision_id)
        if found is None:
            raise DecisionNotFoundError(decision_id)
        return found

    def _is_past(self, time_ms: int) -> bool:
        return 0 < time_ms <= self.clock.now_ms() + FUTURE_MS_MAX


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
