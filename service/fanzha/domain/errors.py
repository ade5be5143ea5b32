"""Errors that a caller can meet.

FanzhaError
├── InvalidFieldsError       fields missing or out of range, all of them at once
├── RequestIdReusedError     the same request id came with another body
├── DecisionNotFoundError    no decision on record under this id
├── OutcomeNotFoundError     the decision has no outcome of this id
├── ProposalNotFoundError    no proposal of this id
├── ProposalClosedError      the proposal was decided or has expired
├── DeniedError              who calls may not do this
│   ├── NotAuthenticatedError  what the caller shows does not count
│   ├── RoleRequiredError    the caller's roles do not allow the RPC
│   ├── FourEyesError        nobody approves what the same person proposed
│   └── RateLimitedError     the caller may, but not so often
├── OverloadedError          the service is at its limit
├── DeadlinePassedError      the client waits no longer
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


class DecisionNotYetKnownError(FanzhaError):
    """No decision is on record under this young id, but one may be on its way."""

    def __init__(self, decision_id: str) -> None:
        """Keep the id that was asked for."""
        super().__init__(
            f"decision {decision_id} is not on record yet; one that was answered while the store "
            "was away comes when its worker reaches the store again; try again"
        )
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


class ProposalNotFoundError(FanzhaError):
    """No proposal of this id."""

    def __init__(self, proposal_id: str) -> None:
        """Keep the id that was asked for."""
        super().__init__(f"there is no proposal {proposal_id}; ListProposals names those there are")
        self.proposal_id = proposal_id


class ProposalClosedError(FanzhaError):
    """The proposal was decided or has expired."""

    def __init__(self, proposal_id: str, state: str) -> None:
        """Keep the proposal and what became of it."""
        super().__init__(
            f"{proposal_id} is {state} already and cannot be decided any more; "
            "what it did not bring has to be proposed anew"
        )
        self.proposal_id = proposal_id


class DeniedError(FanzhaError):
    """Who calls may not do this."""

    cause = "denied"
    """What the count of denied calls names it."""


class NotAuthenticatedError(DeniedError):
    """What the caller shows does not count."""

    cause = "not authenticated"


class FourEyesError(DeniedError):
    """Nobody approves what the same person proposed."""

    cause = "same person"

    def __init__(self, proposal_id: str, proposer: str) -> None:
        """Keep the proposal and who proposed it."""
        super().__init__(
            f"{proposal_id} was proposed by {proposer}, who cannot approve it as well; "
            "another person must"
        )
        self.proposal_id = proposal_id


class RateLimitedError(DeniedError):
    """The caller may, but not so often."""

    cause = "too often"

    def __init__(self, rate_per_s: float, wait_s: float) -> None:
        """Keep after how many seconds it may again."""
        super().__init__(f"this client may make {rate_per_s:g} calls a second; wait, then go on")
        self.wait_s = wait_s


class RoleRequiredError(DeniedError):
    """The caller's roles do not allow the RPC."""

    cause = "role missing"

    def __init__(self, method: str, role: str) -> None:
        """Keep the method and the role it needs."""
        super().__init__(f"{method} needs the role {role}; the roles file says who has it")
        self.method = method
        self.role = role


class OverloadedError(FanzhaError):
    """The service is at its limit."""


class DeadlinePassedError(FanzhaError):
    """The client's deadline had passed before the call was begun."""


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
