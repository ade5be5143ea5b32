"""Errors to gRPC status: one table. Unknown errors say only an id that finds them in the log."""

import itertools
import logging
import math
import uuid
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from fanzha.domain.errors import (
    DeadlinePassedError,
    DecisionNotFoundError,
    DecisionNotYetKnownError,
    FanzhaError,
    FieldFault,
    FourEyesError,
    InvalidFieldsError,
    NotAuthenticatedError,
    NotRecordedError,
    OutcomeNotFoundError,
    OverloadedError,
    ProposalClosedError,
    ProposalNotFoundError,
    RateLimitedError,
    RequestIdReusedError,
    RoleRequiredError,
    StoppingError,
    StoreUnavailableError,
)
from fanzha.v1 import error_reason_pb2 as reasons
from fanzha.v1 import scoring_pb2 as scoring

log = logging.getLogger(__name__)

DOMAIN = "fanzha"
_PUSHBACK = "grpc-retry-pushback-ms"
_NAMED_MAX = 12
# In the message itself, for those who see nothing else: a stream's refusals, a log, a console.
_TOLD_MAX = 3
_RETRY_AFTER = "retry-after-ms"
_RETRY_AFTER_MS = 100
_SPREAD = itertools.count(0, 37)

_TABLE: dict[type[FanzhaError], tuple[int, reasons.ErrorReason.ValueType]] = {
    InvalidFieldsError: (code_pb2.INVALID_ARGUMENT, reasons.ERROR_REASON_INVALID_FIELDS),
    RequestIdReusedError: (code_pb2.ALREADY_EXISTS, reasons.ERROR_REASON_REQUEST_ID_REUSED),
    DecisionNotFoundError: (code_pb2.NOT_FOUND, reasons.ERROR_REASON_DECISION_NOT_FOUND),
    DecisionNotYetKnownError: (
        code_pb2.UNAVAILABLE,
        reasons.ERROR_REASON_DECISION_NOT_YET_KNOWN,
    ),
    OutcomeNotFoundError: (code_pb2.NOT_FOUND, reasons.ERROR_REASON_OUTCOME_NOT_FOUND),
    RoleRequiredError: (code_pb2.PERMISSION_DENIED, reasons.ERROR_REASON_ROLE_REQUIRED),
    NotAuthenticatedError: (code_pb2.UNAUTHENTICATED, reasons.ERROR_REASON_NOT_AUTHENTICATED),
    FourEyesError: (code_pb2.PERMISSION_DENIED, reasons.ERROR_REASON_FOUR_EYES),
    RateLimitedError: (code_pb2.RESOURCE_EXHAUSTED, reasons.ERROR_REASON_RATE_LIMITED),
    ProposalNotFoundError: (code_pb2.NOT_FOUND, reasons.ERROR_REASON_PROPOSAL_NOT_FOUND),
    ProposalClosedError: (code_pb2.FAILED_PRECONDITION, reasons.ERROR_REASON_PROPOSAL_CLOSED),
    OverloadedError: (code_pb2.RESOURCE_EXHAUSTED, reasons.ERROR_REASON_OVERLOADED),
    DeadlinePassedError: (code_pb2.DEADLINE_EXCEEDED, reasons.ERROR_REASON_DEADLINE_PASSED),
    StoppingError: (code_pb2.UNAVAILABLE, reasons.ERROR_REASON_STOPPING),
    StoreUnavailableError: (code_pb2.UNAVAILABLE, reasons.ERROR_REASON_STORE_UNAVAILABLE),
    NotRecordedError: (code_pb2.UNAVAILABLE, reasons.ERROR_REASON_NOT_RECORDED),
}

_ABOUT_A_DECISION = (RequestIdReusedError, DecisionNotFoundError, DecisionNotYetKnownError)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as callers see it."""

    code: int
    reason: reasons.ErrorReason.ValueType
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    faults: tuple[FieldFault, ...] = ()
    retry_after_ms: int = 0
    """When to try again, in milliseconds; 0: the error says nothing about that."""


def to_failure(error: Exception) -> Failure:
    """Return what callers may know of an error; logs what they may not."""
    for kind, (code, reason) in _TABLE.items():
        if isinstance(error, kind):
            faults = error.faults if isinstance(error, InvalidFieldsError) else ()
            # Why a store is away is for the log: it may name hosts.
            quiet = isinstance(error, StoreUnavailableError)
            if quiet:
                log.warning("%s", error)
            message = "a part that this call needs is away; try again" if quiet else str(error)
            if faults:
                message = _summary(faults)
            after_ms = _retry_after_ms(error)
            return Failure(code, reason, message, _metadata(error), faults, after_ms)
    error_id = uuid.uuid4().hex[:12]
    log.error("internal error %s", error_id, exc_info=error)
    return Failure(
        code_pb2.INTERNAL,
        reasons.ERROR_REASON_INTERNAL,
        f"internal error {error_id}",
        {"error_id": error_id},
    )


def _retry_after_ms(error: FanzhaError) -> int:
    """Return when to try again, 0 when the error says nothing about that."""
    if isinstance(error, RateLimitedError):
        return math.ceil(error.wait_s * 1000)
    if isinstance(error, OverloadedError):
        # The hint differs from call to call, so that not all come back at once.
        return _RETRY_AFTER_MS + next(_SPREAD) % _RETRY_AFTER_MS
    return 0


def _summary(faults: tuple[FieldFault, ...]) -> str:
    """Name the fields, and what is wrong with the first; the details have it of each."""
    told = [f"{fault.field} {fault.description}" for fault in faults[:_TOLD_MAX]]
    named = ", ".join(fault.field for fault in faults[_TOLD_MAX:_NAMED_MAX])
    told += [f"also {named}"] if named else []
    more = f" and {len(faults) - _NAMED_MAX} more" if len(faults) > _NAMED_MAX else ""
    return f"{len(faults)} invalid field(s): {'; '.join(told)}{more}"


def _metadata(error: FanzhaError) -> dict[str, str]:
    if isinstance(error, InvalidFieldsError):
        return {"violation_count": str(len(error.faults))}
    if isinstance(error, _ABOUT_A_DECISION):
        return {"decision_id": error.decision_id}
    if isinstance(error, OutcomeNotFoundError):
        return {"decision_id": error.decision_id, "outcome_id": error.outcome_id}
    if isinstance(error, (FourEyesError, ProposalNotFoundError, ProposalClosedError)):
        return {"proposal_id": error.proposal_id}
    if isinstance(error, RoleRequiredError):
        return {"method": error.method, "role": error.role}
    return {}


def to_call_error(failure: Failure) -> scoring.CallError:
    """Return a failure as one item of a batch shows it."""
    return scoring.CallError(
        code=failure.code,
        reason=failure.reason,
        message=failure.message,
        field_violations=[
            scoring.FieldViolation(field=fault.field, description=fault.description)
            for fault in failure.faults
        ],
    )


def to_status(failure: Failure) -> grpc.Status:
    """Return a failure as the status that a call ends with, with its details."""
    details = [Packed()]
    details[0].Pack(
        error_details_pb2.ErrorInfo(
            reason=reasons.ErrorReason.Name(failure.reason),
            domain=DOMAIN,
            metadata=failure.metadata,
        )
    )
    if failure.faults:
        details.append(Packed())
        details[-1].Pack(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=fault.field, description=fault.description
                    )
                    for fault in failure.faults
                ]
            )
        )
    if failure.retry_after_ms:
        details.append(Packed())
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(failure.retry_after_ms)
        details[-1].Pack(retry)
    rich = status_pb2.Status(code=failure.code, message=failure.message, details=details)
    status: Any = rpc_status.to_status(rich)
    if failure.retry_after_ms:
        # Clients with a retry policy keep to the first by themselves (gRFC A6).
        hints = [(name, str(failure.retry_after_ms)) for name in (_PUSHBACK, _RETRY_AFTER)]
        status = status._replace(trailing_metadata=(*status.trailing_metadata, *hints))
    return status  # type: ignore[no-any-return]


def abort(context: grpc.ServicerContext, failure: Failure) -> None:
    """End a call with a failure's status and details. Never returns."""
    context.abort_with_status(to_status(failure))
