"""Turns an archive into the kernel's steps, so that a decision reads the state it was served from.

All changes of an account carry its sequence, 1, 2, 3 and so on. A number that is missing, or given
to two different changes, leaves everything after it in doubt.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.features.facts import PAYEE_ID, UNKNOWN
from fanzha.features.fold import READ_PAYEE, READ_PAYER, STEP_COLUMNS
from fanzha.features.layout import COUNTERPARTY
from fanzha_training.archive_source import Changes, Decisions

Ints = npt.NDArray[np.int64]

_FIRST_COLUMN = 3


@dataclass(frozen=True, slots=True)
class Replay:
    """What it takes to compute the vectors of an archive's decisions again."""

    steps: Ints
    """For `fanzha.features.fold.fold`, int64 (steps, 8)."""
    whole: npt.NDArray[np.bool_]
    """Decisions whose states can be rebuilt: nothing is missing before them."""
    accounts_with_gaps: int


def replay_of(decisions: Decisions, changes: Changes) -> Replay:
    """Return the steps that rebuild every state that a decision saw.

    Decisions after a gap get no steps.
    """
    accounts = 1 + max(int(values.max(initial=-1)) for values in (
        decisions.payer, decisions.payee, changes.account
    ))  # fmt: skip
    changes = _without_repetitions(changes)
    known_until, broken = _known_until(changes, accounts)
    read_payer = decisions.payer_seq >= 0
    read_payee = decisions.payee_seq >= 0
    payer_gap = read_payer & _beyond(decisions.payer, decisions.payer_seq, known_until)
    payee_gap = read_payee & _beyond(decisions.payee, decisions.payee_seq, known_until)
    broken[decisions.payer[payer_gap]] = True
    broken[decisions.payee[payee_gap & (decisions.payee >= 0)]] = True
    whole = ~payer_gap & ~payee_gap

    kept = np.flatnonzero(changes.seq <= known_until[changes.account])
    out = np.flatnonzero(whole & read_payer)
    into = np.flatnonzero(whole & read_payee)
    steps = np.zeros((len(kept) + len(out) + len(into), STEP_COLUMNS), np.int64)
    change, payer, payee = np.split(steps, np.cumsum([len(kept), len(out)]))
    change[:, 0], change[:, 1] = changes.account[kept], changes.change[kept]
    change[:, _FIRST_COLUMN:] = changes.columns[kept]
    payer[:, 0], payer[:, 1], payer[:, 2] = decisions.payer[out], READ_PAYER, out
    number = decisions.facts[out, PAYEE_ID]
    payer[:, _FIRST_COLUMN + COUNTERPARTY] = np.where(number == UNKNOWN, 0, number)
    payee[:, 0], payee[:, 1], payee[:, 2] = decisions.payee[into], READ_PAYEE, into
    seq = np.concatenate([changes.seq[kept], decisions.payer_seq[out], decisions.payee_seq[into]])
    is_read = np.arange(len(steps)) >= len(kept)
    order = np.lexsort((steps[:, 2], is_read, seq, steps[:, 0]))
    return Replay(np.ascontiguousarray(steps[order]), whole, int(broken.sum()))


def _beyond(account: Ints, seq: Ints, known_until: Ints) -> npt.NDArray[np.bool_]:
    """Say which states cannot be rebuilt; that of no account never can."""
    limit = np.where(account >= 0, known_until[account], -1)
    beyond: npt.NDArray[np.bool_] = seq > limit
    return beyond


def _without_repetitions(changes: Changes) -> Changes:
    """Return changes sorted by account and sequence, without those that say the same twice."""
    order = np.lexsort((changes.seq, changes.account))
    rows = np.column_stack([changes.account, changes.seq, changes.change, changes.columns])[order]
    new = np.ones(len(rows), np.bool_)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    rows = rows[new]
    return Changes(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:])


def _known_until(changes: Changes, accounts: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return for each account up to which sequence nothing is missing, and whether anything is."""
    count = np.bincount(changes.account, minlength=accounts)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    expected = np.arange(len(changes.seq)) - first[changes.account] + 1
    good = changes.seq == expected
    twice = (changes.seq[1:] == changes.seq[:-1]) & (changes.account[1:] == changes.account[:-1])
    good[:-1] &= ~twice
    known_until = count.astype(np.int64)
    bad = np.flatnonzero(~good)
    np.minimum.at(known_until, changes.account[bad], expected[bad] - 1)
    broken = np.zeros(accounts, np.bool_)
    broken[changes.account[bad]] = True
    return known_until, broken
