"""A tiny served archive, written by the archive's schema from a service played in slow motion.

Reads and commits of decisions interleave, as they do in a service with many threads: a decision
may see an account's state of some changes ago.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.slow_history import SlowAccount, SlowLink
from tests.training.streams import DAY_MS, MINUTE_MS, START_MS, UTC_OFFSET_S

from fanzha.archive import schema
from fanzha.domain.ids import bucket_of, counterparty_of, event_id_of_decision, new_decision_id
from fanzha.domain.transfer import LINKS_OF_PAYER, Party, Session, Transfer, link_tokens
from fanzha.domain.vocabulary import (
    Channel,
    DecisionKind,
    ExecutionStatus,
    FraudType,
    OutcomeSource,
    OutcomeType,
    PartyType,
    TransferKind,
)
from fanzha.features.facts import request_facts
from fanzha.features.kernel import feature_vector
from fanzha.features.layout import (
    Change,
    ReportRole,
    pack_event,
    pack_execution,
    pack_flags,
    pack_link,
    pack_report,
    unpack_record,
)

Row = dict[str, Any]


@dataclass
class PlayedService:
    """Plays a service; `rows` are what its journal holds, in order."""

    rng: random.Random
    rows: list[Row] = field(default_factory=list)
    decided: list[Row] = field(default_factory=list)
    _accounts: dict[bytes, SlowAccount] = field(default_factory=dict)
    _links: dict[bytes, SlowLink] = field(default_factory=dict)
    _read: list[tuple[Row, Transfer]] = field(default_factory=list)
    _outbox: list[tuple[bytes, Change, bytes]] = field(default_factory=list)
    _now_ms: int = START_MS

    def play(self, steps: int, days: float = 10) -> "PlayedService":
        self._accounts = {self.rng.randbytes(16): SlowAccount() for _ in range(6)}
        self._links = {self.rng.randbytes(16): SlowLink() for _ in range(5)}
        actions = (self._gather, self._gather, self._commit, self._commit, self._relay, self._relay)
        more = (self._execute, self._report)
        for _ in range(steps):
            self._now_ms += self.rng.randrange(round(2 * days * DAY_MS / steps))
            self.rng.choice(actions if self.rng.random() < 0.8 else more)()
        while self._read:
            self._commit()
        while self._outbox:
            self._relay()
        return self

    def _gather(self) -> None:
        payer, payee = self.rng.sample(list(self._accounts), 2)
        to = payee if self.rng.random() < 0.85 else None
        transfer = Transfer(
            caller="c",
            request_id=f"r{len(self.rows)}-{self._now_ms}",
            request_digest=b"",
            transfer_id="t",
            kind=TransferKind.TRANSFER,
            channel=Channel.MOBILE,
            # Events come late, and in another order than they are decided.
            create_time_ms=self._now_ms - self.rng.choice((0, 0, self.rng.randrange(DAY_MS))),
            currency="CNY",
            amount_minor=1,
            base_amount_minor=self.rng.randrange(1, 10**6),
            payer=Party(account=payer, phone=self._maybe_link(), person=self._maybe_link()),
            payee=Party(account=to, type=PartyType.PERSON, phone=self._maybe_link())
            if to
            else None,
            session=Session(device=self._maybe_link()),
        )
        tokens = link_tokens(transfer)
        links = [None if token is None else self._links[token].state() for token in tokens]
        payer_state = self._accounts[payer].state(counterparty_of(to) if to else 0)
        payee_state = self._accounts[to].state(0) if to else None
        if self.rng.random() < 0.05:
            payer_state = None
        if self.rng.random() < 0.05:
            payee_state = None
        facts = request_facts(transfer, (), UTC_OFFSET_S)
        row = {
            "payer_seq": payer_state.seq if payer_state else -1,
            "payee_seq": payee_state.seq if payee_state else -1,
            "facts": facts,
            "links": tokens,
            "link_seqs": [-1 if link is None else link.seq for link in links],
            "vector": feature_vector(facts, payer_state, payee_state, links),
        }
        self._read.append((row, transfer))

    def _commit(self) -> None:
        if not self._read:
            return
        row, transfer = self._read.pop(self.rng.randrange(len(self._read)))
        payer, payee = transfer.payer.account, transfer.payee and transfer.payee.account
        decision_id = new_decision_id(self._now_ms, bucket_of(payer), self.rng.randbytes(9))
        event = event_id_of_decision(decision_id)
        decision = self.rng.choice([kind for kind in DecisionKind if kind])
        kinds = (transfer.channel, transfer.kind, decision, PartyType.PERSON)
        flags = pack_flags(*kinds, UTC_OFFSET_S, same_owner=None)
        row |= {
            "decision_id": decision_id,
            "request_id": transfer.request_id,
            "payee": payee,
            "create_time_ms": transfer.create_time_ms,
            "channel": transfer.channel,
            "payer_segment": 0,
            "base_amount_minor": transfer.base_amount_minor,
            "decision": decision,
            "points": 7,
            "margin": -4.5,
            "model_version": "fraud/1",
        }
        other = counterparty_of(payee) if payee else 0
        time_ms, amount = transfer.create_time_ms, transfer.base_amount_minor
        change = pack_event(event, time_ms, amount, other, flags)
        self._change(schema.KIND_DECISION, payer, Change.ATTEMPT, change, row)
        if payee:
            into = pack_event(event, time_ms, amount, counterparty_of(payer), flags)
            self._outbox.append((payee, Change.RECEIVE, into))
        for number, token in enumerate(link_tokens(transfer)):
            account = payer if number < LINKS_OF_PAYER else payee
            if token is not None and account:
                seen = pack_link(event, time_ms, 0, counterparty_of(account))
                self._outbox.append((token, Change.SIGHTING, seen))
        self.decided.append(row | {"payer": payer, "event": event, "attempt": change})

    def _relay(self) -> None:
        if self._outbox:
            subject, change, record = self._outbox.pop(self.rng.randrange(len(self._outbox)))
            if subject not in self._links:
                self._change(schema.KIND_CHANGE, subject, change, record, {})
            elif self._links[subject].apply(change, record):
                self._journal(
                    schema.KIND_CHANGE, subject, self._links[subject].seq, change, record, {}
                )

    def _execute(self) -> None:
        if not self.decided:
            return
        done = self.rng.choice(self.decided)
        status = self.rng.choice([status for status in ExecutionStatus if status])
        payer, payee = done["payer"], done["payee"]
        change = pack_execution(done["attempt"], status)
        more = {"decision_id": done["decision_id"], "execution_status": status}
        done_out = self._change(schema.KIND_EXECUTION, payer, Change.EXECUTION_OUT, change, more)
        if payee:
            # As the store does: the payee's record is the payer's, status before included.
            event, time_ms, execution, _, amount = unpack_record(done_out)
            theirs = pack_event(event, time_ms, execution, counterparty_of(payer), amount)
            self._outbox.append((payee, Change.EXECUTION_IN, theirs))

    def _report(self) -> None:
        if not self.decided:
            return
        of = self.rng.choice(self.decided)
        fraud = self.rng.random() < 0.7
        kind = OutcomeType.CONFIRMED_FRAUD if fraud else OutcomeType.CONFIRMED_LEGITIMATE
        self.outcome(of, kind, self._now_ms)

    def outcome(self, of: Row, kind: OutcomeType, report_time_ms: int) -> None:
        """Record an outcome of a decision."""
        more = {
            "decision_id": of["decision_id"],
            "outcome_id": f"o{len(self.rows)}",
            "outcome_source": OutcomeSource.POLICE,
            "outcome_type": kind,
            "fraud_type": FraudType.TASK_REBATE if kind != OutcomeType.CONFIRMED_LEGITIMATE else 0,
            "report_time_ms": report_time_ms,
        }
        if kind != OutcomeType.CONFIRMED_FRAUD:
            self._row(schema.KIND_OUTCOME, more | {"account": of["payer"]})
            return
        payee = of["payee"]
        other = counterparty_of(payee) if payee else 0
        happened, fraud = of["create_time_ms"], FraudType.TASK_REBATE
        report = pack_report(of["event"], happened, fraud, ReportRole.VICTIM, other, report_time_ms)
        self._change(schema.KIND_OUTCOME, of["payer"], Change.REPORT, report, more)
        if payee:
            other = counterparty_of(of["payer"])
            report = pack_report(
                of["event"], happened, fraud, ReportRole.MULE, other, report_time_ms
            )
            self._outbox.append((payee, Change.REPORT, report))
            taint = pack_link(of["event"], happened, report_time_ms, counterparty_of(payee))
            self._outbox += [(token, Change.TAINT, taint) for token in self._links]

    def _change(self, kind: str, account: bytes, change: Change, record: bytes, more: Row) -> bytes:
        state = self._accounts[account]
        filled = state.apply(change, record)
        self._journal(kind, account, state.seq, change, filled, more)
        return filled

    def _journal(
        self, kind: str, subject: bytes, seq: int, change: Change, record: bytes, more: Row
    ) -> None:
        columns = {
            "account": subject,
            "seq": seq,
            "change": change,
            "change_columns": unpack_record(record),
        }
        self._row(kind, more | columns)

    def _maybe_link(self) -> bytes | None:
        return self.rng.choice(list(self._links)) if self.rng.random() < 0.6 else None

    def _row(self, kind: str, more: Row) -> None:
        number = len(self.rows)
        made = {
            "record_id": f"0-{number}",
            "kind": kind,
            "bucket": 0,
            "record_time_ms": self._now_ms + MINUTE_MS,
        }
        self.rows.append(made | more)


def write_archive(folder: Path, rows: list[Row], parts: int = 3) -> Path:
    """Write rows in some order over several files of two days."""
    for part in range(parts):
        day = folder / f"day=2026-06-{1 + part % 2:02}"
        day.mkdir(parents=True, exist_ok=True)
        chosen = rows[part::parts]
        columns = {name: [_plain(row.get(name)) for row in chosen] for name in schema.SCHEMA.names}
        pq.write_table(pa.table(columns, schema=schema.SCHEMA), day / f"part-{part}.parquet")
    return folder


def _plain(value: object) -> object:
    return int(value) if isinstance(value, int) else value


def served_by_id(rows: list[Row]) -> dict[str, np.ndarray]:
    """Served vectors by decision id."""
    return {row["decision_id"]: row["vector"] for row in rows if row["kind"] == "decision"}
