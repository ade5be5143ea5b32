"""What the journal holds: decisions with all they stood on, and everything that happened after."""

from dataclasses import field
from enum import StrEnum
from typing import Final

from fanzha.domain.decision import Decision, Score
from fanzha.domain.evidence import ListHit, WatchlistEntry
from fanzha.domain.light import light_dataclass
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import (
    ExecutionStatus,
    FraudType,
    ListProposalState,
    OutcomeSource,
    OutcomeType,
    WatchlistGrade,
    WatchlistKind,
)


@light_dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision with its full inputs.

    `facts` and `vector` are the kernel's input and output (int64 and float32, little endian);
    `payer_seq`, `payee_seq` and `link_seqs` name the states that the kernel saw, -1 when it saw
    none; links are in the order of `fanzha.domain.transfer.link_tokens`. `payer_change` and
    `payee_change` are the changes of state that the decision leaves behind, in the layout of
    `fanzha.features.layout`. Links that do not know an account yet are sent a sighting of it.
    """

    transfer: Transfer
    decision: Decision
    list_hits: tuple[ListHit, ...] | None
    facts: bytes
    vector: bytes
    payer_seq: int
    payee_seq: int
    payer_change: bytes
    payee_change: bytes
    link_seqs: tuple[int, ...] = ()
    payer_sightings: tuple[tuple[bytes, bytes], ...] = ()
    payee_sightings: tuple[tuple[bytes, bytes], ...] = ()
    """Tokens of links, and the SIGHTING of the payer's or payee's account that each is to take."""
    shadow_reasons: tuple[str, ...] = ()
    """Codes of shadow rules that held."""
    shadow: Score | None = None
    """What the shadow model says; it was asked after the decision was made."""
    step_us: dict[str, int] = field(default_factory=dict)
    """Time taken by each step so far, in microseconds."""


@light_dataclass(frozen=True, slots=True)
class Subject:
    """What a later report needs to know of a decision's transfer.

    `payer` and `payee` are account tokens, `payee` empty when there was none; `payer_change` is the
    change of state that the decision left behind.
    """

    payer: bytes
    payee: bytes
    payer_change: bytes


@light_dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of two answers to one request."""

    stands: str
    """The decision that is the answer."""
    contradicted: bool
    """Whether the two answers differed."""


@light_dataclass(frozen=True, slots=True)
class DecisionOnRecord(Subject):
    """A decision found again, with what a later report needs to know of its transfer."""

    decision: Decision
    reconciled: Reconciled | None = None
    """Given when its request was answered twice."""


@light_dataclass(frozen=True, slots=True)
class ReconciliationRecord:
    """Two workers answered one request during an outage, or Redis forgot the first answer.

    `first_id` held the request id in Redis, `second_id` was answered beside it. `stands` is the
    stricter of the two, and the first where they are equal; `contradicted` says whether they
    differed. The time is milliseconds since 1970 UTC.
    """

    request_id: str
    first_id: str
    second_id: str
    stands: str
    contradicted: bool
    record_time_ms: int


@light_dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """What the bank did with the money of one decision. Times are milliseconds since 1970 UTC."""

    decision_id: str
    status: ExecutionStatus
    execute_time_ms: int
    record_time_ms: int
    caller: str = ""
    """The client that said so, as the roles file names it; empty in records of before."""


@light_dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """What a transfer turned out to be. Times are milliseconds since 1970 UTC."""

    outcome_id: str
    decision_id: str
    type: OutcomeType
    fraud_type: FraudType
    source: OutcomeSource
    loss_minor: int | None
    recovered_minor: int | None
    report_time_ms: int
    record_time_ms: int
    caller: str = ""
    """The client that said so, as the roles file names it; empty in records of before."""


@light_dataclass(frozen=True, slots=True)
class WithdrawalRecord:
    """An outcome was taken back. Times are milliseconds since 1970 UTC."""

    outcome_id: str
    decision_id: str
    source: OutcomeSource
    reason: str
    report_time_ms: int
    record_time_ms: int
    caller: str = ""
    """The client that said so, as the roles file names it; empty in records of before."""


@light_dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, as their certificate or token showed it."""

    name: str
    roles: tuple[str, ...] = ()
    """What they might do at that moment."""
    identity: str = ""
    """Name in the certificate, or subject of the token; empty without TLS."""
    fingerprint: str = ""
    """SHA-256 of the certificate that opened the connection; a front's own, behind one."""
    front: str = ""
    """The front that passed on their token; empty without one."""


NOBODY: Final = Actor("")


@light_dataclass(frozen=True, slots=True)
class ListImportRecord:
    """One change of the watchlists, by two people."""

    import_id: str
    proposed_by: str
    approved_by: str
    comment: str
    entries: tuple[tuple[bytes, WatchlistEntry], ...]
    """Tokens and their entries."""
    record_time_ms: int
    proposal_id: str = ""
    """The proposal that was approved; empty for an import at once on loopback."""
    proposer: Actor = NOBODY
    approver: Actor = NOBODY
    """Who showed a certificate or a token for the two names; nobody on loopback."""
    commit: int = 0
    """Number of the commit, in the record of one; the lists' version is named by the first."""


@light_dataclass(frozen=True, slots=True)
class ListCount:
    """How many entries of a kind and grade a proposal holds."""

    kind: WatchlistKind
    grade: WatchlistGrade
    count: int


@light_dataclass(frozen=True, slots=True)
class ListProposalRecord:
    """A change of the watchlists that waits for its second person, who decides on it.

    Times are milliseconds since 1970 UTC.
    """

    proposal_id: str
    proposer: Actor
    comment: str
    counts: tuple[ListCount, ...]
    record_time_ms: int
    expire_time_ms: int


@light_dataclass(frozen=True, slots=True)
class ListVerdictRecord:
    """What the second person said about a proposal, or the first who took it back."""

    proposal_id: str
    is_approved: bool
    by: Actor
    comment: str
    record_time_ms: int


@light_dataclass(frozen=True, slots=True)
class ListProposal:
    """A proposal and what became of it."""

    record: ListProposalRecord
    state: ListProposalState
    verdict: ListVerdictRecord | None = None
    lists_version: str = ""
    """Version that it made; empty unless it took effect."""


class ModelRole(StrEnum):
    """What a model is served for."""

    CHAMPION = "champion"
    """It decides."""
    SHADOW = "shadow"
    """It scores beside the champion, without any effect."""


@light_dataclass(frozen=True, slots=True)
class StateRebuildRecord:
    """A bucket of an empty Redis was filled from the archive; see `fanzha.features.rebuilt`."""

    bucket: int
    base: int
    """The sequence of all its states."""
    subjects: int
    changes: int
    """So many changes of all subjects led to them."""
    record_time_ms: int


@light_dataclass(frozen=True, slots=True)
class ModelChangeRecord:
    """A model that a worker serves changed. Empty: none."""

    from_version: str
    to_version: str
    cause: str
    record_time_ms: int
    role: ModelRole = ModelRole.CHAMPION
