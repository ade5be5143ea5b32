"""Turns a table into the kernel's facts and steps: what was known about each subject at each time.

Within one subject everything is ordered by time. Where times are equal, reads come before changes,
so that no transfer sees itself or anything of its own millisecond; then attempts, executions and
reports, each in the order of the transfers.
"""

from typing import Final

import numpy as np
import polars as pl

from fanzha.domain.vocabulary import DecisionKind, OutcomeType
from fanzha.features.facts import FACTS, UNKNOWN
from fanzha.features.fold import READ_PAYEE, READ_PAYER
from fanzha.features.layout import Change, ReportRole, zone_byte
from fanzha_training.step_blocks import EVENT, EXECUTED, READ, REPORTED, Ints, block, in_order
from fanzha_training.table_links import link_blocks, mules_of
from fanzha_training.table_subjects import Subjects

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
_NOT_IN_TABLES: Final = ("payer_list_grade", "payee_list_grade", "contact_list_grade")


def table_facts(transfers: pl.DataFrame, subjects: Subjects, utc_offset_s: int) -> Ints:
    """Return the facts of all transfers, int64 of shape (rows, len(FACTS)).

    Grades of watchlists are UNKNOWN: a table does not say what was listed at the time.

    Args:
        transfers: from `fanzha_training.table_source.read_table`.
        subjects: of the transfers.
        utc_offset_s: the bank's offset from UTC in seconds.

    """
    facts = np.full((len(transfers), len(FACTS)), UNKNOWN, np.int64)
    for position, name in enumerate(FACTS):
        if name == "utc_offset_s":
            facts[:, position] = utc_offset_s
        elif name == "payer_id":
            facts[:, position] = subjects.payer
        elif name == "payee_id":
            facts[:, position] = np.where(subjects.payee == 0, UNKNOWN, subjects.payee)
        elif name not in _NOT_IN_TABLES:
            column = pl.col(name) if name not in _TABLE_COLUMNS else _TABLE_COLUMNS[name]
            values = transfers.select(column.cast(pl.Int64)).to_series()
            if name in _CODE_FACTS:
                values = values.replace(0, None)
            facts[:, position] = values.fill_null(UNKNOWN).to_numpy()
    return facts


def table_steps(
    transfers: pl.DataFrame, outcomes: pl.DataFrame, subjects: Subjects, utc_offset_s: int
) -> Ints:
    """Return the steps of all subjects for `fanzha.features.fold.fold`, int64 (steps, 8).

    A table has no decisions, so every attempt stands as ALLOW: paid until it is known to have
    failed. Event ids are the transfers' rows.

    Args:
        transfers: from `fanzha_training.table_source.read_table`.
        outcomes: those that are known.
        subjects: of the transfers.
        utc_offset_s: the bank's offset from UTC in seconds.

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
        | np.int64(zone_byte(utc_offset_s)) << 40
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
    blocks += _report_blocks(outcomes, time, payer, payee)
    blocks += link_blocks(time, subjects, mules_of(outcomes, time, payee))
    return in_order(blocks)


def _execution_blocks(
    transfers: pl.DataFrame, payer: Ints, payee: Ints, utc_offset_s: int
) -> list[Ints]:
    done = transfers.filter((pl.col("execution") > 0) & pl.col("execution_time_ms").is_not_null())
    row = done["row"].to_numpy()
    at = done["execution_time_ms"].to_numpy()
    happened = done["time_ms"].to_numpy()
    amount = done["amount_minor"].to_numpy()
    # The second byte, the status before, stays 0: a table tells the last status only.
    execution = (
        _int(done, "execution")
        | np.int64(DecisionKind.ALLOW) << 16
        | np.int64(zone_byte(utc_offset_s)) << 24
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


def _report_blocks(outcomes: pl.DataFrame, time: Ints, payer: Ints, payee: Ints) -> list[Ints]:
    outcomes = outcomes.sort("report_time_ms", "outcome_id")
    row = outcomes["row"].to_numpy()
    kind = _int(outcomes, "outcome")
    known = outcomes["report_time_ms"].to_numpy()
    fraud_type = _int(outcomes, "fraud_type")
    victim, mule = payer[row], payee[row]
    fraud = kind == OutcomeType.CONFIRMED_FRAUD
    names_mule = (fraud | (kind == OutcomeType.MULE_CONFIRMED)) & (mule != 0)
    as_victim = fraud_type | np.int64(ReportRole.VICTIM) << 8
    as_mule = fraud_type | np.int64(ReportRole.MULE) << 8
    return [
        block(
            victim, known, REPORTED, Change.REPORT, row,
            (row, time[row], as_victim, mule, known),
        )[fraud],
        block(
            mule, known, REPORTED, Change.REPORT, row,
            (row, time[row], as_mule, victim, known),
        )[names_mule],
    ]  # fmt: skip


def _int(frame: pl.DataFrame, name: str) -> Ints:
    return frame[name].cast(pl.Int64).to_numpy()
