"""Turns a table into the kernel's facts and steps: what was known about each subject at each time.

Within one subject everything is ordered by time. Transfers of one time come one after the other, as
a service is asked about them: windows see nothing of their own millisecond, exact totals see what
came before. Executions and reports of that time follow, in the order of the transfers.
"""

from typing import Final

import numpy as np
import polars as pl

from fanzha.domain.outcomes import Question
from fanzha.domain.vocabulary import DecisionKind
from fanzha.features.facts import FACTS, UNKNOWN
from fanzha.features.fold import READ_PAYEE, READ_PAYER
from fanzha.features.layout import Change, ReportRole, zone_byte
from fanzha_training.building.step_blocks import (
    EVENT,
    EXECUTED,
    READ,
    REPORTED,
    Block,
    Ints,
    Part,
    block,
    in_order,
)
from fanzha_training.building.table_links import link_blocks
from fanzha_training.building.table_subjects import Subjects

_TABLE_COLUMNS: Final = {
    "payer_open_day": pl.col("payer_open_date").to_physical(),
    "payee_open_day": pl.col("payee_open_date").to_physical(),
}
_CODE_FACTS: Final = (
    "kind",
    "channel",
    "speed",
    "payee_name_match",
    "payer_type",
    "payer_segment",
    "payer_open_channel",
    "payee_type",
    "payee_segment",
    "payee_open_channel",
)
_FACT_ROWS: Final = 8_192
_NOT_IN_TABLES: Final = ("payer_list_grade", "payee_list_grade", "contact_list_grade")


def table_facts(transfers: pl.DataFrame, subjects: Subjects, utc_offset_s: Ints) -> Ints:
    """Return the facts of all transfers, int64 of shape (rows, len(FACTS)).

    Grades of watchlists are UNKNOWN: a table does not say what was listed at the time.

    Args:
        transfers: with all columns, numbered from 0 by `row`; see `NumberedTransfers.some`.
        subjects: of the transfers.
        utc_offset_s: the bank's offset from UTC at each transfer, in seconds.

    """
    facts = np.empty((len(transfers), len(FACTS)), np.int64)
    given = {
        "utc_offset_s": utc_offset_s,
        "payer_id": subjects.payer,
        "payee_id": np.where(subjects.payee == 0, UNKNOWN, subjects.payee),
    }
    columns = {name: _fact(name) for name in FACTS if name not in (*given, *_NOT_IN_TABLES)}
    # Some rows at a time: they stay in the processor's cache while their columns are filled.
    for start in range(0, len(facts), _FACT_ROWS):
        some = facts[start : start + _FACT_ROWS]
        some[:] = UNKNOWN
        read = transfers[start : start + _FACT_ROWS].select(**columns)
        for position, name in enumerate(FACTS):
            if name in given:
                some[:, position] = given[name][start : start + _FACT_ROWS]
            elif name in columns:
                some[:, position] = read[name].to_numpy()
    return facts


def _fact(name: str) -> pl.Expr:
    column = _TABLE_COLUMNS.get(name, pl.col(name)).cast(pl.Int64)
    if name in _CODE_FACTS:
        column = pl.when(column != 0).then(column)
    return column.fill_null(UNKNOWN)


def table_steps(
    transfers: pl.DataFrame,
    reports: pl.DataFrame,
    subjects: Subjects,
    mules: pl.DataFrame,
    utc_offset_s: Ints,
    part: Part | None = None,
) -> Ints:
    """Return the steps of subjects for `fanzha.features.fold.fold`, int64 (steps, 8).

    A table has no decisions, so every attempt stands as ALLOW: paid until it is known to have
    failed. Event ids are the transfers' rows.

    Args:
        transfers: with all columns, numbered from 0 by `row`; see `NumberedTransfers.some`.
        reports: from `fanzha_training.outcomes.reports_of`.
        subjects: of the transfers.
        mules: from `fanzha_training.building.table_links.mules_of`, of all transfers.
        utc_offset_s: the bank's offset from UTC at each transfer, in seconds.
        part: only steps of its subjects; `transfers` then needs only theirs. None for all.

    """
    payer, payee = subjects.payer, subjects.payee
    row = transfers["row"].to_numpy()
    time = transfers["time_ms"].to_numpy()
    amount = transfers["amount_minor"].to_numpy()
    same_owner = transfers["payee_same_owner"].cast(pl.Int64)
    flags = (
        _int(transfers, "channel")
        | _int(transfers, "kind") << 8
        | np.int64(DecisionKind.ALLOW) << 16
        | _zone_bytes(utc_offset_s) << 40
        | (same_owner + 1).fill_null(0).to_numpy() << 48
    )
    payer_type, payee_type = _int(transfers, "payer_type"), _int(transfers, "payee_type")
    paid = np.flatnonzero(payee != 0)
    none = np.zeros_like(row)
    blocks = [
        block(payer, time, READ, READ_PAYER, row, (none, none, none, payee, none)),
        block(
            payer, time, EVENT, Change.ATTEMPT, row,
            (row, time, amount, payee, flags | payee_type << 32),
        ),
        block(payee, time, READ, READ_PAYEE, row, (none,) * 5)[paid],
        block(
            payee, time, EVENT, Change.RECEIVE, row,
            (row, time, amount, payer, flags | payer_type << 32),
        )[paid],
    ]  # fmt: skip
    blocks += _execution_blocks(transfers, payer, payee, utc_offset_s)
    blocks += _report_blocks(reports, time, payer, payee)
    blocks += link_blocks(time, subjects, mules)
    return in_order(blocks, part)


def _execution_blocks(
    transfers: pl.DataFrame, payer: Ints, payee: Ints, utc_offset_s: Ints
) -> list[Block]:
    done = transfers.filter((pl.col("execution") > 0) & pl.col("execution_time_ms").is_not_null())
    row = done["row"].to_numpy()
    at = done["execution_time_ms"].to_numpy()
    happened = done["time_ms"].to_numpy()
    amount = done["amount_minor"].to_numpy()
    # The second byte, the status before, stays 0: a table tells the last status only.
    execution = (
        _int(done, "execution")
        | np.int64(DecisionKind.ALLOW) << 16
        | _zone_bytes(utc_offset_s[row]) << 24
    )
    out, into = payer[row], payee[row]
    return [
        block(
            out, at, EXECUTED, Change.EXECUTION_OUT, row,
            (row, happened, execution, into, amount),
        ),
        block(
            into, at, EXECUTED, Change.EXECUTION_IN, row,
            (row, happened, execution, out, amount),
        )[into != 0],
    ]  # fmt: skip


def _report_blocks(reports: pl.DataFrame, time: Ints, payer: Ints, payee: Ints) -> list[Block]:
    row = reports["row"].to_numpy()
    known = reports["known_ms"].to_numpy()
    step = np.where(reports["names"].to_numpy(), int(Change.REPORT), int(Change.RETRACT))
    fraud_type = _int(reports, "fraud_type")
    victim, mule = payer[row], payee[row]
    names_mule = reports["question"].to_numpy() == Question.PAYEE_MULE
    as_victim = fraud_type | np.int64(ReportRole.VICTIM) << 8
    as_mule = fraud_type | np.int64(ReportRole.MULE) << 8
    return [
        block(
            victim, known, REPORTED, step, row,
            (row, time[row], as_victim, mule, known),
        )[~names_mule],
        block(
            mule, known, REPORTED, step, row,
            (row, time[row], as_mule, victim, known),
        )[names_mule & (mule != 0)],
    ]  # fmt: skip


def _zone_bytes(utc_offset_s: Ints) -> Ints:
    if not len(utc_offset_s) or utc_offset_s.min() == utc_offset_s.max():
        return np.full(len(utc_offset_s), zone_byte(int(utc_offset_s[:1].sum())), np.int64)
    distinct, which = np.unique(utc_offset_s, return_inverse=True)
    return np.array([zone_byte(int(offset)) for offset in distinct], np.int64)[which]


def _int(frame: pl.DataFrame, name: str) -> Ints:
    return frame[name].cast(pl.Int64).to_numpy()
