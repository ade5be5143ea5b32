"""A world that is told to the oracle and to the fold alike, and what each makes of transfers."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from tests.oracle.features import LINKS, Case, values
from tests.oracle.float32 import bits_of, bits_of_float, steps_between
from tests.oracle.history import Account, Link
from tests.oracle.records import Event, Report, Request
from tests.oracle.value import Value
from tests.oracle_records import (
    account_state,
    event_bytes,
    execution_bytes,
    facts_of,
    link_bytes,
    link_state,
    report_bytes,
)

from fanzha.domain.vocabulary import ExecutionStatus
from fanzha.features.fold import READ_LINK, READ_PAYEE, READ_PAYER, fold
from fanzha.features.kernel import feature_vector
from fanzha.features.layout import Change, unpack_record

Vector = npt.NDArray[np.float32]
_NEW = ExecutionStatus.UNSPECIFIED


class World:
    """Accounts by their numbers and links by their names."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.links: dict[str, Link] = {}
        self.expected: list[dict[str, Value]] = []
        """By the oracle, of each judged transfer."""
        self.served: list[Vector] = []
        """By the kernel, from the oracle's memory at that moment."""
        self._requests: list[Request] = []
        self._told: list[tuple[object, ...]] = []
        self._status: dict[tuple[int, int, bool], ExecutionStatus] = {}
        self._steps: dict[int | str, list[tuple[int, ...]]] = {}

    def account(self, number: int) -> Account:
        return self.accounts.setdefault(number, Account())

    def link(self, name: str) -> Link:
        return self.links.setdefault(name, Link())

    def attempt(self, account: int, *events: Event) -> None:
        for event in events:
            self.account(account).attempt(event)
            self._step(account, Change.ATTEMPT, event_bytes(event), event)

    def receive(self, account: int, *events: Event) -> None:
        for event in events:
            self.account(account).receive(event)
            self._step(account, Change.RECEIVE, event_bytes(event), event)

    def executed_out(self, account: int, event: Event, after: ExecutionStatus) -> None:
        before = self._status.get((account, event.event_id, True), _NEW)
        self._status[account, event.event_id, True] = after
        self.account(account).executed_out(event, before, after)
        record = execution_bytes(event, before, after)
        self._step(account, Change.EXECUTION_OUT, record, event.event_id, before, after)

    def executed_in(self, account: int, event: Event, after: ExecutionStatus) -> None:
        before = self._status.get((account, event.event_id, False), _NEW)
        self._status[account, event.event_id, False] = after
        self.account(account).executed_in(event, before, after)
        record = execution_bytes(event, before, after)
        self._step(account, Change.EXECUTION_IN, record, event.event_id, before, after)

    def report(self, account: int, *reports: Report) -> None:
        for report in reports:
            self.account(account).report(report)
            self._step(account, Change.REPORT, report_bytes(report), report)

    def retract(self, account: int, report: Report, known_ms: int) -> None:
        self.account(account).retract(report)
        taken_back = report_bytes(replace(report, known_ms=known_ms))
        self._step(account, Change.RETRACT, taken_back, report, known_ms)

    def clear(self, link: str, account: int, since_ms: int | None) -> None:
        self.link(link).clear(account, since_ms)
        self._step(link, Change.CLEAR, link_bytes(0, since_ms, account), account, since_ms)

    def sighting(self, link: str, account: int, time_ms: int, since_ms: int | None = None) -> None:
        self.link(link).sighting(account, time_ms, since_ms)
        record = link_bytes(time_ms, since_ms, account)
        self._step(link, Change.SIGHTING, record, account, time_ms, since_ms)

    def taint(self, link: str, account: int, since_ms: int) -> None:
        self.link(link).taint(account, since_ms, since_ms)
        record = link_bytes(since_ms, since_ms, account)
        self._step(link, Change.TAINT, record, account, since_ms)

    def judge(
        self,
        request: Request,
        *,
        read_payer: bool = True,
        read_payee: bool = True,
        links: dict[str, str] | None = None,
    ) -> dict[str, Value]:
        """Read what is known now; `links` are the names of the links by their place."""
        payer = self.account(request.payer_id) if read_payer else None
        payee_id = request.payee_id
        payee = None if payee_id is None or not read_payee else self.account(payee_id)
        given = {place: self.link(name) for place, name in (links or {}).items()}
        self.expected.append(values(Case(request, payer, payee, dict(given))))
        self.served.append(
            feature_vector(
                np.array(facts_of(request), np.int64),
                None if payer is None else account_state(payer, payee_id),
                None if payee is None else account_state(payee, None),
                [link_state(given[place]) if place in given else None for place in LINKS],
            )
        )
        row = len(self._requests)
        self._told.append((request, links))
        self._requests.append(request)
        if payer is not None:
            self._read(request.payer_id, READ_PAYER, row, (0, 0, 0, payee_id or 0, 0))
        if payee is not None and payee_id is not None:
            self._read(payee_id, READ_PAYEE, row, (0, 0, 0, 0, 0))
        for place, name in (links or {}).items():
            self._read(name, READ_LINK, row, (LINKS.index(place), 0, 0, 0, 0))
        return self.expected[-1]

    def folded(self) -> Vector:
        """Return what the fold makes of all judged transfers."""
        facts = np.array([facts_of(request) for request in self._requests], np.int64)
        steps = [
            (subject, *step) for subject, own in enumerate(self._steps.values()) for step in own
        ]
        return fold(facts, np.array(steps, np.int64).reshape(-1, 8))

    def differences(self) -> list[str]:
        """Return where the kernel is not what the oracle says, through either door."""
        if not self._requests:
            return []
        return [
            f"transfer {row}, {door}: {difference}"
            for door, vectors in (("fold", self.folded()), ("state", self.served))
            for row, (expected, vector) in enumerate(zip(self.expected, vectors, strict=True))
            for difference in differences(expected, vector.tolist())
        ]

    def story(self) -> str:
        """Return all that was told, for whoever looks for a difference."""
        return "\n".join(" ".join(map(str, line)) for line in self._told)

    def _step(self, subject: int | str, change: Change, record: bytes, *told: object) -> None:
        self._told.append((subject, change.name, *told))
        self._read(subject, change, 0, unpack_record(record))

    def _read(self, subject: int | str, step: int, row: int, columns: tuple[int, ...]) -> None:
        self._steps.setdefault(subject, []).append((step, row, *columns))


def differences(expected: dict[str, Value], got: Iterable[float]) -> Iterable[str]:
    """Yield the features that are not what the oracle says.

    Whole numbers are rounded to float32 once, to the last bit; others may be one step beside it.
    """
    for (name, value), number in zip(expected.items(), got, strict=True):
        if not _equal(value, number):
            exact = value if value is None or isinstance(value, int) else float(value)
            yield f"{name} is {number!r}, not {exact!r}"


def _equal(value: Value, number: float) -> bool:
    # NaN is the one number that is not itself.
    if value is None or number != number:  # noqa: PLR0124
        return value is None and number != number  # noqa: PLR0124
    exact = value if isinstance(value, Fraction) else Fraction(value)
    steps = steps_between(bits_of(exact), bits_of_float(number))
    return steps <= (1 if isinstance(value, Fraction | Decimal) else 0)
