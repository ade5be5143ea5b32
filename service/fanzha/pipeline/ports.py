"""What the pipeline needs from outside: a few methods each, met by `adapters` and by test fakes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Decision, FraudTypeGuess, Reason, Score
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.evidence import NO_LINKS, AccountState, LinkState, ListSubject, WatchlistEntry
from fanzha.domain.light import light_dataclass
from fanzha.domain.model import Head
from fanzha.domain.outcomes import OutcomeHistory
from fanzha.domain.record import (
    Actor,
    DecisionOnRecord,
    DecisionRecord,
    ExecutionRecord,
    ListProposal,
    OutcomeRecord,
    Subject,
    WithdrawalRecord,
)
from fanzha.domain.transfer import Transfer
from fanzha.domain.vocabulary import DecisionSource


class Clock(Protocol):
    """The service's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        ...

    def observe(self, event_time_ms: int) -> None:
        """Take note of a transfer's time; only a clock that follows the events cares."""
        ...


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """What is kept under a request id: who came first. Times in milliseconds since 1970 UTC."""

    request_digest: bytes
    decision_id: str
    decide_time_ms: int
    decision: Decision | None
    """The answer itself; None when it was given before the window and is no longer held."""


@light_dataclass(frozen=True, slots=True)
class Findings:
    """What one round trip to the store found. None: that part could not be read."""

    payer: AccountState | None
    payee: AccountState | None
    entries: tuple[tuple[ListSubject, WatchlistEntry], ...] | None
    """In the order in which they were committed."""
    lists_version: str
    stored: StoredRequest | None
    links: tuple[LinkState | None, ...] = NO_LINKS
    """In the order of `fanzha.domain.transfer.link_tokens`."""
    has_all_lists: bool = True
    """Whether `entries` are of all parts of the transfer; else some part's could not be read."""


class Store(Protocol):
    """History, lists and stored answers."""

    def find_all(self, transfers: Sequence[Transfer], deadline_s: float) -> list[Findings]:
        """Read everything about transfers in one round trip; never raises for an outage.

        Args:
            transfers: valid ones.
            deadline_s: instant of the monotonic clock, in seconds; what is later is left out.
        """
        ...


class Model(Protocol):
    """One model, loaded and checked."""

    def score(self, vector: npt.NDArray[np.float32]) -> Score:
        """Return the score of one vector, float32 of shape (features,)."""
        ...

    def scores(self, vectors: npt.NDArray[np.float32]) -> list[Score]:
        """Return the scores of vectors, float32 of shape (rows, features), as `score` does."""
        ...

    def reasons(self, vector: npt.NDArray[np.float32], head: Head) -> tuple[Reason, ...]:
        """Return what the score of a head rests on, the weightiest first, at most five."""
        ...

    def fraud_types(self, vector: npt.NDArray[np.float32]) -> tuple[FraudTypeGuess, ...]:
        """Return the types that a fraud with this vector may be of, the likeliest first."""
        ...


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The models of one moment; a decision reads them once, so that it never mixes versions."""

    champion: Model | None = None
    """Decides; None when none could be loaded."""
    shadow: Model | None = None
    """Scores beside the champion, without any effect."""


class Models(Protocol):
    """The models that are served."""

    def current(self) -> ServedModels:
        """Return the models of this moment."""
        ...


@light_dataclass(frozen=True, slots=True)
class Committed:
    """What became of a decision in the store."""

    first: StoredRequest | None = None
    """Another decision that holds the same request id, within the window; None: ours holds it."""
    entry: bytes = b""
    """Id of the newest journal entry about ours; empty when another one was first."""


class Journal(Protocol):
    """The record in Redis."""

    def is_available(self, payer: bytes) -> bool:
        """Say whether the part that holds a payer's account answered when it was last asked."""
        ...

    def commit(
        self, record: DecisionRecord, body: bytes, now_ms: int, deadline_s: float | None = None
    ) -> Committed:
        """Store a decision if its request id is free, with its changes of state, in one step.

        The same decision id again adds nothing but a newer content. What is not confirmed by
        `deadline_s`, an instant of the monotonic clock, counts as not confirmed.

        Raises:
            StoreUnavailableError: the store did not confirm; it may or may not hold the decision.
        """
        ...

    def commit_all(
        self, entries: Sequence[tuple[DecisionRecord, bytes]], now_ms: int, deadline_s: float
    ) -> list[Committed | StoreUnavailableError]:
        """Do as `commit` with several decisions in one round trip; say of each what became of it.

        Args:
            entries: decisions with their bytes; those of one payer take effect in this order.
            now_ms: the service's clock, milliseconds since 1970 UTC.
            deadline_s: instant of the monotonic clock, in seconds.
        """
        ...

    def journaled(self, decision_id: str, deadline_s: float) -> tuple[bytes, bytes] | None:
        """Return a decision's record from the journal, and the id of its entry.

        None: the journal holds it no longer, since the archive has it; or it does not answer by
        `deadline_s`, an instant of the monotonic clock.
        """
        ...


class Codec(Protocol):
    """Turns records into bytes."""

    def encode(self, record: object) -> bytes:
        """Return the bytes of a record of `fanzha.domain.record`."""
        ...


class Decisions(Protocol):
    """Decisions given before."""

    def find(self, decision_id: str) -> tuple[DecisionOnRecord, DecisionSource] | None:
        """Return a decision and where it was found, None when it is not on record.

        Raises:
            StoreUnavailableError: it is not in the archive, and Redis is away.
        """
        ...

    def outcomes(self, decision_id: str) -> OutcomeHistory:
        """Return all outcomes of a decision and their withdrawals.

        Raises:
            StoreUnavailableError: Redis is away.
        """
        ...


class Added(Enum):
    """What became of a report."""

    NEW = auto()
    REPEATED = auto()
    """It is held, or changes nothing."""
    OVERTAKEN = auto()
    """The history holds others that came in between: what follows has to be judged again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a report, and the id of its journal entry, or of a newer one."""

    added: Added
    entry: bytes = b""


@dataclass(frozen=True, slots=True)
class ReportChanges:
    """A REPORT or RETRACT of each account, packed by `fanzha.features.layout`; empty for none."""

    payer_kind: int = 0
    payer: bytes = b""
    payee_kind: int = 0
    payee: bytes = b""


class Aftermath(Protocol):
    """Takes what happened after a decision into history and journal."""

    def execute(self, subject: Subject, report: ExecutionRecord, change: bytes) -> Taken:
        """Take an execution report; it is NEW when it changed the stored status.

        Raises:
            StoreUnavailableError: Redis did not confirm.
        """
        ...

    def add_outcome(
        self,
        subject: Subject,
        record: OutcomeRecord | WithdrawalRecord,
        known: OutcomeHistory,
        changes: ReportChanges,
    ) -> Taken:
        """Take an outcome or a withdrawal, and the changes that it makes of accounts, in one step.

        Args:
            subject: the decision's transfer.
            record: what is new.
            known: the history that the changes were made from; if it is no longer the whole
                history, nothing is taken.
            changes: what changes of the accounts.

        Raises:
            StoreUnavailableError: Redis did not confirm.
        """
        ...


class ListProposals(Protocol):
    """Changes of the lists that wait for their second person. All raise StoreUnavailableError."""

    def propose(
        self, proposer: Actor, comment: str, entries: Iterable[tuple[bytes, WatchlistEntry]]
    ) -> ListProposal:
        """Keep entries as a proposal; whatever `entries` raises leaves nothing behind."""
        ...

    def find(self, proposal_id: str) -> ListProposal:
        """Return a proposal. Raises ProposalNotFoundError."""
        ...

    def approve(self, proposal_id: str, approver: Actor) -> tuple[int, str]:
        """Bring a proposal into effect; return the count of its entries and the lists version.

        Raises:
            ProposalNotFoundError: there is none.
            ProposalClosedError: it was decided otherwise or by somebody else, or has expired.
        """
        ...

    def reject(self, proposal_id: str, by: Actor, comment: str) -> ListProposal:
        """Reject a proposal or take it back.

        Raises:
            ProposalNotFoundError: there is none.
            ProposalClosedError: it was decided, or has expired.
        """
        ...

    def newest(self) -> list[ListProposal]:
        """Return proposals, the newest first."""
        ...


Randomness = Callable[[int], bytes]
"""Returns that many random bytes."""
