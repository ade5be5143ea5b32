"""Errors that a caller can meet.

FanzhaError
├── InvalidFieldsError       fields missing or out of range, all of them at once
├── RequestIdReusedError     the same request id came with another body
├── DecisionNotFoundError    no decision on record under this id
├── OutcomeNotFoundError     the decision has no outcome of this id
├── RoleRequiredError        the caller's roles do not allow the RPC
├── OverloadedError          the service is at its limit
├── StoppingError            this worker is being stopped; another one answers
├── StoreUnavailableError    a part that the call cannot do without is away
├── NotRecordedError         the decision could be recorded nowhere and is not given
└── SetupError               a command cannot start: names the cause and the remedy
    ├── ModelRefusedError    a model's files are corrupt or do not fit
    ├── NotTrustedError      a signature is missing, wrong, or by nobody who may sign this
    │   └── RegistryRefusedError  the registry says what nobody was entitled to say
    └── FileRefusedError     a policy, prompt or mapping file has faults, all of them at once
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One invalid field: its path in the request, and what would be right."""

    field: str
    description: str


class FanzhaError(Exception):
    """Base of all errors that have a meaning for the caller."""


class InvalidFieldsError(FanzhaError):
    """Fields are missing or out of range."""

    def __init__(self, faults: tuple[FieldFault, ...]) -> None:
        """Keep all faults, in the order of the request's fields."""
        super().__init__("; ".join(f"{fault.field}: {fault.description}" for fault in faults))
        self.faults = faults


class RequestIdReusedError(FanzhaError):
    """The request id was used before with another body."""

    def __init__(self, decision_id: str) -> None:
        """Keep the decision that holds the request id."""
        super().__init__(
            f"request_id was used before with another body (decision {decision_id}); "
            "send the same body again, or a new request_id"
        )
        self.decision_id = decision_id


class DecisionNotFoundError(FanzhaError):
    """No decision is on record under this id."""

    def __init__(self, decision_id: str) -> None:
        """Keep the id that was asked for."""
        super().__init__(f"no decision {decision_id} is on record in the store or the archive")
        self.decision_id = decision_id


class OutcomeNotFoundError(FanzhaError):
    """The decision has no outcome of this id."""

    def __init__(self, decision_id: str, outcome_id: str) -> None:
        """Keep both ids that were asked for."""
        super().__init__(
            f"decision {decision_id} has no outcome {outcome_id}; ListOutcomes names its outcomes"
        )
        self.decision_id = decision_id
        self.outcome_id = outcome_id


class RoleRequiredError(FanzhaError):
    """The caller's roles do not allow the RPC."""

    def __init__(self, method: str, role: str) -> None:
        """Keep the method and the role it needs."""
        super().__init__(f"{method} needs the role {role!r}")
        self.method = method
        self.role = role


class OverloadedError(FanzhaError):
    """The service is at its limit."""


class StoppingError(FanzhaError):
    """The worker is being stopped; the call was not begun."""


class StoreUnavailableError(FanzhaError):
    """A part that the call cannot do without is away."""


class NotRecordedError(FanzhaError):
    """The decision could be recorded nowhere and is not given."""


class SetupError(FanzhaError):
    """A command cannot start."""


class ModelRefusedError(SetupError):
    """A model's files are corrupt or do not fit this service."""


class NotTrustedError(SetupError):
    """A signature is missing or wrong, or by nobody who may sign this."""


class RegistryRefusedError(NotTrustedError):
    """The registry of models is damaged, or says what nobody was entitled to say."""


class FileRefusedError(SetupError):
    """A policy, prompt or mapping file has faults."""

    def __init__(self, path: str, faults: tuple[str, ...]) -> None:
        """Keep the file and all its faults, each `line:column: what`."""
        lines = "\n".join(f"  {path}:{fault}" for fault in faults)
        super().__init__(f"{path} has {len(faults)} fault(s):\n{lines}")
        self.path = path
        self.faults = faults
