"""Small random tables of transfers, and vectors computed from them one by one, the slow way."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from enum import IntEnum
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from tests.slow_history import SlowAccount, SlowLink

from fanzha.domain.ids import counterparty_of
from fanzha.domain.outcomes import Statement, standing
from fanzha.domain.transfer import Party, Session, Transfer
from fanzha.domain.vocabulary import (
    Answer,
    Channel,
    CustomerSegment,
    DecisionKind,
    ExecutionStatus,
    FraudType,
    NameMatch,
    OutcomeSource,
    OutcomeType,
    PartyType,
    TransferKind,
    TransferSpeed,
    word_of,
)
from fanzha.features.facts import request_facts
from fanzha.features.kernel import feature_vector
from fanzha.features.layout import (
    Change,
    ReportRole,
    known_as_mule,
    pack_event,
    pack_execution,
    pack_flags,
    pack_link,
    pack_report,
    unpack_record,
)
from fanzha.features.manifest import FEATURES
from fanzha_training.table import OUTCOMES, OUTCOMES_FILE, TRANSFERS, TRANSFERS_FILE

START_MS = 1_780_000_000_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
UTC_OFFSET_S = 8 * 3600
FLAGS = (
    "call_in_progress",
    "screen_shared",
    "remote_control",
    "new_device",
    "new_e_channel",
    "limit_just_raised",
)

Row = dict[str, Any]
Pair = tuple[str, str]
"""A link and an account that it was seen with."""
Value = TypeVar("Value")
Code = TypeVar("Code", bound=IntEnum)


def a_transfer(number: int, time_ms: int, payer: str, payee: str | None, **fields: object) -> Row:
    """A posted transfer of 100 yuan by mobile; state only what matters."""
    row = dict.fromkeys(TRANSFERS.names)
    row |= {
        "request_id": f"r{number:06}",
        "transfer_id": f"t{number:06}",
        "time_ms": time_ms,
        "kind": "transfer",
        "channel": "mobile",
        "amount_minor": 10_000,
        "currency": "CNY",
        "payer_account": payer,
        "payer_person": payer,
        "payer_phone": payer,
        "payer_type": "person",
        "payee_account": payee,
        "remark": "",
        "branch_id": "",
        "terminal_id": "",
        "execution": "posted",
        "execution_time_ms": time_ms,
        "is_fraud": False,
        "is_mule_flow": False,
    }
    return row | fields


def an_outcome(
    number: int, transfer: Row, outcome: str, report_time_ms: int, **fields: object
) -> Row:
    """An outcome that the police state; state only what matters."""
    row = {
        "outcome_id": f"o{number:06}",
        "request_id": transfer["request_id"],
        "transfer_id": transfer["transfer_id"],
        "outcome": outcome,
        "fraud_type": "task_rebate" if outcome != "confirmed_legitimate" else None,
        "source": "police",
        "report_time_ms": report_time_ms,
        "loss_minor": None,
        "withdrawn_time_ms": None,
    }
    return row | fields


def random_rows(seed: int, count: int, days: int = 20) -> tuple[list[Row], list[Row]]:
    """Transfers among few accounts, often in the same minute; executions and reports come late."""
    rng = random.Random(seed)
    accounts = [f"62220000000000{number:05}" for number in range(12)]
    minutes = sorted(rng.randrange(days * 24 * 60) for _ in range(count))
    transfers, outcomes = [], []
    for number, minute in enumerate(minutes):
        time_ms = START_MS + minute * MINUTE_MS
        payer, payee = rng.sample(accounts, 2)
        payee = payee if rng.random() < 0.9 else None
        late_ms = rng.choice((0, 0, MINUTE_MS, 60 * MINUTE_MS, 2 * DAY_MS))
        transfer = a_transfer(
            number, time_ms, payer, payee,
            kind=_word(rng, TransferKind),
            channel=_word(rng, Channel),
            speed=_maybe(rng, _word(rng, TransferSpeed)),
            amount_minor=rng.choice((100, 5_000, 10_000, rng.randrange(1, 10**7))),
            payer_type=_word(rng, PartyType),
            payer_segment=_maybe(rng, _word(rng, CustomerSegment)),
            payer_open_date=_maybe(rng, _a_date(rng)),
            payer_open_channel=_maybe(rng, _word(rng, Channel)),
            payer_anti_fraud_app=_maybe(rng, rng.random() < 0.5),
            payee_type=_maybe(rng, _word(rng, PartyType)) if payee else None,
            payee_open_date=_maybe(rng, _a_date(rng)) if payee else None,
            payee_open_channel=_maybe(rng, _word(rng, Channel)) if payee else None,
            payee_dual_recording_done=_maybe(rng, rng.random() < 0.5) if payee else None,
            payer_phone=_maybe(rng, f"phone{rng.randrange(6)}") or "none",
            payer_person=_maybe(rng, f"person{rng.randrange(6)}") or "none",
            payee_phone=_maybe(rng, f"phone{rng.randrange(6)}"),
            payee_person=_maybe(rng, f"person{rng.randrange(6)}"),
            device_id=_maybe(rng, f"device{rng.randrange(4)}"),
            payee_same_owner=_maybe(rng, rng.random() < 0.1),
            payee_same_bank=_maybe(rng, rng.random() < 0.5),
            payee_name_match=_maybe(rng, _word(rng, NameMatch)),
            balance_before_minor=_maybe(rng, rng.randrange(10**8)),
            execution=rng.choice(("posted", "posted", "posted", "failed", "reversed")),
            execution_time_ms=time_ms + late_ms,
            **{name: _maybe(rng, rng.random() < 0.2) for name in FLAGS},
        )  # fmt: skip
        transfers.append(transfer)
        if rng.random() < 0.1:
            known_ms = time_ms + rng.choice((0, MINUTE_MS, DAY_MS, 5 * DAY_MS))
            for more in range(rng.choice((1, 1, 1, 2, 3))):
                known_ms += more * rng.choice((0, DAY_MS, 3 * DAY_MS))
                kind = rng.choice(("confirmed_fraud", "confirmed_legitimate", "mule_confirmed"))
                outcomes.append(
                    an_outcome(
                        number + more * count, transfer, kind, known_ms,
                        source=rng.choice(("police", "police", "customer")),
                        withdrawn_time_ms=rng.choice((None, None, known_ms + DAY_MS)),
                    )
                )  # fmt: skip
    return transfers, outcomes


def write_table(folder: Path, transfers: Iterable[Row], outcomes: Iterable[Row]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(transfers), TRANSFERS), folder / TRANSFERS_FILE)
    pq.write_table(pa.Table.from_pylist(list(outcomes), OUTCOMES), folder / OUTCOMES_FILE)
    return folder


def slow_vectors(transfers: list[Row], outcomes: list[Row]) -> npt.NDArray[np.float32]:
    """Vectors by `feature_vector`, one by one: at each instant transfer after transfer, each read
    before its own events; then executions, then reports."""
    accounts: defaultdict[str, SlowAccount] = defaultdict(SlowAccount)
    links: defaultdict[str, SlowLink] = defaultdict(SlowLink)
    seen: set[Pair] = set()
    vectors = np.empty((len(transfers), len(FEATURES)), np.float32)
    steps: list[tuple[int, int, int, str, Change | None, bytes]] = []
    for row, transfer in enumerate(transfers):
        steps += [(transfer["time_ms"], 0, row, "", None, b""), *_changes(row, transfer)]
    row_of = {transfer["request_id"]: row for row, transfer in enumerate(transfers)}
    for row in {row_of[outcome["request_id"]] for outcome in outcomes}:
        told = [one for one in outcomes if row_of[one["request_id"]] == row]
        steps += _reports(row, transfers[row], told)
    mule_since: dict[str, int] = {}
    for _, instant in groupby(sorted(steps, key=lambda step: step[:3]), key=lambda step: step[0]):
        for _, _, row, account, change, record in instant:
            if change is None:
                vectors[row] = _slow_vector(transfers[row], accounts, links)
                continue
            if change == Change.ATTEMPT:
                _see(transfers[row], accounts, links, seen)
            accounts[account].apply(change, record)
            report = unpack_record(record)
            if report[2] >> 8 != ReportRole.MULE:
                continue
            if change == Change.REPORT:
                since = min(mule_since.get(account) or report[4], report[4])
                mule_since[account] = since
                _tell_links(account, Change.TAINT, since, links, seen)
            elif change == Change.RETRACT:
                mule_since[account] = known_as_mule(accounts[account].state(0).reports)
                _tell_links(account, Change.CLEAR, mule_since[account], links, seen)
    return vectors


def _slow_vector(
    transfer: Row, accounts: dict[str, SlowAccount], links: dict[str, SlowLink]
) -> npt.NDArray[np.float32]:
    payee = transfer["payee_account"]
    payer_state = accounts[transfer["payer_account"]].state(number_of(payee))
    payee_state = accounts[payee].state(0) if payee else None
    states = [None if name is None else links[name].state() for name in _links(transfer)]
    return feature_vector(_facts(transfer), payer_state, payee_state, states)


def _links(transfer: Row) -> tuple[str | None, ...]:
    """Names of the links, in the order of the vector."""
    own_device = transfer["channel"] in ("mobile", "online")
    named = {
        "device": transfer["device_id"] if own_device else None,
        "phone": transfer["payer_phone"],
        "person": transfer["payer_person"],
    }
    payee = [("phone", transfer["payee_phone"]), ("person", transfer["payee_person"])]
    if not transfer["payee_account"]:
        payee = [("phone", None), ("person", None)]
    return tuple(name and f"{kind}:{name}" for kind, name in [*named.items(), *payee])


def _see(
    transfer: Row,
    accounts: dict[str, SlowAccount],
    links: dict[str, SlowLink],
    seen: set[Pair],
) -> None:
    """Let the links of a transfer see its accounts, each once, as a decision does."""
    names = _links(transfer)
    for side, own in (("payer", names[:3]), ("payee", names[3:])):
        account = transfer[f"{side}_account"]
        for name in own:
            if not account or not name or (name, account) in seen:
                continue
            seen.add((name, account))
            mule_since = known_as_mule(accounts[account].state(0).reports)
            row = (0, transfer["time_ms"], mule_since, number_of(account))
            links[name].apply(Change.SIGHTING, pack_link(*row))


def _tell_links(
    account: str, change: Change, since: int, links: dict[str, SlowLink], seen: set[Pair]
) -> None:
    """Tell the links of an account since when it is known as a mule's; 0: no longer."""
    for name, link in links.items():
        if (name, account) in seen:
            link.apply(change, pack_link(0, START_MS, since, number_of(account)))


def token_of(account: str) -> bytes:
    return hashlib.blake2b(account.encode(), digest_size=16).digest()


def number_of(account: str | None) -> int:
    return counterparty_of(token_of(account)) if account else 0


def _changes(row: int, transfer: Row) -> list[tuple[int, int, int, str, Change | None, bytes]]:
    time_ms, amount = transfer["time_ms"], transfer["amount_minor"]
    payer, payee = transfer["payer_account"], transfer["payee_account"]
    kind, channel = _number(TransferKind, transfer["kind"]), _number(Channel, transfer["channel"])
    allow = DecisionKind.ALLOW
    payer_type = _number(PartyType, transfer["payer_type"])
    payee_type = _number(PartyType, transfer["payee_type"])
    status = _number(ExecutionStatus, transfer["execution"])
    done = transfer["execution_time_ms"]

    def event(other: str | None, other_type: PartyType) -> bytes:
        owner = transfer["payee_same_owner"]
        flags = pack_flags(channel, kind, allow, other_type, UTC_OFFSET_S, same_owner=owner)
        return pack_event(row, time_ms, amount, number_of(other), flags)

    out, into = event(payee, payee_type), event(payer, payer_type)
    posted_out, posted_in = pack_execution(out, status), pack_execution(into, status)
    changes: list[tuple[int, int, int, str, Change | None, bytes]] = [
        (time_ms, 0, row, payer, Change.ATTEMPT, out),
        (done, 1, row, payer, Change.EXECUTION_OUT, posted_out),
    ]
    if payee:
        changes += [
            (time_ms, 0, row, payee, Change.RECEIVE, into),
            (done, 1, row, payee, Change.EXECUTION_IN, posted_in),
        ]
    return changes


def _reports(
    row: int, transfer: Row, told: list[Row]
) -> list[tuple[int, int, int, str, Change | None, bytes]]:
    """Reports and retractions of a transfer: what stands is asked anew at each moment."""
    payer, payee = transfer["payer_account"], transfer["payee_account"]
    statements = [
        Statement(
            one["outcome_id"],
            _number(OutcomeType, one["outcome"]),
            _number(OutcomeSource, one["source"]),
            _number(FraudType, one["fraud_type"]),
            one["report_time_ms"],
            one["withdrawn_time_ms"],
        )
        for one in told
    ]
    moments = {one.report_time_ms for one in statements}
    moments |= {one.withdrawn_ms for one in statements if one.withdrawn_ms is not None}
    steps: list[tuple[int, int, int, str, Change | None, bytes]] = []
    stood = [False, False]
    for now_ms in sorted(moments):
        stands = standing(statements, now_ms)
        for place, stand, role, account, other in (
            (0, stands.deceived, ReportRole.VICTIM, payer, payee),
            (1, stands.mule, ReportRole.MULE, payee, payer),
        ):
            names = stand.answer == Answer.YES
            if account and names != stood[place]:
                change = Change.REPORT if names else Change.RETRACT
                report = pack_report(
                    row, transfer["time_ms"], FraudType.TASK_REBATE, role, number_of(other), now_ms
                )
                steps.append((now_ms, 2, row, account, change, report))
            stood[place] = names
    return steps


def _facts(transfer: Row) -> npt.NDArray[np.int64]:
    return request_facts(_as_transfer(transfer), None, UTC_OFFSET_S)


def _as_transfer(row: Row) -> Transfer:
    payee = _party(row, "payee") if row["payee_account"] else None
    return Transfer(
        caller="",
        request_id=row["request_id"],
        request_digest=b"",
        transfer_id=row["transfer_id"],
        kind=_number(TransferKind, row["kind"]),
        channel=_number(Channel, row["channel"]),
        create_time_ms=row["time_ms"],
        currency="CNY",
        amount_minor=row["amount_minor"],
        base_amount_minor=row["amount_minor"],
        payer=_party(row, "payer"),
        payee=payee,
        speed=_number(TransferSpeed, row["speed"]),
        payee_same_owner=row["payee_same_owner"],
        payee_same_bank=row["payee_same_bank"],
        payee_name_match=_number(NameMatch, row["payee_name_match"]),
        balance_before_minor=row["balance_before_minor"],
        session=Session(**{name: row[name] for name in FLAGS}),
    )


def _party(row: Row, side: str) -> Party:
    opened = row[f"{side}_open_date"]
    return Party(
        account=token_of(row[f"{side}_account"]),
        type=_number(PartyType, row[f"{side}_type"]),
        segment=_number(CustomerSegment, row[f"{side}_segment"]),
        open_day=(opened - date(1970, 1, 1)).days if opened else None,
        open_channel=_number(Channel, row[f"{side}_open_channel"]),
        dual_recording_done=row[f"{side}_dual_recording_done"],
        anti_fraud_app=row["payer_anti_fraud_app"] if side == "payer" else None,
    )


def _number(vocabulary: type[Code], word: str | None) -> Code:
    return vocabulary[word.upper()] if word else vocabulary(0)


def _word(rng: random.Random, vocabulary: type[IntEnum]) -> str:
    return word_of(rng.choice([member for member in vocabulary if member]))


def _maybe(rng: random.Random, value: Value) -> Value | None:
    return value if rng.random() < 0.7 else None


def _a_date(rng: random.Random) -> date:
    return date(2026, 5, 1) - timedelta(days=rng.randrange(3000))
