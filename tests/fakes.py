"""What the pipeline's ports ask for, in plain Python: nothing outside the process is needed."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from tests.slow_history import SlowAccount, SlowLink

from fanzha.domain.decision import FraudTypeGuess, Reason, Score
from fanzha.domain.errors import NotRecordedError, StoreUnavailableError
from fanzha.domain.evidence import ListSubject, WatchlistEntry
from fanzha.domain.ids import counterparty_of
from fanzha.domain.model import Head
from fanzha.domain.record import DecisionRecord
from fanzha.domain.transfer import Transfer, link_tokens
from fanzha.domain.vocabulary import DegradedPart
from fanzha.pipeline.ports import Committed, Findings, Model, ServedModels, StoredRequest


class FrozenClock:
    """Stands still."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def observe(self, event_time_ms: int) -> None:
        pass


class FixedModel:
    """Gives every transfer the same points."""

    def __init__(self, points: int) -> None:
        self._points = points

    def score(self, vector: npt.NDArray[np.float32]) -> Score:
        return Score(margin=0.0, probability=0.5, points=self._points, model_version="fixed/1")

    def scores(self, vectors: npt.NDArray[np.float32]) -> list[Score]:
        return [self.score(vector) for vector in vectors]

    def reasons(self, vector: npt.NDArray[np.float32], head: Head) -> tuple[Reason, ...]:
        del vector, head
        return ()

    def fraud_types(self, vector: npt.NDArray[np.float32]) -> tuple[FraudTypeGuess, ...]:
        del vector
        return ()


class OneModel:
    """Serves one model, or none."""

    def __init__(self, model: Model | None) -> None:
        self._model = model

    def current(self) -> ServedModels:
        return ServedModels(self._model)


class FakeStore:
    """History and lists in dictionaries, by token; it holds no answers."""

    def __init__(
        self, *, is_away: bool = False, lacks: frozenset[DegradedPart] = frozenset()
    ) -> None:
        self.is_away, self.lacks = is_away, lacks
        self.accounts: defaultdict[bytes, SlowAccount] = defaultdict(SlowAccount)
        self.links: defaultdict[bytes, SlowLink] = defaultdict(SlowLink)
        self.entries: dict[bytes, list[WatchlistEntry]] = {}

    def find_all(self, transfers: Sequence[Transfer], deadline_s: float) -> list[Findings]:
        return [self.find(transfer, deadline_s) for transfer in transfers]

    def find(self, transfer: Transfer, deadline_s: float) -> Findings:
        if self.is_away:
            return Findings(None, None, None, "", None)
        payer, payee = transfer.payer.account, transfer.payee.account if transfer.payee else b""
        known = [(s, e) for s, token in subjects(transfer) for e in self.entries.get(token, [])]
        ours = self.accounts[payer].state(counterparty_of(payee))
        theirs = self.accounts[payee].state(0) if payee else None
        tokens = link_tokens(transfer)
        links = tuple(None if token is None else self.links[token].state() for token in tokens)
        return without(self.lacks, Findings(ours, theirs, tuple(known), "lists-1", None, links))


def without(lacks: frozenset[DegradedPart], findings: Findings) -> Findings:
    """Return findings of which parts could not be read."""
    if DegradedPart.PAYER_HISTORY in lacks:
        findings = replace(findings, payer=None)
    if DegradedPart.PAYEE_HISTORY in lacks:
        findings = replace(findings, payee=None)
    if DegradedPart.LISTS in lacks:
        findings = replace(findings, entries=None, lists_version="", has_all_lists=False)
    return findings


class _OneByOne:
    """Commits several as one after the other."""

    commit: Callable[..., Committed]

    def commit_all(
        self, entries: Sequence[tuple[DecisionRecord, bytes]], now_ms: int, deadline_s: float
    ) -> list[Committed | StoreUnavailableError]:
        said: list[Committed | StoreUnavailableError] = []
        for record, body in entries:
            try:
                said.append(self.commit(record, body, now_ms, deadline_s))
            except StoreUnavailableError as error:
                said.append(error)
        return said


class MemoryJournal(_OneByOne):
    """Keeps records; two of one request id do not meet in it."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.records: list[DecisionRecord] = []

    def is_available(self, payer: bytes) -> bool:
        return not self.is_away

    def commit(
        self, record: DecisionRecord, body: bytes, now_ms: int, deadline_s: float | None = None
    ) -> Committed:
        if self.is_away:
            raise StoreUnavailableError("Redis is away")
        self.records.append(record)
        return Committed()

    def journaled(self, decision_id: str, deadline_s: float) -> tuple[bytes, bytes] | None:
        return None


class _AtOnce:
    """Writes at once, and so calls back at once."""

    wait: Callable[[int, float | None], bool]

    def write(self) -> None: ...

    def tell(
        self,
        ticket: int,
        deadline_s: float,
        ready: Callable[[], None],
        late: Callable[[], None],
    ) -> None:
        (ready if self.wait(ticket, deadline_s) else late)()


class MemorySpool(_AtOnce):
    """Keeps records as bytes; `later` are those that the store has to get once it is back."""

    def __init__(self, *, is_full: bool = False, is_late: bool = False) -> None:
        self.is_full, self.is_late, self.is_writable = is_full, is_late, not is_full
        self.bodies, self.later = list[bytes](), list[DecisionRecord]()

    def append(
        self, decision_id: str, body: bytes, unmarked: int | None = None, entry: bytes | None = None
    ) -> int:
        if self.is_full:
            raise NotRecordedError("the disk is full")
        self.bodies.append(body)
        return len(self.bodies)

    def wait(self, ticket: int, deadline_s: float | None) -> bool:
        return not self.is_late

    def confirm(self, ticket: int, decision_id: str, entry: bytes) -> None: ...

    def supersede(self, ticket: int, decision_id: str) -> None: ...

    def send_later(self, ticket: int, record: DecisionRecord, body: bytes) -> StoredRequest | None:
        self.later.append(record)
        return None


def subjects(transfer: Transfer) -> list[tuple[ListSubject, bytes]]:
    """Return the parts of a transfer that lists may name, with their tokens."""
    payer, payee = transfer.payer, transfer.payee
    named = [
        (ListSubject.PAYER_ACCOUNT, payer.account),
        (ListSubject.PAYER_PHONE, payer.phone),
        (ListSubject.PAYER_PERSON, payer.person),
        (ListSubject.DEVICE, transfer.session.device),
    ]
    if payee is not None:
        named.append((ListSubject.PAYEE_ACCOUNT, payee.account))
        named.append((ListSubject.PAYEE_PHONE, payee.phone))
        named.append((ListSubject.PAYEE_PERSON, payee.person))
    return [(subject, token) for subject, token in named if token]
