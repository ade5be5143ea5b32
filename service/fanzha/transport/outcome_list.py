"""The history of a decision's outcomes as the wire shows it."""

from fanzha.domain.outcomes import OutcomeHistory, Stand, is_entitled, standing
from fanzha.domain.record import OutcomeRecord
from fanzha.transport.convert import to_stamp
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import transfer_pb2 as wire


def to_list(history: OutcomeHistory, base_currency: str) -> outcomes.ListOutcomesResponse:
    """Return all outcomes in the order of their recording, and what stands by them."""
    stands = standing(history.statements())
    answer = outcomes.ListOutcomesResponse(
        payer_deceived=_stand(stands.deceived), payee_mule=_stand(stands.mule)
    )
    for outcome in history.outcomes:
        entry = answer.entries.add(
            outcome=_outcome(outcome, base_currency),
            record_time=to_stamp(outcome.record_time_ms),
            entitled=is_entitled(outcome.type, outcome.source),
            caller=outcome.caller,
        )
        withdrawal = history.withdrawal(outcome.outcome_id)
        if withdrawal is not None:
            entry.withdrawal.CopyFrom(
                outcomes.Withdrawal(
                    source=int(withdrawal.source),  # type: ignore[arg-type]
                    reason=withdrawal.reason,
                    report_time=to_stamp(withdrawal.report_time_ms),
                    record_time=to_stamp(withdrawal.record_time_ms),
                    caller=withdrawal.caller,
                )
            )
    return answer


def _outcome(outcome: OutcomeRecord, base_currency: str) -> outcomes.Outcome:
    def money(minor: int | None) -> wire.Money | None:
        if minor is None:
            return None
        return wire.Money(currency_code=base_currency, minor_units=minor)

    return outcomes.Outcome(
        outcome_id=outcome.outcome_id,
        decision_id=outcome.decision_id,
        type=int(outcome.type),  # type: ignore[arg-type]
        fraud_type=int(outcome.fraud_type),  # type: ignore[arg-type]
        source=int(outcome.source),  # type: ignore[arg-type]
        loss=money(outcome.loss_minor),
        recovered=money(outcome.recovered_minor),
        report_time=to_stamp(outcome.report_time_ms),
    )


def _stand(stand: Stand) -> outcomes.Stand:
    shown = outcomes.Stand(
        answer=int(stand.answer),  # type: ignore[arg-type]
        strength=int(stand.strength),  # type: ignore[arg-type]
        outcome_id=stand.outcome_id,
    )
    if stand.since_ms:
        shown.since_time.CopyFrom(to_stamp(stand.since_ms))
    return shown
