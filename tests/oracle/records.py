"""What accounts and links are told, and the transfer that is asked for."""

from dataclasses import dataclass

from fanzha.domain.vocabulary import (
    Channel,
    DecisionKind,
    ExecutionStatus,
    FraudType,
    PartyType,
    TransferKind,
)


def moved_money(decision: DecisionKind, status: ExecutionStatus) -> bool:
    """Posted; or not reported yet, and decided ALLOW or CONFIRM."""
    if status == ExecutionStatus.UNSPECIFIED:
        return decision in {DecisionKind.ALLOW, DecisionKind.CONFIRM}
    return status == ExecutionStatus.POSTED


@dataclass(frozen=True)
class Event:
    """An attempt to pay, as one of its two accounts remembers it; `other` is the other account.

    `other` is 0 where there is none. What no feature speaks of (channel, type of the other side) is
    here too, so that a test can vary it.
    """

    event_id: int
    time_ms: int
    amount_minor: int
    other: int
    decision: DecisionKind = DecisionKind.ALLOW
    status: ExecutionStatus = ExecutionStatus.UNSPECIFIED
    kind: TransferKind = TransferKind.TRANSFER
    utc_offset_s: int = 0
    same_owner: bool | None = None
    channel: Channel = Channel.MOBILE
    other_type: PartyType = PartyType.UNSPECIFIED

    @property
    def moved_money(self) -> bool:
        return moved_money(self.decision, self.status)

    @property
    def restrained(self) -> bool:
        return self.decision in {DecisionKind.CONFIRM, DecisionKind.PAUSE, DecisionKind.BLOCK}


@dataclass(frozen=True)
class Report:
    """A confirmed fraud that names the account: as the receiving one, or as the victim's."""

    event_id: int
    happened_ms: int
    known_ms: int
    names_mule: bool
    other: int = 0
    fraud: FraudType = FraudType.TASK_REBATE


@dataclass(frozen=True)
class Request:
    """A transfer as it is asked for; None is what was not said. The fields are the facts."""

    time_ms: int
    utc_offset_s: int
    amount_minor: int
    kind: int
    channel: int
    speed: int | None = None
    balance_before_minor: int | None = None
    payee_name_match: int | None = None
    payee_same_owner: int | None = None
    payee_same_bank: int | None = None
    payer_id: int = 1
    payer_type: int | None = None
    payer_segment: int | None = None
    payer_open_day: int | None = None
    payer_open_channel: int | None = None
    payer_dual_recording_done: int | None = None
    payer_anti_fraud_app: int | None = None
    payee_id: int | None = None
    payee_type: int | None = None
    payee_segment: int | None = None
    payee_open_day: int | None = None
    payee_open_channel: int | None = None
    payee_dual_recording_done: int | None = None
    call_in_progress: int | None = None
    screen_shared: int | None = None
    remote_control: int | None = None
    new_device: int | None = None
    new_e_channel: int | None = None
    limit_just_raised: int | None = None
    payer_list_grade: int | None = None
    payee_list_grade: int | None = None
    contact_list_grade: int | None = None
