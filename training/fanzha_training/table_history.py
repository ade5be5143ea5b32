"""Turns a table into the kernel's facts and steps: what was known about each account at each time.

Within one account everything is ordered by time. Where times are equal, reads come before changes,
so that no transfer sees itself or anything of its own millisecond; then attempts, executions and
reports, each in the order of the transfers.
"""

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from fanzha.domain.vocabulary import DecisionKind, OutcomeType
from fanzha.features.facts import FACTS, UNKNOWN
from fanzha.features.fold import READ_PAYEE, READ_PAYER
from fanzha.features.layout import Change, ReportRole

Ints = npt.NDArray[np.int64]

_READ, _EVENT, _EXECUTED, _REPORTED = range(4)
"""Order of steps of one account that have the same time."""

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


def account_numbers(accounts: pl.Series) -> Ints:
    """Return a number for each account, int64 (rows,), 0 for null; equal for equal names.

    It is the first 8 bytes of BLAKE2b-128, signed: stable over machines, and as unlikely to
    collide as the tokens of served accounts.
    """
    names = accounts.unique().drop_nulls()
    numbers = [
        int.from_bytes(
            hashlib.blake2b(name.encode(), digest_size=16).digest()[:8], "little", signed=True
        )
        for name in names
    ]
    mapped = accounts.replace_strict(names, numbers, default=0, return_dtype=pl.Int64)
    return mapped.fill_null(0).to_numpy()


def table_facts(transfers: pl.DataFrame, payer: Ints, payee: Ints, utc_offset_s: int) -> Ints:
    """Return the facts of all transfers, int64 of shape (rows, len(FACTS)).

    Grades of watchlists are UNKNOWN: a table does not say what was listed at the time.

    Args:
        transfers: from `fanzha_training.table_source.read_table`.
        payer: account numbers of the payers.
        payee: account numbers of the payees, 0 for none.
        utc_offset_s: the bank's offset from UTC in seconds.

    """
    facts = np.full((len(transfers), len(FACTS)), UNKNOWN, np.int64)
    for position, name in enumerate(FACTS):
        if name == "utc_offset_s":
            facts[:, position] = utc_offset_s
        elif name == "payer_id":
            facts[:, position] = payer
        elif name == "payee_id":
            facts[:, position] = np.where(payee == 0, UNKNOWN, payee)
        elif name not in _NOT_IN_TABLES:
            column = pl.col(name) if name not in _TABLE_COLUMNS else _TABLE_COLUMNS[name]
            values = transfers.select(column.cast(pl.Int64)).to_series()
            if name in _CODE_FACTS:
                values = values.replace(0, None)
            facts[:, position] = values.fill_null(UNKNOWN).to_numpy()
    return facts


def table_steps(transfers: pl.DataFrame, outcomes: pl.DataFrame, payer: Ints, payee: Ints) -> Ints:
    """Return the steps of all accounts for `fanzha.features.fold.fold`, int64 (steps, 8).

    A table has no decisions, so every attempt stands as ALLOW: paid until it is known to have
    failed. Event ids are the transfers' rows.

    Args:
        transfers: from `fanzha_training.table_source.read_table`.
        outcomes: those that are known.
        payer: account numbers of the payers.
        payee: account numbers of the payees, 0 for none.

    """
    row = transfers["row"].to_numpy()
    time = transfers["time_ms"].to_numpy()
    amount = transfers["amount_minor"].to_numpy()
    flags = (
        _int(transfers, "channel")
        | _int(transfers, "kind") << 8
        | np.int64(DecisionKind.ALLOW) << 16
    )
    payer_type, payee_type = _int(transfers, "payer_type"), _int(transfers, "payee_type")
    paid = np.flatnonzero(payee != 0)
    none = np.zeros_like(row)
    blocks = [
        _block(payer, time, _READ, READ_PAYER, row, (none, none, none, payee, none)),
        _block(
            payer, time, _EVENT, Change.ATTEMPT, row,
            (row, time, amount, payee, flags | payee_type << 32),
        ),
        _block(payee, time, _READ, READ_PAYEE, row, (none,) * 5)[paid],
        _block(
            payee, time, _EVENT, Change.RECEIVE, row,
            (row, time, amount, payer, flags | payer_type << 32),
        )[paid],
    ]  # fmt: skip
    blocks += _execution_blocks(transfers, payer, payee)
    blocks += _report_blocks(outcomes, time, payer, payee)
    steps = np.concatenate(blocks)
    order = np.lexsort((steps[:, 4], steps[:, 2], steps[:, 1], steps[:, 0]))
    # Account, step, row and five columns; time and order among equals have done their work.
    return np.ascontiguousarray(steps[:, [0, 3, 4, 5, 6, 7, 8, 9]][order])


def _execution_blocks(transfers: pl.DataFrame, payer: Ints, payee: Ints) -> list[Ints]:
    done = transfers.filter((pl.col("execution") > 0) & pl.col("execution_time_ms").is_not_null())
    row = done["row"].to_numpy()
    at = done["execution_time_ms"].to_numpy()
    happened = done["time_ms"].to_numpy()
    # The second byte, the status before, stays 0: a table tells the last status only.
    status = _int(done, "execution")
    out, into = payer[row], payee[row]
    return [
        _block(out, at, _EXECUTED, Change.EXECUTION_OUT, row, (row, happened, status, into, at)),
        _block(into, at, _EXECUTED, Change.EXECUTION_IN, row, (row, happened, status, out, at))[
            into != 0
        ],
    ]


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
        _block(
            victim, known, _REPORTED, Change.REPORT, row,
            (row, time[row], as_victim, mule, known),
        )[fraud],
        _block(
            mule, known, _REPORTED, Change.REPORT, row,
            (row, time[row], as_mule, victim, known),
        )[names_mule],
    ]  # fmt: skip


def _int(frame: pl.DataFrame, name: str) -> Ints:
    return frame[name].cast(pl.Int64).to_numpy()


def _block(
    account: Ints, time: Ints, order: int, step: int, row: Ints, columns: tuple[Ints, ...]
) -> Ints:
    """Return steps of one kind: account, time, order among equals, step, row, five columns."""
    block = np.empty((len(row), 10), np.int64)
    block[:, 0], block[:, 1], block[:, 2], block[:, 3], block[:, 4] = (
        account,
        time,
        order,
        step,
        row,
    )
    for position, column in enumerate(columns):
        block[:, 5 + position] = column
    return block
