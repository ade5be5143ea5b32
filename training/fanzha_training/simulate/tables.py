"""Turns what was played into the tables that training reads."""

from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa

from fanzha.domain.transfer import SESSION_FLAGS
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    ExecutionStatus,
    FraudType,
    NameMatch,
    OutcomeSource,
    OutcomeType,
    PartyType,
    TransferKind,
    TransferSpeed,
    words_of,
)
from fanzha_training.simulate.accounts import NO_DAY, card_numbers
from fanzha_training.simulate.labels import Labels
from fanzha_training.simulate.ledger import Played
from fanzha_training.simulate.plan import NOBODY, UNKNOWN, Bools, Ints
from fanzha_training.simulate.remarks import REMARKS
from fanzha_training.simulate.world import World
from fanzha_training.table import OUTCOMES, TRANSFERS


def transfers_table(world: World, played: Played) -> pa.Table:
    """Return the table of transfers; request and transfer ids count up in order of time."""
    plan = played.plan
    count = len(plan)
    first = world.period.first
    channel = plan.ints("channel")
    columns: dict[str, Any] = {
        "request_id": [f"r{first:%y%m%d}-{row:08d}" for row in range(count)],
        "transfer_id": [f"t{first:%y%m%d}-{row:08d}" for row in range(count)],
        "time_ms": plan.ints("time_ms"),
        "kind": _words(TransferKind, plan.ints("kind")),
        "channel": _words(Channel, channel),
        "speed": _words(TransferSpeed, plan.ints("speed")),
        "amount_minor": played.amount_minor,
        "currency": _constant("CNY", count),
        **_parties(world, plan.ints("time_ms"), plan.ints("payer"), plan.ints("payee")),
        "payee_name_match": _words(NameMatch, plan.ints("name_match")),
        "device_id": _named("dev", plan.ints("device")),
        **{name: _flags(plan.ints(name)) for name in SESSION_FLAGS},
        "balance_before_minor": _nullable(
            played.balance_before_minor, played.balance_before_minor == UNKNOWN
        ),
        "remark": pa.array(REMARKS).take(plan.ints("remark")),
        **_places(plan.ints("branch"), channel),
        "execution": _words(ExecutionStatus, played.execution),
        "execution_time_ms": played.execution_time_ms,
        "is_fraud": plan.bools("is_fraud"),
        "is_mule_flow": plan.bools("is_mule_flow"),
        "fraud_type": _words(FraudType, plan.ints("fraud_type")),
        "episode_id": _named("e", plan.ints("episode")),
    }
    return pa.table({name: columns[name] for name in TRANSFERS.names}, schema=TRANSFERS)


def outcomes_table(transfers: pa.Table, labels: Labels) -> pa.Table:
    """Return the table of outcomes of these transfers."""
    positions = labels.movement
    columns: dict[str, Any] = {
        "outcome_id": [f"o-{row:08d}" for row in range(len(labels.movement))],
        "request_id": transfers["request_id"].take(positions),
        "transfer_id": transfers["transfer_id"].take(positions),
        "outcome": _words(OutcomeType, labels.outcome),
        "fraud_type": _words(FraudType, labels.fraud_type),
        "source": _words(OutcomeSource, labels.source),
        "report_time_ms": labels.report_time_ms,
        "loss_minor": _nullable(labels.loss_minor, labels.loss_minor == UNKNOWN),
        "withdrawn_time_ms": _nullable(
            labels.withdrawn_time_ms, labels.withdrawn_time_ms == UNKNOWN
        ),
    }
    return pa.table({name: columns[name] for name in OUTCOMES.names}, schema=OUTCOMES)


def _parties(world: World, time_ms: Ints, payer: Ints, payee: Ints) -> dict[str, Any]:
    book = world.book
    nobody = payee == NOBODY
    numbers = pa.array(card_numbers(len(book), book["ours"], world.seed))
    ours = book["ours"] == 1
    columns: dict[str, Any] = {}
    for side, account in (("payer", payer), ("payee", payee)):
        absent = account == NOBODY
        # Of payees at other banks no more is known than their number and kind.
        unknown = absent | ~ours[account] if side == "payee" else absent
        person = book["person"][account]
        changed = time_ms >= book["next_phone_ms"][account]
        phone = np.where(changed, book["next_phone"][account], book["phone"][account])
        columns |= {
            f"{side}_account": numbers.take(_nullable(account, absent)),
            f"{side}_person": _named("p", np.where(unknown, NOBODY, person)),
            # 100 opens no mobile number in China, so that none of these can be somebody's.
            f"{side}_phone": _named("100", np.where(unknown, NOBODY, phone), separator=""),
            f"{side}_type": _words(PartyType, np.where(absent, 0, book["type"][account])),
            f"{side}_segment": _words(
                CustomerSegment, np.where(unknown, 0, book["segment"][account])
            ),
            f"{side}_open_date": _days(np.where(absent, NO_DAY, book["open_day"][account])),
            f"{side}_open_channel": _words(
                Channel, np.where(absent, 0, book["open_channel"][account])
            ),
            f"{side}_dual_recording_done": _flags(
                np.where(absent, UNKNOWN, book["dual_recording_done"][account])
            ),
        }
    columns["payer_anti_fraud_app"] = _flags(book["anti_fraud_app"][payer])
    same_owner = book["person"][payer] == book["person"][payee]
    columns["payee_same_owner"] = _nullable(same_owner, nobody)
    columns["payee_same_bank"] = _nullable(ours[payee], nobody)
    return columns


def _places(branch: Ints, channel: Ints) -> dict[str, Any]:
    """Return branches, and the machine or window at which the customer stands."""
    windows = {Channel.COUNTER: "w", Channel.SMART_TELLER: "s", Channel.ATM: "a"}
    branches = _named("b", branch).fill_null("")
    marks = np.array([windows.get(member, "") for member in Channel], dtype=object)[channel]
    terminals = [
        f"{place}-{mark}1" if place and mark else ""
        for place, mark in zip(branches.to_pylist(), marks.tolist(), strict=True)
    ]
    return {"branch_id": branches, "terminal_id": pa.array(terminals, pa.string())}


def _words(vocabulary: type[IntEnum], numbers: Ints) -> "pa.Array[Any]":
    return pa.array([None, *words_of(vocabulary)], pa.string()).take(numbers)


def _constant(text: str, count: int) -> "pa.Array[Any]":
    return pa.array([text]).take(np.zeros(count, dtype=np.int64))


def _nullable(values: Ints | Bools, null: Bools) -> "pa.Array[Any]":
    return pa.array(values, mask=null)


def _flags(values: Ints) -> "pa.Array[Any]":
    return _nullable(values == 1, values < 0)


def _days(days: Ints) -> "pa.Array[Any]":
    dates = days.astype("datetime64[D]")
    return pa.array(dates, pa.date32(), mask=days == NO_DAY)


def _named(prefix: str, numbers: Ints, separator: str = "-") -> "pa.Array[Any]":
    """Return names such as "p-00000012"; null for NOBODY."""
    known, position = np.unique(numbers, return_inverse=True)
    names = [None if n == NOBODY else f"{prefix}{separator}{n:08d}" for n in known.tolist()]
    return pa.array(names, pa.string()).take(position)
