"""What happened after a decision: to the money, and in truth. Feeds history, journal, training."""

from dataclasses import dataclass

from fanzha.domain.decision import Decision
from fanzha.domain.errors import DecisionNotFoundError, FieldFault, InvalidFieldsError
from fanzha.domain.ids import counterparty_of, is_decision_id
from fanzha.domain.record import DecisionOnRecord, ExecutionRecord, OutcomeRecord
from fanzha.domain.transfer import AMOUNT_MINOR_MAX
from fanzha.domain.vocabulary import DecisionSource, ExecutionStatus, OutcomeType
from fanzha.features.layout import ReportRole, pack_execution, pack_report, unpack_record
from fanzha.pipeline.ports import Aftermath, Clock, Decisions
from fanzha.pipeline.validate import FUTURE_MS_MAX, ID, ID_RULE, PLACE, PLACE_RULE

_REPORTED = {
    # What an outcome says of the payer and of the payee.
    OutcomeType.CONFIRMED_FRAUD: (ReportRole.VICTIM, ReportRole.MULE),
    OutcomeType.MULE_CONFIRMED: (None, ReportRole.MULE),
}


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
                "outcome.source": (PLACE.match(outcome.source) is not None, PLACE_RULE),
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
        payer_role, payee_role = _REPORTED.get(outcome.type, (None, None))
        payer_report = _report(found, outcome, payer_role, counterparty_of(found.payee))
        payee_report = b""
        if found.payee:
            payee_report = _report(found, outcome, payee_role, counterparty_of(found.payer))
        return self.aftermath.add_outcome(found, outcome, payer_report, payee_report)

    def _find(self, decision_id: str) -> tuple[DecisionOnRecord, DecisionSource]:
        found = self.decisions.find(decision_id)
        if found is None:
            raise DecisionNotFoundError(decision_id)
        return found

    def _is_past(self, time_ms: int) -> bool:
        return 0 < time_ms <= self.clock.now_ms() + FUTURE_MS_MAX


_DECISION_RULE = "must be the 26 characters of a decision id, as an answer gave it"
_TIME_RULE = "must be given, at most 10 minutes after the service's clock"
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


def _report(
    found: DecisionOnRecord, outcome: OutcomeRecord, role: ReportRole | None, other: int
) -> bytes:
    if role is None:
        return b""
    event_id, time_ms, *_ = unpack_record(found.payer_change)
    return pack_report(event_id, time_ms, outcome.fraud_type, role, other, outcome.report_time_ms)
